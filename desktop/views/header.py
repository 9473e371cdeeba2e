"""The line above the conversation: the sidebar's switch, the title, and the two chips."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QGridLayout, QVBoxLayout, QWidget

from desktop.i18n import tr
from desktop.processes.switch import Position
from desktop.viewmodels.answering import AnsweringViewModel
from desktop.viewmodels.conversations import ConversationsViewModel
from desktop.viewmodels.leaving import LeavingViewModel
from desktop.viewmodels.models import ModelsViewModel
from desktop.viewmodels.network import NetworkViewModel
from desktop.views.chips import Chip, Shape
from desktop.views.theme import Theme
from desktop.views.widgets import ElidedText, Hairline, describe, icon_button

_NARROW_PX = 640  # below this the model's chip gets a line of its own


class Header(QWidget):
    """Signals say what was clicked; the window decides what opens."""

    sidebar_toggled = Signal()
    model_clicked = Signal()
    network_clicked = Signal()
    answers_clicked = Signal()
    label_clicked = Signal()

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._conversations: ConversationsViewModel | None = None
        self._models: ModelsViewModel | None = None
        side = "panel-right" if self.layoutDirection() == Qt.LayoutDirection.RightToLeft else "panel-left"
        self.toggle = icon_button(
            theme, side, tr("List of conversations"), tr("Show or hide the list of conversations (Ctrl+B)"),
            self.sidebar_toggled.emit,
        )  # fmt: skip
        self.title = ElidedText(theme, "title")
        self.title.setMinimumWidth(48)
        self.model_chip = Chip(theme, Shape.CARD, "cpu", "text_soft")
        self.network_chip = Chip(theme, Shape.PILL, "shield-check", "success", least=240)
        self.model_chip.clicked.connect(self.model_clicked)
        self.network_chip.clicked.connect(self.network_clicked)
        self.answers = icon_button(
            theme,
            "sliders",
            tr("Answers in this conversation"),
            tr("As JSON, or with LoRA adapters"),
            self.answers_clicked.emit,
        )
        self.answers.hide()
        self.label = icon_button(
            theme,
            "house",
            tr("Never leaves this device"),
            tr("Keep this conversation on this device, whatever model is chosen"),
            self.label_clicked.emit,
        )
        self.label.hide()
        self._lay_out()

    def _lay_out(self) -> None:
        self._grid = QGridLayout()
        self._grid.setContentsMargins(12, 8, 16, 8)
        self._grid.setHorizontalSpacing(8)
        self._grid.setVerticalSpacing(4)
        self._grid.addWidget(self.toggle, 0, 0)
        self._grid.addWidget(self.title, 0, 1)
        self._grid.addWidget(self.network_chip, 0, 3)
        self._grid.addWidget(self.label, 0, 4)
        self._grid.addWidget(self.answers, 0, 5)
        self._grid.setColumnStretch(1, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addLayout(self._grid)
        column.addWidget(Hairline(self._theme))
        self._narrow: bool | None = None
        self._place_model_chip(False)

    def _place_model_chip(self, narrow: bool) -> None:
        """Beside the other chip, or on a line of its own where room is scarce: both are always readable."""
        if narrow == self._narrow:
            return
        self._narrow = narrow
        self._grid.removeWidget(self.model_chip)
        if narrow:
            self._grid.addWidget(self.model_chip, 1, 0, 1, 6, Qt.AlignmentFlag.AlignRight)
        else:
            self._grid.addWidget(self.model_chip, 0, 2)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._place_model_chip(self.width() < self._theme.scaled(_NARROW_PX))

    # ---- binding

    def bind(
        self,
        conversations: ConversationsViewModel | None,
        models: ModelsViewModel,
        network: NetworkViewModel,
    ) -> None:
        """`conversations` None: the title is not that of a conversation; `show_title` says it."""
        self._conversations, self._models = conversations, models
        if conversations is not None:
            conversations.changed.connect(self._show_conversation)
            self._show_conversation()
        models.changed.connect(self._show_model)
        self._show_model()
        self._show_network(network)

    def bind_answering(self, answering: AnsweringViewModel) -> None:
        """Show what is chosen for the open conversation, and offer to change it."""

        def show() -> None:
            name = tr("Answers in this conversation")
            describe(self.answers, name, answering.summary or tr("As JSON, or with LoRA adapters"), tip=True)
            self.answers.show_marked(bool(answering.summary))

        answering.changed.connect(show)
        show()
        self.answers.show()

    def bind_leaving(self, leaving: LeavingViewModel) -> None:
        """Show whether the open conversation is kept on this device, and offer to change it."""

        def show() -> None:
            name = tr("Never leaves this device")
            words = (
                tr("This conversation never leaves this device. Click to take the label off")
                if leaving.stays
                else tr("Keep this conversation on this device, whatever model is chosen")
            )
            describe(self.label, name, words, tip=True)
            self.label.show_marked(leaving.stays)

        leaving.changed.connect(show)
        show()
        self.label.show()

    def _show_conversation(self) -> None:
        assert self._conversations is not None
        self.show_title(self._conversations.current_title or tr("New conversation"))

    def show_title(self, title: str) -> None:
        self.title.setText(title)
        self.title.setAccessibleName(title)

    def _show_model(self) -> None:
        assert self._models is not None
        text = self._models.chip_text
        if self._models.loading is not None:
            text = tr("{where} · loading {percent} %", where=text, percent=round(self._models.loading * 100))
        if self._models.remote is None:
            self.model_chip.show_look(Shape.CARD, "cpu", "text_soft")
        else:
            self.model_chip.show_look(Shape.ARROW, "arrow-up-right", "warning")
        self.model_chip.show_text(text)
        self.model_chip.show_progress(self._models.loading)
        describe(self.model_chip, text, self._models.chip_tooltip, tip=True)

    def _show_network(self, network: NetworkViewModel) -> None:
        if not network.enforced:
            self.network_chip.show_look(Shape.DASHED_PILL, "shield-alert", "warning")
        elif network.position is Position.REMOTE:
            self.network_chip.show_look(Shape.PILL, "arrow-up-right", "warning")
        elif network.position is not Position.OFFLINE:
            self.network_chip.show_look(Shape.PILL, "arrow-down", "link")
        else:
            self.network_chip.show_look(Shape.PILL, "shield-check", "success")
        self.network_chip.show_text(network.text)
        describe(self.network_chip, network.text, network.tooltip, tip=True)
