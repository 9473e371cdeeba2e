"""Whether the open conversation may leave this device: its label, what the person agreed to, and being asked first."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from desktop.bridge import Bridge
from desktop.chat.leaving import agreed, label, stays
from desktop.store.faults import StoreFault
from desktop.viewmodels.notice import Notice
from desktop.viewmodels.remote import RemoteChoice
from desktop.words.leaving import characters_of, images_of, size_words
from desktop.words.store import store_fault

if TYPE_CHECKING:
    from desktop.chat.turns import Ask
    from desktop.store.records import Option
    from desktop.store.store import Store
    from models.runtime.values import Turn


@dataclass(frozen=True, slots=True)
class Preview:
    """Exactly what would be sent: the turns are those of the request itself."""

    choice: RemoteChoice
    turns: tuple[Turn, ...]

    @property
    def characters(self) -> int:
        return characters_of(self.turns)

    @property
    def images(self) -> int:
        return images_of(self.turns)

    @property
    def summary(self) -> str:
        """How much it is, in a sentence."""
        return size_words(self.turns)


class LeavingViewModel(QObject):
    """`asked` with a `Preview`: the person is to decide, by `agree`, `answer_here` or `decline`."""

    changed = Signal()
    stored = Signal()  # what the open conversation is labelled, or is not any more
    labelled = Signal()  # the open conversation must not leave any more, from this moment on
    asked = Signal(object)
    notice = Signal(object)

    def __init__(self, bridge: Bridge, store: Store, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._bridge = bridge
        self._store = store
        self._conversation: int | None = None
        self._agreed: frozenset[str] = frozenset()
        self._decide: tuple[Callable[[], None], Callable[[], None], Callable[[], None]] | None = None
        self.stays = False

    def show(self, conversation_id: int | None, options: Mapping[str, Option]) -> None:
        """Another conversation is open, with these options."""
        self._conversation = conversation_id
        self._agreed = agreed(options)
        self.stays = stays(options)
        self.changed.emit()

    def follow(self, conversation_id: int, agreed_to: str, stays: bool) -> None:
        """The conversation that did not exist yet exists now, and is labelled as it was when it was asked.

        What the person said of it meanwhile goes before that.
        """
        is_new, self._conversation = self._conversation is None, conversation_id
        if agreed_to and not self.stays:
            self._agreed |= {agreed_to}
        if is_new and self.stays is not stays:
            self._write_label()

    @property
    def conversation_id(self) -> int | None:
        """The open conversation; None for the one that does not exist yet."""
        return self._conversation

    @property
    def must_ask_to_unlabel(self) -> bool:
        """Whether a label would be taken off that has kept something here."""
        return self.stays and self._conversation is not None

    def keep_here(self, stays: bool) -> None:
        """Label the conversation, or take the label off. One that does not exist yet takes it along when it does."""
        self.stays = stays
        if stays:
            self._agreed = frozenset()
            self.labelled.emit()
        self.changed.emit()
        if self._conversation is not None:
            self._write_label()

    def _write_label(self) -> None:
        assert self._conversation is not None
        conversation_id, wanted = self._conversation, self.stays
        self._bridge.submit(
            label(self._store, conversation_id, wanted),
            lambda _: self.stored.emit(),
            failed=lambda error: self._not_stored(error, conversation_id, wanted),
        )

    def _not_stored(self, error: Exception, conversation_id: int, wanted: bool) -> None:
        if isinstance(error, LookupError):  # it was deleted meanwhile
            return
        if not isinstance(error, StoreFault):
            raise error
        if conversation_id == self._conversation and self.stays is wanted:
            self.stays = not wanted
            self.changed.emit()
        self.notice.emit(Notice.of(store_fault(error)))

    def must_ask(self, choice: RemoteChoice) -> bool:
        """Whether the person has not agreed yet that this conversation goes there."""
        return choice.provider not in self._agreed

    # ---- asking

    @property
    def is_asking(self) -> bool:
        return self._decide is not None

    def ask(
        self,
        ask: Ask,
        choice: RemoteChoice,
        send: Callable[[], None],
        here: Callable[[], None],
        back: Callable[[], None],
    ) -> None:
        """Show what would be sent and wait for the person: `send` it, answer it `here`, or `back` with it."""
        from desktop.chat.context import turns_of

        self._decide = (send, here, back)
        self._bridge.submit(
            turns_of(self._store, ask),
            lambda turns: self.asked.emit(Preview(choice, turns)),
            self._no_preview,
        )

    def _no_preview(self, error: Exception) -> None:
        self.decline()
        if not isinstance(error, StoreFault | LookupError):
            raise error
        if isinstance(error, StoreFault):
            self.notice.emit(Notice.of(store_fault(error)))

    def agree(self) -> None:
        self._end(0)

    def answer_here(self) -> None:
        self._end(1)

    def decline(self) -> None:
        self._end(2)

    def _end(self, choice: int) -> None:
        decide, self._decide = self._decide, None
        if decide is not None:
            decide[choice]()
