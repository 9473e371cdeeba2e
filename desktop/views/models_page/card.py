"""A model's card, drawn by the transcript's machinery: nothing is fetched or opened, and links are only copied."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QTimer, Signal
from PySide6.QtGui import QGuiApplication, QResizeEvent
from PySide6.QtWidgets import QWidget

from desktop.i18n import tr
from desktop.views.models_page.card_text import readable_card
from desktop.views.models_page.details import FactsTable, Pane
from desktop.views.theme import Theme
from desktop.views.transcript.appearance import Appearance
from desktop.views.transcript.mathematics import Mathematics
from desktop.views.transcript.parts import PartView, gap
from desktop.views.transcript.pieces import split
from desktop.views.widgets import Text

_AROUND = 600  # pixels above and below what is seen for which widgets are made


class CardBody(QWidget):
    """Makes widgets for the parts of the text that are seen, as the transcript does for its messages."""

    said = Signal(str)
    grew = Signal()

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._look = Appearance(theme.palette, theme.body_px)
        self._parts: list[PartView] = []
        self._seen = (0, 1200)
        Mathematics.shared().drawn.connect(self._redraw)
        theme.changed.connect(self._restyle)

    def show_text(self, markdown: str) -> None:
        for part in self._parts:
            part.forget()
        self._parts = [PartView(part, self._look, self, self) for part in split(markdown)] if markdown else []
        self._place()

    def show_between(self, top: int, bottom: int) -> None:
        """What is seen of it, in its own pixels."""
        if (top, bottom) != self._seen:
            self._seen = (top, bottom)
            self._place()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        if event.oldSize().width() != event.size().width():
            self._place()

    def _place(self) -> None:
        width = self.width()
        top, bottom = self._seen[0] - _AROUND, self._seen[1] + _AROUND
        y = 0
        above: PartView | None = None
        for part in self._parts:
            if above is not None and above.views and part.views:
                y += gap(above.views[-1].block, part.views[0].block, self._look)
            elif above is not None:
                y += self._look.px(12)
            part.guess(width)
            if not part.made and y < bottom and y + part.height > top:
                part.make()
            y += part.lay_out(0, y, width, rtl=False) if part.made else part.height
            above = part
        if y != self.height():
            self.setFixedHeight(y)
            self.grew.emit()

    def _redraw(self) -> None:
        changed = [part.redraw() for part in self._parts if part.made]  # all of them
        if any(changed):
            self._place()

    def _restyle(self) -> None:
        self._look = Appearance(self._theme.palette, self._theme.body_px)
        for part in self._parts:
            part.set_look(self._look)
        self._place()

    # ---- what the blocks tell

    def open_link(self, address: str) -> None:
        """Nothing opens: the window has no network. The address can be taken elsewhere."""
        QGuiApplication.clipboard().setText(address)
        self.said.emit(tr("Link copied: {address}", address=address))

    def notify(self, text: str) -> None:
        self.said.emit(text)


class CardPane(Pane):
    """Facts about a model, and its card below them."""

    said = Signal(str)

    def __init__(self, theme: Theme) -> None:
        super().__init__(theme, tr("About this model"))
        self.facts = FactsTable(theme)
        self.note = Text(theme, "", "soft", wrap=True)
        self.body_text = CardBody(theme)
        self.column.addWidget(self.facts)
        self.column.addSpacing(8)
        self.column.addWidget(self.note)
        self.column.addWidget(self.body_text)
        self.column.addStretch(1)
        self.body_text.said.connect(self.said)
        self._look_later = QTimer(self, singleShot=True, interval=0)
        self._look_later.timeout.connect(self._look)
        self.verticalScrollBar().valueChanged.connect(self._look)
        self.body_text.grew.connect(self._look_later.start)

    def show_card(self, facts: Sequence[tuple[str, str]], card: str, cut: bool) -> None:
        self.facts.show_facts(facts)
        self.note.setText(
            tr("The publisher wrote no description.")
            if not card.strip()
            else tr("By the publisher; cut, because it is very long.")
            if cut
            else tr("By the publisher:")
        )
        self.verticalScrollBar().setValue(0)
        self.body_text.show_text(readable_card(card))
        self._look_later.start()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._look_later.start()

    def _look(self) -> None:
        top = self.verticalScrollBar().value() - self.body_text.y()
        self.body_text.show_between(top, top + self.viewport().height())
