"""Small things every part of the window is made of: plain labels, icon buttons, descriptions, a centred column."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from PySide6.QtCore import QSize
from PySide6.QtGui import QPainter, QPen, Qt
from PySide6.QtWidgets import QAbstractButton, QLabel, QPushButton, QSizePolicy, QWidget

from desktop.views.theme import BODY_PX, HEADING_PX, SMALL_PX, Theme

if TYPE_CHECKING:
    from PySide6.QtGui import QPaintEvent

COLUMN_PX = 760  # the widest a line of text gets


def plain(text: str) -> str:
    """The text in a form that Qt can't take for HTML: tooltips have no switch for it, only a guess."""
    if not Qt.mightBeRichText(text):
        return text
    return text.replace("<", "‹").replace("&lt;", "‹")


def describe(widget: QWidget, name: str, description: str = "", *, tip: bool = False) -> None:
    """What a screen reader says about a control; with `tip`, what a mouse pointer resting on it is told."""
    widget.setAccessibleName(name)
    widget.setAccessibleDescription(description)
    if tip:
        widget.setToolTip(plain(description or name))


class Text(QLabel):
    """A label that shows its text as it is, in one of the few looks there are. Wraps where `wrap` is set."""

    def __init__(self, theme: Theme, text: str = "", look: str = "body", *, wrap: bool = False) -> None:
        super().__init__()
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setProperty("look", look)
        self._theme = theme
        self._look = look
        self.setWordWrap(wrap)
        self.setText(text)
        theme.changed.connect(self._restyle)
        self._restyle()

    def _restyle(self) -> None:
        token, pixels, bold = _LOOKS[self._look]
        font = self.font()
        font.setPixelSize(self._theme.scaled(pixels))
        font.setWeight(font.Weight.DemiBold if bold else font.Weight.Normal)
        self.setFont(font)
        palette = self.palette()
        palette.setColor(palette.ColorRole.WindowText, self._theme.color(token))
        self.setPalette(palette)


_LOOKS = {
    "body": ("text", BODY_PX, False),
    "title": ("text", BODY_PX, True),
    "heading": ("text", HEADING_PX, True),
    "soft": ("text_soft", SMALL_PX, False),
    "problem": ("danger", SMALL_PX, False),
    "key": ("text", SMALL_PX, False),
}
"""For each look: the token of its colour, pixels at 100 %, and whether it is bold."""


def push_button(text: str, look: str, clicked: Callable[[], object], description: str = "") -> QPushButton:
    made = QPushButton(text.replace("&", "&&"))
    made.setProperty("look", look)
    made.setAutoDefault(False)
    describe(made, text, description)
    made.clicked.connect(lambda: clicked())
    return made


def icon_button(
    theme: Theme, name: str, text: str, description: str, clicked: Callable[[], object]
) -> IconButton:
    made = IconButton(theme, name)
    describe(made, text, description, tip=True)
    made.clicked.connect(lambda: clicked())
    return made


class IconButton(QAbstractButton):
    """A square button with a symbol. A click leaves the keyboard where it was; Tab reaches it all the same."""

    def __init__(self, theme: Theme, name: str, *, primary: bool = False) -> None:
        """`primary`: the one filled button of an area."""
        super().__init__()
        self._theme = theme
        self._name = name
        self._primary = primary
        self._marked = False
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setAttribute(Qt.WidgetAttribute.WA_Hover)
        theme.changed.connect(self._restyle)
        self._restyle()

    def show_icon(self, name: str) -> None:
        if name != self._name:
            self._name = name
            self.update()

    def show_marked(self, marked: bool) -> None:
        """In the accent colour: what it stands for is switched on."""
        if marked != self._marked:
            self._marked = marked
            self.update()

    def _restyle(self) -> None:
        side = self._theme.scaled(18) + 14
        self.setFixedSize(side, side)
        self.update()

    def sizeHint(self) -> QSize:
        return self.minimumSize()

    def paintEvent(self, event: QPaintEvent) -> None:
        theme = self._theme
        painter = QPainter(self)
        prepare(painter)
        fill, ink = self._colours()
        ring = "text" if self._primary else "accent"
        painter.setPen(QPen(theme.color(ring), 2) if self.hasFocus() else Qt.PenStyle.NoPen)
        painter.setBrush(theme.color(fill))
        painter.drawRoundedRect(self.rect().adjusted(1, 1, -1, -1), 8, 8)
        side = theme.scaled(18)
        symbol = theme.icon(self._name, ink).pixmap(side, side)
        painter.drawPixmap((self.width() - side) // 2, (self.height() - side) // 2, symbol)

    def _colours(self) -> tuple[str, str]:
        """The tokens of the ground and of the symbol."""
        if self._primary:
            return ("accent", "on_accent") if self.isEnabled() else ("hover", "text_soft")
        ink = "accent" if self._marked else "text_soft"
        if self.isDown():
            return "selected", ink
        return "hover" if self.underMouse() else "page", ink


class ElidedText(Text):
    """One line that ends in “…” where the room ends. The whole text stays readable for screen readers."""

    def __init__(self, theme: Theme, look: str) -> None:
        super().__init__(theme, look=look)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        prepare(painter)
        painter.setPen(self.palette().windowText().color())
        # One line of text whatever a stranger's title holds.
        line = " ".join(self.text().split())
        shown = self.fontMetrics().elidedText(line, Qt.TextElideMode.ElideRight, self.width())
        painter.drawText(self.rect(), leading(self), shown)


def prepare(painter: QPainter) -> None:
    """Smooth edges, and each text in its own direction whatever the window's is."""
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setLayoutDirection(Qt.LayoutDirection.LayoutDirectionAuto)


def leading(widget: QWidget) -> int:
    """Where a line of text starts: left, or right in a right-to-left language, in the middle of the height."""
    ltr = widget.layoutDirection() == Qt.LayoutDirection.LeftToRight
    side = Qt.AlignmentFlag.AlignLeft if ltr else Qt.AlignmentFlag.AlignRight
    return int(side | Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignAbsolute)


def trailing(widget: QWidget) -> int:
    """Where a line of text ends: the other side of `leading`."""
    ltr = widget.layoutDirection() == Qt.LayoutDirection.LeftToRight
    side = Qt.AlignmentFlag.AlignRight if ltr else Qt.AlignmentFlag.AlignLeft
    return int(side | Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignAbsolute)


class Hairline(QWidget):
    """A thin line between two areas."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self.setFixedHeight(1)
        theme.changed.connect(self.update)

    def paintEvent(self, event: QPaintEvent) -> None:
        QPainter(self).fillRect(self.rect(), self._theme.color("line"))


def announce(source: QWidget, text: str) -> None:
    """Have a screen reader say it, without moving the focus."""
    from PySide6.QtGui import QAccessible, QAccessibleAnnouncementEvent

    if QAccessible.isActive():
        QAccessible.updateAccessibility(QAccessibleAnnouncementEvent(source, text))


def centred_margin(theme: Theme, width: int, least: int = 24) -> int:
    """The margin on each side of the text column in the middle of `width` pixels."""
    return max(least, (width - theme.scaled(COLUMN_PX)) // 2)
