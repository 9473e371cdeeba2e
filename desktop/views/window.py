"""The window: the sidebar, the conversation, and what the keys do. It owns the theme and remembers its place."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QByteArray, QTimer
from PySide6.QtWidgets import QHBoxLayout, QMainWindow, QWidget

from desktop.viewmodels.chat import ChatState, ChatViewModel
from desktop.viewmodels.conversations import ConversationsViewModel
from desktop.viewmodels.models import ModelsViewModel
from desktop.viewmodels.network import NetworkViewModel
from desktop.viewmodels.settings import SettingsViewModel
from desktop.viewmodels.window import WindowState
from desktop.views.commands import commands
from desktop.views.conversation_page import ConversationPage
from desktop.views.main_area import COSTS, LEDGER, MODELS, REMOTE, MainArea
from desktop.views.message_edit import PLAIN, has_image, model_path
from desktop.views.sidebar import Sidebar
from desktop.views.theme import Theme

if TYPE_CHECKING:
    from PySide6.QtGui import (
        QAction,
        QCloseEvent,
        QDragEnterEvent,
        QDropEvent,
        QMoveEvent,
        QResizeEvent,
        QShowEvent,
    )
    from PySide6.QtWidgets import QDialog

    from desktop.viewmodels.keys import KeysViewModel
    from desktop.viewmodels.leaving import Preview
    from desktop.viewmodels.models_page import ModelsPageViewModel
    from desktop.viewmodels.quantize import QuantizeViewModel
    from desktop.views.command_palette import CommandPalette
    from desktop.views.model_picker import ModelPicker
    from desktop.views.models_page.page import ModelsPage
    from desktop.views.page import Page

_FIRST_SIZE = (1200, 800)
_SMALLEST_PAGE = (360, 400)
_GEOMETRY, _SIDEBAR = "geometry", "sidebar"
_PAGE = "page"  # where to come back to after Alcove has started itself again, as "name part"

PageMaker = Callable[[Theme], "Page"]


class MainWindow(QMainWindow):
    """Dialogs and panels are made when they are first asked for: the window is there to be typed into, at once."""

    def __init__(
        self,
        conversations: ConversationsViewModel,
        chat: ChatViewModel,
        models: ModelsViewModel,
        network: NetworkViewModel,
        settings: SettingsViewModel,
        window_state: WindowState,
        first_run: bool,
        models_page: ModelsPageViewModel | None = None,
        keys: KeysViewModel | None = None,
        pages: Mapping[str, PageMaker] | None = None,
    ) -> None:
        """`models_page`: what the models page is about; `keys` those for services outside; None for without.

        `pages`: the other pages, by the names of `main_area`, and how each is made.
        """
        super().__init__()
        self._conversations = conversations
        self._chat = chat
        self._models = models
        self._network = network
        self._settings = settings
        self._state = window_state
        self._models_page = models_page
        self._keys = keys
        self._page_makers = pages or {}
        self._palette_panel: CommandPalette | None = None
        self._model_panel: ModelPicker | None = None
        self.quantizer: Callable[[], QuantizeViewModel] | None = (
            None  # what makes smaller versions, if any does
        )
        self.setWindowTitle("Alcove")
        self.setAcceptDrops(True)
        self.theme = Theme(self)
        self._use_appearance()
        self.sidebar = Sidebar(self.theme)
        self.page = ConversationPage(self.theme, chat, conversations, _data_folder() if first_run else None)
        self.area = MainArea(self.page, self._make_page)
        self._lay_out()
        self._bind()
        self._actions: dict[str, QAction] = {}
        self._was_shown = False
        self.is_complete = False  # everything is made, not only what is seen and typed into first
        self._remember_later = QTimer(self, singleShot=True, interval=1000)
        self._remember_later.timeout.connect(self._remember_place)
        self._take_place()
        self.page.composer.edit.setFocus()

    def _lay_out(self) -> None:
        middle = QWidget()
        row = QHBoxLayout(middle)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(0)
        row.addWidget(self.sidebar)
        row.addWidget(self.area, 1)
        self.setCentralWidget(middle)
        self.page.setMinimumSize(*_SMALLEST_PAGE)

    def _bind(self) -> None:
        self.sidebar.bind(self._conversations)
        self.sidebar.search_clicked.connect(self._search)
        self.sidebar.model_clicked.connect(self._choose_model)
        self.sidebar.models_clicked.connect(lambda: self.area.show_models("library"))
        self.sidebar.downloads_clicked.connect(lambda: self.area.show_models("downloads"))
        self.sidebar.settings_clicked.connect(self._show_settings)
        self.sidebar.keys_clicked.connect(self._show_keys)
        header = self.page.header
        header.bind(self._conversations, self._models, self._network)
        header.sidebar_toggled.connect(self._toggle_sidebar)
        header.model_clicked.connect(self._choose_model)
        header.network_clicked.connect(self._show_network)
        self._network.restart_wanted.connect(self._remember_page)
        header.answers_clicked.connect(self._show_answers)
        header.bind_answering(self._chat.answering)
        header.bind_leaving(self._chat.leaving)
        header.label_clicked.connect(self._keep_here)
        self.page.status.bind(self._chat, self._models)
        self.page.composer.model_dropped.connect(self._models.open_file)
        self.page.composer.model_wanted.connect(self._choose_model)
        self.page.computer_asked.connect(self._show_computer)
        self._chat.leaving.asked.connect(self._ask_before_leaving)
        self._models.template_wanted.connect(self._show_template_of)
        self._models.settings_wanted.connect(self._show_model_settings)
        self._models.smaller_wanted.connect(self.make_smaller)
        self._conversations.opened.connect(self._show_conversation)
        self._settings.changed.connect(self._setting_changed)
        self._use_enter()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        if not self._was_shown:
            self._was_shown = True
            # One turn of the event loop shows the window and lets it take keys; the next makes what can wait.
            QTimer.singleShot(0, lambda: QTimer.singleShot(0, self._make_the_rest))

    def _make_the_rest(self) -> None:
        self._make_actions()
        self.sidebar.show_list()
        self.theme.dress(self.page.welcome.verticalScrollBar())
        self.theme.settle_style()
        self.is_complete = True

    # ---- commands

    def _make_actions(self) -> None:
        from PySide6.QtGui import QAction, QKeySequence

        todo = self._handlers()
        for command in commands():
            action = QAction(command.label, self)
            action.setShortcuts([QKeySequence(keys) for keys in command.keys])
            action.triggered.connect(lambda _=False, act=todo[command.name]: act())
            self.addAction(action)
            self._actions[command.name] = action

    def _handlers(self) -> dict[str, Callable[[], Any]]:
        page = self.page
        return {
            "new": self._start_new,
            "palette": self._search,
            "find": self._in_conversation(page.start_find),
            "find_next": lambda: page.find_bar.next(),
            "find_previous": lambda: page.find_bar.previous(),
            "composer": self._in_conversation(page.composer.edit.setFocus),
            "model": self._choose_model,
            "answers": self._show_answers,
            "open_model": self._open_model_file,
            "models": lambda: self.area.show_models("library"),
            "find_models": lambda: self.area.show_models("find"),
            "downloads": lambda: self.area.show_models("downloads"),
            "keep_here": self._keep_here,
            "remote": lambda: self.area.show_page(REMOTE),
            "ledger": lambda: self.area.show_page(LEDGER),
            "costs": lambda: self.area.show_page(COSTS),
            "template": self._show_template,
            "make_smaller": self._make_current_smaller,
            "model_settings": self._show_model_settings,
            "copy_answer": page.copy_last_answer,
            "copy_conversation": page.copy_conversation,
            "undo_delete": self._conversations.undo_delete,
            "rename": self._rename_current,
            "delete": self._delete_current,
            "previous": self._conversations.open_previous,
            "next": self._conversations.open_next,
            "stop": self._stop_or_close,
            "sidebar": self._toggle_sidebar,
            "network": self._show_network,
            "secrets": self._show_secrets,
            "settings": self._show_settings,
            "keys": self._show_keys,
            "quit": self.close,
        }

    def run(self, command: str) -> None:
        """Do what this command's key does."""
        self._actions[command].trigger()

    def _in_conversation(self, act: Callable[[], Any]) -> Callable[[], Any]:
        """Go back to the conversation first."""

        def go() -> None:
            self.area.leave()
            act()

        return go

    def _show_conversation(self) -> None:
        """A conversation was opened: it is in front, unless Alcove has started itself again from a page."""
        self.area.leave()
        self.page.composer.edit.setFocus()
        if place := self._state.get(_PAGE):
            self._state.set(_PAGE, "")
            name, _, part = place.partition(" ")
            self.area.show_page(name, part)

    def _remember_page(self) -> None:
        """Alcove starts itself again, and the person wants to be where they are."""
        name, part = self.area.place
        self._state.set(_PAGE, f"{name} {part}" if name else "")

    def _start_new(self) -> None:
        self.area.leave()
        self._conversations.new()
        self.page.composer.edit.setFocus()

    def _stop_or_close(self) -> None:
        if self.area.step_back():
            return
        if self._chat.state in (ChatState.IDLE, ChatState.STOPPING):
            self.page.close_a_bar()
        else:
            self._chat.stop()

    def _rename_current(self) -> None:
        if self._conversations.current_id is not None:
            self._show_sidebar(True)
            self.sidebar.list.rename(self._conversations.current_id)

    def _delete_current(self) -> None:
        if self._conversations.current_id is not None:
            self._conversations.delete(self._conversations.current_id)

    # ---- panels and dialogs

    def _search(self) -> None:
        if self._palette_panel is None:
            from desktop.views.command_palette import CommandPalette

            self._palette_panel = CommandPalette(self.theme, self)
            self._palette_panel.command_chosen.connect(self.run)
            self._palette_panel.conversation_chosen.connect(self._conversations.open)
            self._palette_panel.message_chosen.connect(self._chat.open_at)
            self._palette_panel.texts_wanted.connect(self._conversations.search_texts)
            self._conversations.texts_found.connect(self._palette_panel.add_texts)
        self._palette_panel.open(self._conversations.items)

    def _choose_model(self) -> None:
        if self._model_panel is None:
            from desktop.views.model_picker import ModelPicker

            self._model_panel = ModelPicker(self.theme, self, self._models)
            self._model_panel.file_wanted.connect(self._open_model_file)
            self._model_panel.settings_wanted.connect(self._show_model_settings)
            self._model_panel.page_wanted.connect(self.area.show_models)
            self._model_panel.remote_wanted.connect(lambda: self.area.show_page(REMOTE))
        page: Any = self.area.front or self.page
        self._model_panel.open_below(page.header.model_chip)

    def _make_page(self, name: str) -> QWidget | None:
        """The page of this name, joined to the window; None where there is none."""
        if name == MODELS:
            return self._make_models_page() if self._models_page is not None else None
        make = self._page_makers.get(name)
        if make is None:
            return None
        page = make(self.theme)
        page.header.sidebar_toggled.connect(self._toggle_sidebar)
        page.header.model_clicked.connect(self._choose_model)
        page.header.network_clicked.connect(self._show_network)
        page.page_wanted.connect(self.area.show_page)
        return page

    def _make_models_page(self) -> ModelsPage:
        from desktop.views.models_page.page import ModelsPage

        assert self._models_page is not None
        page = ModelsPage(self.theme, self._models_page, self._models, self._network)
        page.header.sidebar_toggled.connect(self._toggle_sidebar)
        page.header.model_clicked.connect(self._choose_model)
        page.header.network_clicked.connect(self._show_network)
        page.keys_wanted.connect(self._show_secrets)
        return page

    def _open_model_file(self) -> None:
        from desktop.views.model_picker import ask_for_model_file

        path = ask_for_model_file(self)
        if path:
            self._models.open_file(path)

    def _show_template(self) -> None:
        path = self._models.current_path
        if path is not None and self._models.templates is not None:
            self._show_template_of(str(path))

    def _show_template_of(self, path: str) -> None:
        from desktop.views.template_dialog import template_dialog

        self._open(template_dialog(self.theme, self, self._models, path))

    def _make_current_smaller(self) -> None:
        if self._models.current_path is not None:
            self.make_smaller(str(self._models.current_path))

    def make_smaller(self, path: str) -> None:
        """Open the dialog in which a smaller version of this model is made."""
        from desktop.views.quantize_dialog import quantize_dialog

        if self.quantizer is not None:
            self._open(quantize_dialog(self.theme, self, self.quantizer(), path, self._models.choose))

    def _show_answers(self) -> None:
        from desktop.views.answering_dialog import AnsweringDialog

        self._models.look_around()
        self._open(AnsweringDialog(self.theme, self, self._chat.answering))

    def _show_settings(self) -> None:
        from desktop.views.settings_dialog import SettingsDialog

        dialog = SettingsDialog(self.theme, self, self._settings)
        dialog.keys_wanted.connect(self._show_secrets)
        self._open(dialog)

    def _show_model_settings(self, path: str = "") -> None:
        """Of the model in use, unless another is named."""
        from desktop.views.model_settings_dialog import ModelSettingsDialog

        current = self._models.current
        path = path or (current.path if current is not None else "")
        if path:
            settings = self._models.settings_of(path)
            self._open(ModelSettingsDialog(self.theme, self, settings, self._models.decided(path)))

    def _show_network(self) -> None:
        from desktop.views.network_dialog import network_dialog

        remote = self._models.elsewhere.models
        providers = remote.places if remote is not None else ()
        self._open(network_dialog(self.theme, self, self._network, self.area.show_page, providers))

    def _show_secrets(self) -> None:
        from desktop.views.secrets_dialog import secrets_dialog

        if self._keys is not None:
            self._open(secrets_dialog(self.theme, self, self._keys))

    def _ask_before_leaving(self, preview: Preview) -> None:
        from desktop.views.leaving_dialog import LeavingDialog

        remote = self._models.elsewhere.models
        assert remote is not None
        price = remote.estimate(preview.choice, preview.characters, preview.images)
        dialog = LeavingDialog(self.theme, self, self._chat.leaving, preview, price)
        dialog.facts_wanted.connect(lambda: self.area.show_page(REMOTE, preview.choice.provider))
        self._open(dialog)

    def _keep_here(self) -> None:
        """Label the open conversation, or take the label off, which is asked first."""
        leaving = self._chat.leaving
        if not leaving.must_ask_to_unlabel:
            leaving.keep_here(not leaving.stays)
            return
        from desktop.views.label_dialog import LabelDialog

        self._open(LabelDialog(self.theme, self, lambda: leaving.keep_here(False)))

    def _show_computer(self) -> None:
        from desktop.views.dialogs import computer_dialog

        self._open(computer_dialog(self.theme, self, self._models))

    def _show_keys(self) -> None:
        from desktop.views.dialogs import keys_dialog

        self._open(keys_dialog(self.theme, self))

    def _open(self, dialog: QDialog) -> None:
        # Where there is no window manager (a bare X server), nobody else gives the keyboard back afterwards.
        dialog.finished.connect(self.activateWindow)
        dialog.open()

    # ---- settings

    def _setting_changed(self, key: str) -> None:
        if key.startswith("appearance."):
            self._use_appearance()
        elif key == "composer.enter_sends":
            self._use_enter()

    def _use_appearance(self) -> None:
        percent = self._settings.value("appearance.text_percent")
        assert isinstance(percent, int)
        self.theme.use(str(self._settings.value("appearance.theme")), percent)

    def _use_enter(self) -> None:
        sends = self._settings.value("composer.enter_sends") is True
        self.page.composer.use_enter(sends)
        self.page.status.use_enter(sends)

    # ---- the window's place

    def _toggle_sidebar(self) -> None:
        self._show_sidebar(self.sidebar.isHidden())

    def _show_sidebar(self, shown: bool) -> None:
        self.sidebar.setVisible(shown)
        self._state.set(_SIDEBAR, "shown" if shown else "hidden")

    def _take_place(self) -> None:
        remembered = self._state.get(_GEOMETRY)
        encoded = QByteArray.fromBase64(remembered.encode("ascii", "ignore")) if remembered else QByteArray()
        if encoded.isEmpty() or not self.restoreGeometry(encoded):
            room = self.screen().availableSize()
            self.resize(min(_FIRST_SIZE[0], room.width()), min(_FIRST_SIZE[1], room.height()))
        self.sidebar.setVisible(self._state.get(_SIDEBAR) != "hidden")

    def _remember_place(self) -> None:
        self._state.set(_GEOMETRY, self.saveGeometry().toBase64().toStdString())

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._remember_later.start()

    def moveEvent(self, event: QMoveEvent) -> None:
        super().moveEvent(event)
        self._remember_later.start()

    def closeEvent(self, event: QCloseEvent) -> None:
        self._remember_place()
        super().closeEvent(event)

    # ---- dropping a file

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        source = event.mimeData()
        if model_path(source.urls()) is not None or source.hasFormat(PLAIN) or has_image(source):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        source = event.mimeData()
        path = model_path(source.urls())
        if path is not None:
            self._models.open_file(path)
        elif has_image(source):
            self.page.composer.edit.insertFromMimeData(source)
        elif source.hasFormat(PLAIN):
            self.page.composer.insert(source.text())
        event.acceptProposedAction()


def _data_folder() -> str:
    from desktop.paths import find_paths

    return str(find_paths().home)
