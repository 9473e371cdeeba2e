"""A bar for each day. Its words are in its accessible description, day by day."""

from __future__ import annotations

from datetime import date

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from desktop.i18n import tr
from desktop.spending import words_of
from desktop.views.theme import Theme
from desktop.views.widgets import describe, prepare
from desktop.words.remote import money
from providers.costs.spending import Sum

_HEIGHT = 140
_FOOT = 20  # for the dates


class DayPlot(QWidget):
    """`limit`: a line that is not to be reached, in US dollars; None for none."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._days: list[tuple[date, Sum]] = []
        self._limit: float | None = None
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        theme.changed.connect(self.update)

    def show_days(self, days: list[tuple[date, Sum]], limit: float | None) -> None:
        self._days, self._limit = days, limit
        told = "; ".join(f"{day.isoformat()}: {words_of(total)}" for day, total in days if total.requests)
        describe(
            self,
            tr("Cost of each of the last {count} days", count=len(days)),
            told or tr("Nothing was spent."),
        )
        self.setToolTip(told)
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(300, self._theme.scaled(_HEIGHT))

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        prepare(painter)
        theme = self._theme
        foot = theme.scaled(_FOOT)
        area = QRectF(0, foot, self.width(), self.height() - 2 * foot)
        amounts = [float(total.dollars) for _, total in self._days]
        highest = max([*amounts, self._limit or 0.0, 1e-9])
        font = painter.font()
        font.setPixelSize(theme.small_px)
        painter.setFont(font)
        painter.setPen(theme.color("text_soft"))
        top = money(f"{highest:.6f}", "USD") if highest > 1e-9 else ""
        painter.drawText(
            QRectF(0, 0, self.width(), foot), Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, top
        )
        painter.fillRect(QRectF(area.left(), area.bottom(), area.width(), 1), theme.color("line"))
        if self._days:
            self._bars(painter, area, amounts, highest)
        if self._limit is not None:
            y = area.bottom() - area.height() * min(1.0, self._limit / highest)
            painter.fillRect(QRectF(area.left(), y, area.width(), 1), theme.color("danger"))

    def _bars(self, painter: QPainter, area: QRectF, amounts: list[float], highest: float) -> None:
        step = area.width() / len(amounts)
        ltr = self.layoutDirection() == Qt.LayoutDirection.LeftToRight
        foot = QRectF(0, area.bottom() + 2, self.width(), self.height() - area.bottom() - 2)
        for number, amount in enumerate(amounts):
            place = number if ltr else len(amounts) - 1 - number
            height = area.height() * amount / highest
            bar = QRectF(area.left() + place * step + 1, area.bottom() - height, max(1.0, step - 2), height)
            painter.fillRect(bar, self._theme.color("accent"))
            if self._days[number][1].unknown:  # something was asked whose cost nobody knows
                painter.fillRect(
                    QRectF(bar.left(), area.bottom() - 3, bar.width(), 3), self._theme.color("warning")
                )
        first, last = self._days[0][0].strftime("%d.%m."), self._days[-1][0].strftime("%d.%m.")
        sides = (Qt.AlignmentFlag.AlignLeft, Qt.AlignmentFlag.AlignRight)
        painter.drawText(foot, sides[0 if ltr else 1] | Qt.AlignmentFlag.AlignVCenter, first)
        painter.drawText(foot, sides[1 if ltr else 0] | Qt.AlignmentFlag.AlignVCenter, last)
