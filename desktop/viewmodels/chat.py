"""The open conversation: what is on screen, what the person does with it, and the answer under way.

One answer runs at a time. It belongs to the conversation it was asked in and goes on when another is opened;
coming back shows it as far as it is.

The values of a turn are imported where they are handled: the first frame does without them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import partial
from itertools import takewhile
from typing import TYPE_CHECKING, Any, assert_never

from PySide6.QtCore import QObject, QTimer, Signal

from desktop.bridge import Bridge, Job
from desktop.i18n import tr
from desktop.settings import Settings
from desktop.store.faults import StoreFault
from desktop.viewmodels.answering import AnsweringViewModel
from desktop.viewmodels.conversations import ConversationsViewModel
from desktop.viewmodels.effort import EffortViewModel
from desktop.viewmodels.failing_over import FailingOver
from desktop.viewmodels.images import DraftImage, ImagesViewModel
from desktop.viewmodels.leaving import LeavingViewModel
from desktop.viewmodels.models import ModelsViewModel
from desktop.viewmodels.notice import Notice
from desktop.viewmodels.progress import AnswerProgress
from desktop.viewmodels.transcript import Entry, TranscriptModel
from desktop.words.store import store_fault

if TYPE_CHECKING:
    from desktop.chat.session import Session
    from desktop.chat.turns import Ask, SessionEvent, Started
    from desktop.store.records import Message
    from desktop.store.store import Store
    from desktop.viewmodels.remote import RemoteChoice


_FIRST = 100
"""How many of the newest messages are shown before the others are read: more than a window can hold."""
_AFTER_A_FRAME_MS = 30


_Read = tuple[int | None, list[Entry], str, tuple[DraftImage, ...], dict[str, Any]]
"""A conversation, its messages, its draft, the images of the draft, and what was chosen for it."""


class ChatState(StrEnum):
    """What the model is doing for this window."""

    IDLE = "idle"
    LOADING = "loading"
    READING = "reading"
    ANSWERING = "answering"
    STOPPING = "stopping"


@dataclass(slots=True)
class _Live:
    """The answer under way. `entry` is None until the store has taken the question."""

    ask: Ask
    provider: str = ""  # of the model elsewhere that answers
    job: Job | None = None
    conversation_id: int | None = None
    question: Entry | None = None
    entry: Entry | None = None


class ChatViewModel(QObject):
    """What the transcript and the composer bind to."""

    state_changed = Signal()
    draft_changed = Signal()  # by the person who writes it
    draft_replaced = Signal()
    revealed = Signal(int)  # the row of a message that was asked for
    notice = Signal(object)
    edit_returned = Signal(int, str)  # a message and the text that was not sent in its place
    answered_elsewhere = Signal(str)  # the provider that has answered

    def __init__(
        self,
        bridge: Bridge,
        store: Store,
        session: Session,
        conversations: ConversationsViewModel,
        models: ModelsViewModel,
        settings: Settings,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._bridge = bridge
        self._store = store
        self._session = session
        self._conversations = conversations
        self._models = models
        self._settings = settings
        self.effort = EffortViewModel(bridge, store, conversations, models, self)
        self.effort.notice.connect(self.notice)
        self._live: _Live | None = None
        self._over: Message | None = None  # the answer whose turn is ending
        self._opening: Job | None = None
        self._only_here: dict[int, Entry] = {}  # ended answers that the disk has refused so far
        self.images = ImagesViewModel(bridge, store, self)
        self.images.notice.connect(self.notice)
        self.images.draft_changed.connect(self.state_changed)
        models.changed.connect(self.images.draft_changed)  # another model may see them
        self.answering = AnsweringViewModel(bridge, store, models, self)
        self.leaving = LeavingViewModel(bridge, store, self)
        self.leaving.notice.connect(self.notice)
        self.leaving.changed.connect(self._show_label)
        self.leaving.stored.connect(conversations.refresh)
        self.leaving.labelled.connect(self._stop_what_leaves)
        self._failing_over = FailingOver(settings, self._answer_here, self.notice.emit)
        self.transcript = TranscriptModel(self)
        self.transcript.images = self.images
        self.state = ChatState.IDLE
        self.progress: float | None = None
        self.status_text = ""
        self.draft = ""
        self._answer_progress = AnswerProgress()
        self._calm = QTimer(self, interval=250)
        self._calm.timeout.connect(self._show_progress)
        self._save_draft = QTimer(self, singleShot=True, interval=400)
        self._save_draft.timeout.connect(self._write_draft)
        self._draft_of: int | None = None
        self._shown_once = False
        self._on_screen: int | None = None  # the conversation that the transcript shows
        self._older_are_read = True  # all of it, not only its newest messages
        self._wanted: tuple[int, int] | None = None  # conversation and message to be shown once it is read
        conversations.opened.connect(self._open_current)

    # ---- what a person does

    @property
    def is_whole(self) -> bool:
        """Whether the transcript has all messages of the open conversation. A long one shows its newest first."""
        return self._older_are_read

    @property
    def can_send(self) -> bool:
        """Whether nothing is being answered, and the open conversation is the one on screen."""
        is_free = self._live is None and not self.leaving.is_asking
        return is_free and self._on_screen == self._conversations.current_id

    def send(self, text: str) -> bool:
        """Ask, with the images of the draft. False when it can't be done now; the text then stays in the composer."""
        if not (text.strip() or self.images.draft) or self.images.busy or not self.can_send:
            return False
        entries = self.transcript.entries
        ask = self._ask(
            text=text,
            conversation_id=self._conversations.current_id,
            parent_id=entries[-1].message_id if entries else None,
            attached=tuple(image.id for image in self.images.draft),
        )
        self._begin(ask)
        self.images.sent()
        return True

    @property
    def image_hint(self) -> tuple[str, tuple[tuple[str, str], ...]]:
        """A sentence when the model can't see images, and models that can: their names and paths."""
        current = self._models.current
        if self._models.sees is not False or current is None:
            return "", ()
        if self._models.remote is not None:
            return tr("{model} can't see images.", model=self._models.remote.name), ()
        hint = tr("{model} can't see images.", model=current.name)
        return hint, tuple((item.name, item.path) for item in self._models.seeing[:2])

    def use_model(self, path: str) -> None:
        """Answer with this model from now on."""
        self._models.choose(path)

    def regenerate(self, message_id: int) -> None:
        """Answer the same question again; the answer before stays as a branch."""
        row = self.transcript.row_of(message_id)
        if row is None or row == 0 or not (self.can_send and self.is_whole):
            return
        self._begin(self._ask(answer_to=self.transcript.entries[row - 1].message_id))

    def _answer_here(self, message_id: int, instead_of: tuple[str, str]) -> bool:
        """Answer the question of a failed answer with the model on this device, once."""
        row = self.transcript.row_of(message_id)
        if row is None or row == 0 or not (self.can_send and self.is_whole):
            return False
        ask = self._ask(answer_to=self.transcript.entries[row - 1].message_id)
        self._start(replace(ask, instead_of=instead_of), None)
        return True

    def edit(self, message_id: int, text: str) -> None:
        """Ask differently from this question on; what was there stays as a branch."""
        row = self.transcript.row_of(message_id)
        if row is None or not text.strip() or not (self.can_send and self.is_whole):
            return
        parent = self.transcript.entries[row - 1].message_id if row else None
        images = self.transcript.entries[row].images
        conversation_id = self._conversations.current_id
        ask = self._ask(text=text, conversation_id=conversation_id, parent_id=parent, attached=images)
        self._begin(ask, lambda: self.edit_returned.emit(message_id, text))

    def show_branch(self, message_id: int, branch: int) -> None:
        """Show alternative number `branch` (from 1) of this message and what follows it."""
        if self.can_send and self.is_whole:
            self._run(self._store.switch_branch(message_id, branch), lambda _: self._open_current())

    def stop(self) -> None:
        """Stop the answer. What there is of it stays."""
        if self._live is not None and self._live.job is not None:
            self._live.job.cancel()
            self._set_state(ChatState.STOPPING)

    def _show_label(self) -> None:
        self._models.keep_here(self.leaving.stays)
        self._conversations.show_label(self.leaving.conversation_id, self.leaving.stays)

    def _stop_what_leaves(self) -> None:
        """The conversation was labelled while a model elsewhere answers: nothing more of it goes there."""
        live = self._live
        if (
            live is not None
            and live.provider
            and live.conversation_id in (None, self._conversations.current_id)
        ):
            self.stop()

    def set_draft(self, text: str) -> None:
        if text != self.draft:
            self.draft = text
            self._save_draft.start()
            self.draft_changed.emit()

    @property
    def answers_here(self) -> bool:
        """Whether a model on this device is answering now."""
        return self._live is not None and not self._live.provider

    @property
    def ahead(self) -> str:
        """Where what is being written goes, and about what that costs; "" when the model on this device answers."""
        remote, models = self._models.remote, self._models.elsewhere.models
        if remote is None or models is None:
            return ""
        images = len(self.images.draft)
        if not self.draft.strip() and not images:
            return models.ahead(remote, 0, 0)
        before = self.transcript.entries
        characters = len(self.draft) + sum(len(entry.text) for entry in before)
        return models.ahead(remote, characters, images + sum(len(entry.images) for entry in before))

    def last_answer(self) -> str:
        """The Markdown of the newest answer; empty when there is none."""
        answers = (entry.text for entry in reversed(self.transcript.entries) if entry.role == "assistant")
        return next(answers, "")

    def conversation_as_markdown(self) -> str:
        names = {"user": tr("You"), "assistant": tr("Answer")}
        return "\n\n".join(
            f"**{names.get(entry.role, entry.role)}**\n\n{entry.text}" for entry in self.transcript.entries
        )

    # ---- opening a conversation

    def open_at(self, conversation_id: int, message_id: int) -> None:
        """Open a conversation at one of its messages, if that is on the branch that is shown."""
        self._wanted = (conversation_id, message_id)
        self._conversations.open(conversation_id)
        self._reveal()

    def _reveal(self) -> None:
        if self._wanted is None or self._wanted[0] != self._on_screen:
            return
        row = self.transcript.row_of(self._wanted[1])
        if row is not None or self._older_are_read:
            self._wanted = None
        if row is not None:
            self.revealed.emit(row)

    def _open_current(self) -> None:
        if self._opening is not None:
            self._opening.cancel()
        if self._shown_once:
            self.store_draft()
        conversation_id = self._conversations.current_id
        if self._shown_once and self._draft_of != conversation_id:
            self.images.show_draft(conversation_id, ())
        self._draft_of = conversation_id
        if conversation_id is None:  # there is nothing to read: the next question must not wait
            self._on_screen = None
            self.answering.show(None, {})
            self.leaving.show(None, {})
            self._older_are_read = True
            self.transcript.reset([])
        if self.state is ChatState.IDLE:
            self._answer_progress = AnswerProgress()
            self._show_progress()
        self._opening = self._run(self._read(conversation_id), self._show)

    async def _read(self, conversation_id: int | None) -> _Read:
        from desktop.viewmodels.entries import entry_of
        from desktop.viewmodels.images import draft_of

        messages = [] if conversation_id is None else await self._store.newest(conversation_id, _FIRST)
        draft = await self._store.get_draft(conversation_id)
        images = draft_of(await self._store.draft_attachments(conversation_id))
        try:
            chosen = (
                {} if conversation_id is None else await self._store.conversation_options(conversation_id)
            )
        except LookupError:  # it was deleted meanwhile
            chosen = {}
        return conversation_id, [entry_of(message) for message in messages], draft, images, chosen

    def _show(self, read: _Read) -> None:
        conversation_id, entries, draft, images, chosen = read
        if conversation_id != self._conversations.current_id:
            return
        self._on_screen = conversation_id
        self.images.show_draft(conversation_id, images)
        if conversation_id is not None:
            self.answering.show(conversation_id, chosen)
            self.leaving.show(conversation_id, chosen)
        self._older_are_read = len(entries) < _FIRST
        self.transcript.reset(self._as_it_is_now(entries))
        if conversation_id is not None and not self._older_are_read:
            QTimer.singleShot(_AFTER_A_FRAME_MS, partial(self._read_older, conversation_id))
        self._reveal()
        self.state_changed.emit()  # from now on something can be sent
        typed_before_it_was_read = self.draft and not self._shown_once
        self._shown_once = True
        if not typed_before_it_was_read:
            self._replace_draft(draft)

    def _read_older(self, conversation_id: int) -> None:
        if conversation_id == self._on_screen and not self._older_are_read:
            self._opening = self._run(self._read_all(conversation_id), self._show_older)

    async def _read_all(self, conversation_id: int) -> tuple[int, list[Entry]]:
        from desktop.viewmodels.entries import entry_of

        return conversation_id, [entry_of(message) for message in await self._store.path(conversation_id)]

    def _show_older(self, read: tuple[int, list[Entry]]) -> None:
        conversation_id, entries = read
        if conversation_id != self._conversations.current_id:
            return
        self._older_are_read = True
        first = self.transcript.entries[0].message_id
        older = list(takewhile(lambda entry: entry.message_id != first, entries))
        if len(older) < len(entries):
            self.transcript.prepend(older)
        else:  # another window or program has shown another branch meanwhile
            self.transcript.reset(self._as_it_is_now(entries))
        self._reveal()

    def _as_it_is_now(self, entries: list[Entry]) -> list[Entry]:
        """What was read, with the answers that are further in memory than on disk."""
        newer = dict(self._only_here)
        if self._live is not None and self._live.entry is not None:
            newer[self._live.entry.message_id] = self._live.entry
        return [newer.get(entry.message_id, entry) for entry in entries]

    def _replace_draft(self, draft: str) -> None:
        self.draft = draft
        self.draft_replaced.emit()

    def store_draft(self) -> None:
        """Write the draft now, and what was chosen for the conversation, if they wait to be written."""
        self.answering.flush()
        if self._save_draft.isActive():
            self._save_draft.stop()
            self._write_draft()

    def _write_draft(self) -> None:
        self._run(self._store.set_draft(self._draft_of, self.draft))

    # ---- an answer

    def _ask(
        self,
        text: str = "",
        conversation_id: int | None = None,
        parent_id: int | None = None,
        answer_to: int | None = None,
        attached: tuple[int, ...] = (),
    ) -> Ask:
        from desktop.chat.turns import Ask
        from models.runtime.values import Effort

        constraint, adapters = self.answering.request()
        return Ask(
            system_prompt=self._settings.get("chat.system_prompt"),
            sampling=self._settings.sampling(),
            max_tokens=self._settings.get("sampling.max_tokens"),
            conversation_id=conversation_id,
            parent_id=parent_id,
            text=text,
            answer_to=answer_to,
            attached=attached,
            constraint=constraint,
            adapters=adapters,
            effort=Effort(self.effort.chosen),
            stays=self.leaving.stays and conversation_id is None and answer_to is None,
        )

    def _begin(self, ask: Ask, give_back: Callable[[], None] | None = None) -> None:
        """Answer, once the person has agreed to what leaves this device for it, if anything does.

        `give_back`: what puts the words back where they were written, when they do not; the composer by itself.
        """
        remote = self._models.remote
        if remote is None or not self.leaving.must_ask(remote):
            self._start(ask, remote)
            return
        agreed = replace(ask, agreed_to=remote.provider)
        self.leaving.ask(
            ask,
            remote,
            send=lambda: self._start(agreed, remote),
            here=lambda: self._start(ask, None),
            back=give_back or (lambda: self._give_back(ask)),
        )
        self.state_changed.emit()

    def _start(self, ask: Ask, remote: RemoteChoice | None) -> None:
        self._save_draft.stop()
        self.draft = ""
        live = self._live = _Live(ask, remote.provider if remote is not None else "")
        self._answer_progress = AnswerProgress()
        self._set_state(ChatState.READING)
        live.job = self._bridge.submit(self._turn(ask, remote), self._turn_over, self._not_accepted)

    async def _turn(self, ask: Ask, remote: RemoteChoice | None) -> None:
        provider = await self._models.provider(remote)
        if provider is not None:
            await self._session.run_turn(ask, provider, lambda event: self._bridge.deliver(self._take, event))

    def _turn_over(self, _: None) -> None:
        """The turn's task has ended; when there was no model to ask, nothing was stored."""
        if self._live is not None and self._live.entry is None:
            self._give_back(self._live.ask)
            self.notice.emit(Notice(tr("There is no model to answer. Open a model file first.")))
        self._live = None
        self._set_state(ChatState.IDLE)
        over, self._over = self._over, None
        if over is not None and over.provider:
            self.answered_elsewhere.emit(over.provider)
            self._failing_over.over(over)

    def _not_accepted(self, error: Exception) -> None:
        accepted = self._live is not None and self._live.entry is not None
        if isinstance(error, StoreFault) and not accepted:
            assert self._live is not None
            self._give_back(self._live.ask)
            self.notice.emit(Notice.of(store_fault(error)))
        self._live = None
        self._set_state(ChatState.IDLE)
        if not isinstance(error, StoreFault):
            raise error

    def _give_back(self, ask: Ask) -> None:
        """The question was not stored: back into the composer with it."""
        if ask.text:
            self._replace_draft(ask.text)
        if ask.attached:
            self.images.read_again()
        self.state_changed.emit()

    def _take(self, event: SessionEvent) -> None:
        from desktop.chat.turns import Ended, NotStored, Started
        from providers.events import (
            Billed,
            Finished,
            Limits,
            LoadProgress,
            ModelReady,
            PromptProgress,
            ReasoningDelta,
            ReasoningRecord,
            TextDelta,
            ToolCall,
            Usage,
            Waiting,
        )

        self._answer_progress.take(event)
        match event:
            case Started():
                self._started(event)
            case TextDelta(text):
                self._add(text, "")
                self._set_state(ChatState.ANSWERING)
            case ReasoningDelta(text):
                self._add("", text)
                self._set_state(ChatState.ANSWERING)
            case LoadProgress() | ModelReady():
                self._models.take(event)
                self._set_state(ChatState.LOADING if isinstance(event, LoadProgress) else ChatState.READING)
            case PromptProgress():
                self._set_state(ChatState.READING)
            case NotStored(fault):
                self.notice.emit(Notice.of(store_fault(fault)))
            case Ended(answer, stored):
                self._ended(answer, stored)
            case Usage() | Billed() | Finished() | ToolCall():
                pass
            case Limits():
                if self._live is not None and self._models.elsewhere.models is not None:
                    self._models.elsewhere.models.take_limits(self._live.provider, event)
            case ReasoningRecord() | Waiting():
                pass
            case _:
                assert_never(event)

    def _started(self, event: Started) -> None:
        from desktop.viewmodels.entries import entry_of

        live = self._live
        if live is None:
            return
        asked_here = (
            live.ask.conversation_id == self._conversations.current_id or live.ask.answer_to is not None
        )
        live.conversation_id = event.conversation.id
        live.question = entry_of(event.question)
        live.entry = entry_of(event.answer)
        if asked_here:
            self.leaving.follow(event.conversation.id, live.ask.agreed_to, live.ask.stays)
        if live.ask.conversation_id is None and live.ask.answer_to is None and asked_here:
            self._draft_of = self._on_screen = event.conversation.id
            self.images.follow(event.conversation.id)
            self.answering.follow(event.conversation.id)
            self._conversations.became(event.conversation)
            if self.effort.chosen:
                self.effort.became(event.conversation.id)
        self._conversations.refresh()
        if event.conversation.id == self._conversations.current_id:
            self._put_on_screen(live.question, live.entry)

    def _put_on_screen(self, question: Entry, answer: Entry) -> None:
        """Question and answer take the place of what followed their common parent."""
        entries = self.transcript.entries
        row = self.transcript.row_of(question.message_id)
        if row is not None:
            keep = row + 1
        elif self._live is not None and self._live.ask.parent_id is not None:
            parent_row = self.transcript.row_of(self._live.ask.parent_id)
            keep = len(entries) if parent_row is None else parent_row + 1
        else:
            keep = 0
        if keep < len(entries):
            self.transcript.truncate(keep)
        if row is None:
            self.transcript.append(question)
        self.transcript.append(answer)

    def _add(self, text: str, reasoning: str) -> None:
        live = self._live
        if live is None or live.entry is None:
            return
        row = self._live_row()
        if row is None:
            live.entry = replace(
                live.entry, text=live.entry.text + text, reasoning=live.entry.reasoning + reasoning
            )
            return
        if reasoning:
            self.transcript.add_reasoning(row, reasoning)
        if text:
            self.transcript.add_text(row, text)
        live.entry = self.transcript.entries[row]

    def _live_row(self) -> int | None:
        """Where the answer under way stands on screen, if it does."""
        live = self._live
        if live is None or live.entry is None or live.conversation_id != self._conversations.current_id:
            return None
        return self.transcript.row_of(live.entry.message_id)

    def _ended(self, answer: Message, stored: bool) -> None:
        from desktop.viewmodels.entries import entry_of

        entry = entry_of(answer)
        if not stored:
            self._only_here[answer.id] = entry
        row = self._live_row()
        if row is not None:
            self.transcript.replace(row, entry)
        self._show_progress()
        self._conversations.refresh()
        self._over = answer

    # ---- state

    def _set_state(self, state: ChatState) -> None:
        if state is ChatState.ANSWERING and self.state is ChatState.STOPPING:
            return
        if state is self.state:
            return
        self.state = state
        if state is ChatState.IDLE:
            self._calm.stop()
        else:
            self._calm.start()
        self._show_progress()

    def _show_progress(self) -> None:
        self.progress = self._answer_progress.fraction if self.state is not ChatState.IDLE else None
        self.status_text = self._answer_progress.words(time.monotonic())
        if self.state is ChatState.STOPPING:
            self.status_text = tr("Stopping…")
        self.state_changed.emit()

    def _run(self, work: Coroutine[Any, Any, Any], then: Any = None) -> Job:
        return self._bridge.submit(work, then, self._store_failed)

    def _store_failed(self, error: Exception) -> None:
        if not isinstance(error, StoreFault):
            raise error
        self.notice.emit(Notice.of(store_fault(error)))
