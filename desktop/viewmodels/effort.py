"""How much the model is to think before it answers, for the open conversation, where the loaded model knows that."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from desktop.bridge import Bridge
from desktop.i18n import tr
from desktop.store.faults import StoreFault
from desktop.viewmodels.conversations import ConversationsViewModel
from desktop.viewmodels.models import ModelsViewModel
from desktop.viewmodels.notice import Notice
from desktop.words.store import store_fault

if TYPE_CHECKING:
    from desktop.store.store import Store

_OPTION = "effort"
"""Its name among a conversation's options; the value is one of `models.runtime.values.Effort`."""

_NAMES = {
    "": "as usual",
    "off": "off",
    "on": "on",
    "low": "a little",
    "medium": "some",
    "high": "a lot",
}
"""English texts that pass through `tr` when shown."""


class EffortViewModel(QObject):
    """`chosen` "" leaves it to the model's template. A choice belongs to its conversation and is kept with it."""

    changed = Signal()
    notice = Signal(object)

    def __init__(
        self,
        bridge: Bridge,
        store: Store,
        conversations: ConversationsViewModel,
        models: ModelsViewModel,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._bridge = bridge
        self._store = store
        self._conversations = conversations
        self._models = models
        self._chosen = ""
        conversations.opened.connect(self._read)
        models.changed.connect(self.changed)

    @property
    def choices(self) -> tuple[tuple[str, str], ...]:
        """Each with its name; none where it makes no difference to the loaded model."""
        efforts = self._models.efforts
        return tuple((value, tr(_NAMES[value])) for value in ("", *efforts)) if efforts else ()

    @property
    def chosen(self) -> str:
        """The choice in force: "" where the loaded model does not know what was chosen with another one."""
        return self._chosen if self._chosen in self._models.efforts else ""

    @property
    def text(self) -> str:
        return tr("Thinking: {choice}", choice=tr(_NAMES[self.chosen]))

    def choose(self, value: str) -> None:
        """From the next question on, in this conversation."""
        self._chosen = value
        self.changed.emit()
        if self._conversations.current_id is not None:
            self.became(self._conversations.current_id)

    def became(self, conversation_id: int) -> None:
        """Keep the choice with this conversation, which may just have come to be."""
        work = self._store.set_conversation_option(conversation_id, _OPTION, self._chosen or None)
        self._bridge.submit(work, failed=self._failed)

    def _read(self) -> None:
        self._chosen = ""
        self.changed.emit()
        conversation_id = self._conversations.current_id
        if conversation_id is None:
            return

        def read(options: dict[str, object]) -> None:
            value = options.get(_OPTION)
            if (
                conversation_id == self._conversations.current_id
                and isinstance(value, str)
                and value in _NAMES
            ):
                self._chosen = value
                self.changed.emit()

        self._bridge.submit(self._options(conversation_id), read, self._failed)

    async def _options(self, conversation_id: int) -> dict[str, object]:
        try:
            return dict(await self._store.conversation_options(conversation_id))
        except LookupError:  # it was deleted meanwhile
            return {}

    def _failed(self, error: Exception) -> None:
        if not isinstance(error, StoreFault):
            raise error
        self.notice.emit(Notice.of(store_fault(error)))
