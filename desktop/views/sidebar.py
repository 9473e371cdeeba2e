"""The sidebar: a new conversation, the list of all, and the way to the model, the settings and the keys."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QVBoxLayout, QWidget

from desktop.i18n import tr
from desktop.viewmodels.conversations import ConversationsViewModel
from desktop.views.row_button import RowButton
from desktop.views.theme import Theme
from desktop.views.widgets import Hairline

if TYPE_CHECKING:
    from desktop.views.conversation_list import ConversationList

WIDTH_PX = 264


class Sidebar(QWidget):
    """Signals for what other parts of the window open; the rest goes to the view-model."""

    search_clicked = Signal()
    model_clicked = Signal()
    models_clicked = Signal()
    downloads_clicked = Signal()
    settings_clicked = Signal()
    keys_clicked = Signal()

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._conversations: ConversationsViewModel | None = None
        self._list: ConversationList | None = None
        self._downloads: RowButton | None = None
        self.setAutoFillBackground(True)

        def row(
            icon: str, text: str, description: str, keys: str, clicked: Callable[[], object]
        ) -> RowButton:
            return RowButton(theme, icon, text, description, keys, clicked)

        self.new = row(
            "square-pen", tr("New conversation"), tr("Start an empty conversation"), "Ctrl+N", self._start_new
        )
        search_all = tr("Search conversations and commands")
        self.search = row("search", tr("Search"), search_all, "Ctrl+K", self.search_clicked.emit)
        self.model = row("cpu", tr("Model"), tr("Choose a model"), "Ctrl+M", self.model_clicked.emit)
        self.models = row(
            "library",
            tr("All models"),
            tr("The models on this computer, and how to get more"),
            "Ctrl+Shift+M",
            self.models_clicked.emit,
        )
        self.settings = row(
            "settings", tr("Settings"), tr("Change settings"), "Ctrl+,", self.settings_clicked.emit
        )
        self.keys = row("keyboard", tr("Keys"), tr("The list of all keys"), "F1", self.keys_clicked.emit)
        self._lay_out()
        theme.changed.connect(self._restyle)
        self._restyle()

    def _lay_out(self) -> None:
        column = self._column = QVBoxLayout(self)
        column.setContentsMargins(8, 8, 8, 8)
        column.setSpacing(0)
        column.addWidget(self.new)
        column.addWidget(self.search)
        column.addStretch(1)
        column.addWidget(Hairline(self._theme))
        column.addSpacing(8)
        for part in (self.model, self.models, self.settings, self.keys):
            column.addWidget(part)

    def _restyle(self) -> None:
        palette = self.palette()
        palette.setColor(palette.ColorRole.Window, self._theme.color("sidebar"))
        self.setPalette(palette)
        self.setFixedWidth(max(WIDTH_PX, min(self._theme.scaled(WIDTH_PX), WIDTH_PX * 3 // 2)))

    @property
    def list(self) -> ConversationList:
        """The conversations. Made when first needed: the classes it builds on take their time, typing does not wait."""
        if self._list is None:
            from desktop.views.conversation_list import ConversationList

            self._list = ConversationList(self._theme)
            self._theme.dress(self._list)
            self._column.takeAt(2)
            self._column.insertWidget(2, self._list, 1)
            QWidget.setTabOrder(self.search, self._list)
            QWidget.setTabOrder(self._list, self.model)
        return self._list

    def show_downloads(self, text: str, fraction: float) -> None:
        """A quiet row while something comes in; "" takes it away."""
        if not text and self._downloads is None:
            return
        if self._downloads is None:
            shows = tr("Show what is being downloaded")
            self._downloads = RowButton(self._theme, "download", text, shows, "", self.downloads_clicked.emit)
            self._column.insertWidget(self._column.indexOf(self.model), self._downloads)
            QWidget.setTabOrder(self._downloads, self.model)
        self._downloads.say(text)
        self._downloads.show_progress(fraction)
        self._downloads.setVisible(bool(text))

    # ---- binding

    def bind(self, conversations: ConversationsViewModel) -> None:
        self._conversations = conversations

    def show_list(self) -> None:
        """Make the list, keep it in step from now on, and name the keys of the buttons around it."""
        assert self._conversations is not None
        self._conversations.changed.connect(self._show_items)
        self._conversations.opened.connect(self._reveal_open)
        self.list.opened.connect(self._conversations.open)
        self.list.renamed.connect(self._conversations.rename)
        self.list.deleted.connect(self._conversations.delete)
        self._show_items()
        for button in (self.new, self.search, self.model, self.models, self.settings, self.keys):
            button.name_keys()

    def _start_new(self) -> None:
        assert self._conversations is not None
        self._conversations.new()

    def _show_items(self) -> None:
        assert self._conversations is not None
        self.list.show_items(self._conversations.items, self._conversations.current_id)

    def _reveal_open(self) -> None:
        assert self._conversations is not None
        self.list.reveal(self._conversations.current_id)
