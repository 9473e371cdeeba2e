"""What happens when the window has just come up: the database opens, and the person is back where they were."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject

from desktop.bridge import Bridge
from desktop.i18n import tr
from desktop.store.faults import StoreFault
from desktop.viewmodels.chat import ChatViewModel
from desktop.viewmodels.conversations import ConversationsViewModel
from desktop.viewmodels.notice import Notice
from desktop.viewmodels.window import WindowState
from desktop.words.store import opening_words, store_fault

if TYPE_CHECKING:
    from desktop.store.store import Store

_OPEN_CONVERSATION = "conversation"


class Opening(QObject):
    """Begins once; then keeps in mind which conversation is open."""

    def __init__(
        self,
        bridge: Bridge,
        store: Store,
        conversations: ConversationsViewModel,
        chat: ChatViewModel,
        state: WindowState,
        settings_put_aside: Path | None,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._bridge = bridge
        self._store = store
        self._conversations = conversations
        self._chat = chat
        self._state = state
        self._settings_put_aside = settings_put_aside

    def begin(self) -> None:
        if self._settings_put_aside is not None:
            text = tr(
                "Your settings could not be read, so the usual ones are in force. The old file was kept."
            )
            self._chat.notice.emit(Notice(text, str(self._settings_put_aside)))
        self._bridge.submit(self._open(), self._opened, self._failed)

    async def _open(self) -> None:
        await self._store.open(repair=True)
        await self._store.mark_interrupted()

    def _opened(self, _: None) -> None:
        if self._store.opening_notice is not None:
            self._chat.notice.emit(Notice.of(opening_words(self._store.opening_notice)))
        remembered = self._state.get(_OPEN_CONVERSATION)
        self._conversations.begin(int(remembered) if remembered and remembered.isdecimal() else None)
        self._conversations.changed.connect(self._remember)

    def _remember(self) -> None:
        current = self._conversations.current_id
        self._state.set(_OPEN_CONVERSATION, "" if current is None else str(current))

    def _failed(self, error: Exception) -> None:
        if not isinstance(error, StoreFault):
            raise error
        self._chat.notice.emit(Notice.of(store_fault(error)))
