"""The store as the rest of Alcove sees it: one class, typed, for asyncio.

Everything runs on one thread that owns the one connection, in the order in which it was asked for. When a
write returns, it is on the disk. A write that was asked for happens, even if the asking task is cancelled.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

from desktop.store import attachments, conversations, drafts, messages, search
from desktop.store.database import Database
from desktop.store.faults import StoreFault
from desktop.store.records import (
    Attachment,
    Conversation,
    Examination,
    Message,
    NewAttachment,
    OpeningNotice,
    Option,
    SearchHit,
)

P = ParamSpec("P")
T = TypeVar("T")


class Store:
    """Conversations on disk.

    Every method may raise `StoreFault`: the environment refused, and nothing was changed. LookupError is for
    ids that do not exist: a mistake of the caller.
    """

    def __init__(self, path: Path) -> None:
        """Touches nothing yet: see `open`."""
        self._path = path
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="store")
        self._opened: Database | None = None
        self._fault: StoreFault | None = None  # why it could not be opened
        self._closed = False

    @staticmethod
    async def examine(path: Path) -> Examination:
        """Count and check what is in a file, open elsewhere or not, without changing it. Slow for a large one."""

        def in_thread() -> Examination:
            database = Database(path, read_only=True)
            try:
                return database.examine()
            finally:
                database.close()

        return await asyncio.to_thread(in_thread)

    async def open(self, *, repair: bool = False) -> None:
        """Open the file or create it, with its folder. What is asked for meanwhile waits for it.

        May be tried again after a StoreFault; until it succeeds, every other method raises that fault.

        `repair`: a damaged file may be set aside and a new one begun, which only the process that holds the
        single-instance lock may do. Without it a damaged file is StoreFault(CORRUPT).
        """

        def in_thread() -> None:
            try:
                self._opened = Database(self._path, repair=repair)
            except StoreFault as fault:
                self._fault = fault
                raise

        await self._submit(in_thread)

    @property
    def writable(self) -> bool:
        """False: everything can be read, every write raises StoreFault(READ_ONLY)."""
        return self._database.writable

    @property
    def opening_notice(self) -> OpeningNotice | None:
        """What a person must be told about the opening; None when all was well."""
        return self._database.notice

    async def close(self) -> None:
        """Finish every write that was asked for, tidy the file and close it. Harmless when it is not open."""
        if not self._closed:
            self._closed = True
            closing = self._submit(lambda: self._opened.close() if self._opened else None)
            self._thread.shutdown(wait=False)
            await asyncio.shield(closing)

    # ---- conversations

    async def conversations(self) -> list[Conversation]:
        """All that are not in the trash; the one with the newest message first."""
        return await self._read(conversations.conversations)

    async def trashed_conversations(self) -> list[Conversation]:
        """The trash, trashed last first."""
        return await self._read(conversations.trashed_conversations)

    async def conversation(self, conversation_id: int) -> Conversation:
        return await self._read(conversations.conversation, conversation_id)

    async def rename(self, conversation_id: int, title: str) -> Conversation:
        return await self._write(conversations.rename, conversation_id, title)

    async def trash(self, conversation_id: int) -> Conversation:
        """Put it into the trash. Nothing of it is deleted."""
        return await self._write(conversations.trash, conversation_id)

    async def restore(self, conversation_id: int) -> Conversation:
        """Take it out of the trash, to where it was in the list."""
        return await self._write(conversations.restore, conversation_id)

    async def purge_trash(self, trashed_before: float) -> int:
        """Delete for good what was trashed before this time (seconds since 1970, UTC). Returns how many."""
        return await self._write(conversations.purge_trash, trashed_before)

    async def conversation_options(self, conversation_id: int) -> dict[str, Option]:
        """What was chosen for this conversation alone, by name; empty when nothing was."""
        return await self._read(conversations.options, conversation_id)

    async def set_conversation_option(self, conversation_id: int, name: str, value: Option) -> None:
        """Choose one thing for this conversation, and leave the others; None takes the choice back."""
        await self._write(conversations.set_option, conversation_id, name, value)

    # ---- messages

    async def add_turn(
        self,
        conversation_id: int | None,
        parent_id: int | None,
        text: str,
        model: str,
        attached: Sequence[NewAttachment | int] = (),
        provider: str = "",
    ) -> tuple[Conversation, Message, Message]:
        """Store a question and an empty, streaming answer to it at once; both are shown from now on.

        `conversation_id` None begins a conversation, titled with the question's first words. `parent_id` is
        the answer it follows; None for a first question. To ask a question differently, give the parent of
        the old one. When it follows what is shown, the conversation's draft goes. `attached` goes with the
        question: new, or copies of attachments that are there (their ids). `provider`: where `model` is, "" for
        this device.
        """
        return await self._write(
            messages.add_turn, conversation_id, parent_id, text, model, attached, provider
        )

    async def add_reply(
        self, question_id: int, model: str, provider: str = ""
    ) -> tuple[Conversation, Message, Message]:
        """Store one more empty, streaming answer to a question; it is shown from now on."""
        return await self._write(messages.add_reply, question_id, model, provider)

    async def save_progress(self, answer: Message) -> None:
        """Store text and reasoning of a streaming answer, as far as they have come."""
        await self._write(messages.save_progress, answer)

    async def finish(self, answer: Message) -> None:
        """Store an answer's end: texts, status, fault, counts and times. May be repeated."""
        await self._write(messages.finish, answer)

    async def mark_interrupted(self) -> int:
        """Answers left streaming by a process that died become INTERRUPTED. Returns how many.

        Only for the process that holds the single-instance lock, before its own first answer. Does nothing
        where nothing can be written.
        """
        return await self._write(messages.mark_interrupted) if self.writable else 0

    async def message(self, message_id: int) -> Message:
        return await self._read(messages.message, message_id)

    async def path(self, conversation_id: int) -> list[Message]:
        """The branch that is shown, from its first question on."""
        return await self._read(messages.path, conversation_id)

    async def newest(self, conversation_id: int, count: int) -> list[Message]:
        """The last messages of `path`, at most `count`: as fast in a long conversation as in a short one."""
        return await self._read(messages.newest, conversation_id, count)

    async def path_to(self, message_id: int) -> list[Message]:
        """From the first question down to this message, itself included."""
        return await self._read(messages.path_to, message_id)

    async def switch_branch(self, message_id: int, branch: int) -> Conversation:
        """Show alternative number `branch` (from 1) of this message, down to the newest message below it."""
        return await self._write(messages.switch_branch, message_id, branch)

    async def search(self, query: str, limit: int = 50) -> list[SearchHit]:
        """Titles, then messages, that hold every word of `query`. Any text is a valid query."""
        return await self._read(search.search, query, limit)

    # ---- drafts

    async def get_draft(self, conversation_id: int | None) -> str:
        """What was typed and not sent; None for the conversation that does not exist yet."""
        return await self._read(drafts.get_draft, conversation_id)

    async def set_draft(self, conversation_id: int | None, text: str) -> None:
        await self._write(drafts.set_draft, conversation_id, text)

    # ---- attachments

    async def attachment(self, attachment_id: int) -> Attachment:
        """One attachment, with its content."""
        return await self._read(attachments.attachment, attachment_id)

    async def draft_attachments(self, conversation_id: int | None) -> list[Attachment]:
        """What was added and not sent, in its order; None for the conversation that does not exist yet."""
        return await self._read(attachments.draft_attachments, conversation_id)

    async def set_draft_attachments(
        self, conversation_id: int | None, attached: Sequence[NewAttachment | int]
    ) -> tuple[int, ...]:
        """Keep what is added and not sent: new, or ids of what is kept already. Returns the ids, in order."""
        return await self._write(attachments.set_draft_attachments, conversation_id, attached)

    # ---- the thread

    @property
    def _database(self) -> Database:
        if self._opened is None:
            raise self._fault or RuntimeError("the store is not open")
        return self._opened

    async def _read(
        self, function: Callable[Concatenate[sqlite3.Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        return await self._submit(lambda: self._database.read(function, *args, **kwargs))

    async def _write(
        self, function: Callable[Concatenate[sqlite3.Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        # Shielded: a job that waits for its turn would otherwise be dropped with the task that awaits it.
        return await asyncio.shield(self._submit(lambda: self._database.write(function, *args, **kwargs)))

    def _submit(self, job: Callable[[], T]) -> asyncio.Future[T]:
        return asyncio.get_running_loop().run_in_executor(self._thread, job)
