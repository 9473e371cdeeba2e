"""One turn, from a stored question to a stored answer. Runs on core; knows no Qt and no kind of model.

The order is the promise: the question and an empty answer are on disk before the model is asked; while the
answer streams it is written at least every second; its end is written once. If the disk refuses, the answer
goes on in memory and is offered to the disk again until it is taken.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import aclosing
from dataclasses import replace

from desktop.chat import leaving
from desktop.chat.context import images_of, turns_for
from desktop.chat.reply import Reply
from desktop.chat.turns import Ask, Emit, Ended, NotStored, Started
from desktop.store.faults import StoreFault
from desktop.store.records import Message
from desktop.store.store import Store
from models.runtime.faults import Fault
from providers.base import ChatRequest, Provider
from providers.errors import ProviderError

log = logging.getLogger(__name__)

SAVE_EVERY = 0.5
"""Seconds between two writes of a streaming answer. Half of what is promised, so that a slow disk still keeps it."""
RETRY_EVERY = 3.0
"""Seconds between two attempts to store an answer that the disk refused."""


class Session:
    """Runs turns against one store. Several may run at once, in different conversations."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._left: dict[int, Message] = {}
        self._retrying: asyncio.Task[None] | None = None
        self._turns: set[asyncio.Task[object]] = set()

    async def run_turn(self, ask: Ask, provider: Provider, emit: Emit) -> None:
        """Store, ask, stream, store. Raises `StoreFault` only before `Started`: then nothing was accepted.

        Cancelling the task stops the answer and keeps what there is of it; the task then ends normally.
        """
        started = await self._begin(ask, provider.name, provider.origin)
        emit(started)
        try:
            await self._note_choices(ask, started)
        except StoreFault as fault:  # what is not kept was not agreed to: then nothing leaves
            emit(NotStored(fault))
        turn = asyncio.current_task()
        if turn is not None:
            self._turns.add(turn)
        reply = Reply(_because(started.answer, ask))
        saving = asyncio.create_task(self._save_while_streaming(reply, emit))
        try:
            path = await self._store.path_to(started.question.id)
            turns = turns_for(path, ask.system_prompt, await images_of(self._store, path))
            request = ChatRequest(
                turns,
                ask.sampling,
                ask.max_tokens,
                ask.constraint,
                ask.adapters,
                effort=ask.effort,
                conversation=str(started.conversation.id),
                may_leave=provider.origin != "" and await self._may_leave(started, provider.origin),
            )
            async with aclosing(provider.stream(request)) as events:
                async for event in events:
                    reply.take(event)
                    emit(event)
        except asyncio.CancelledError:
            reply.stop()
        except ProviderError as error:
            log.info("the answer failed: %s", error.kind.value)
            reply.fail(error)
        finally:
            saving.cancel()
            if not reply.ended:  # a mistake of ours is on its way up: the answer is kept all the same
                reply.fail(ProviderError(Fault.GENERATION_FAILED, "a mistake in Alcove ended this answer"))
            await asyncio.shield(self._finish(reply.message(), emit))
            if turn is not None:
                self._turns.discard(turn)

    async def _begin(self, ask: Ask, model: str, origin: str) -> Started:
        if ask.answer_to is not None:
            return Started(*await self._store.add_reply(ask.answer_to, model, origin))
        return Started(
            *await self._store.add_turn(
                ask.conversation_id, ask.parent_id, ask.text, model, ask.attached, origin
            )
        )

    async def _note_choices(self, ask: Ask, started: Started) -> None:
        """What the person has just said of this conversation, before anything of it can leave."""
        conversation_id = started.conversation.id
        if ask.stays:
            await self._store.set_conversation_option(conversation_id, leaving.STAYS, True)
        if ask.agreed_to:
            options = await self._store.conversation_options(conversation_id)
            to = [*sorted(leaving.agreed(options) | {ask.agreed_to})]
            await self._store.set_conversation_option(conversation_id, leaving.LEAVES_TO, list(to))

    async def _may_leave(self, started: Started, origin: str) -> bool:
        """Whether this conversation may go to a provider: asked of the store at the last moment, every time."""
        options = await self._store.conversation_options(started.conversation.id)
        return leaving.may_leave(options, origin)

    async def _save_while_streaming(self, reply: Reply, emit: Emit) -> None:
        refused = False
        while True:
            await asyncio.sleep(SAVE_EVERY)
            if not reply.changed:
                continue
            try:
                await self._store.save_progress(reply.message())
                refused = False
            except StoreFault as fault:
                reply.changed = True
                if not refused:
                    refused = True
                    emit(NotStored(fault))

    async def _finish(self, answer: Message, emit: Emit) -> None:
        try:
            await self._store.finish(answer)
        except StoreFault as fault:
            self._left[answer.id] = answer
            if self._retrying is None or self._retrying.done():
                self._retrying = asyncio.create_task(self._retry())
            emit(NotStored(fault))
            emit(Ended(answer, stored=False))
        else:
            emit(Ended(answer, stored=True))

    async def _retry(self) -> None:
        while not await self.store_what_is_left():
            await asyncio.sleep(RETRY_EVERY)

    async def close(self) -> None:
        """Stop the answers under way, and wait until what there is of them is stored."""
        turns = list(self._turns)
        for turn in turns:
            turn.cancel()
        await asyncio.gather(*turns, return_exceptions=True)
        if self._retrying is not None:
            self._retrying.cancel()
        await self.store_what_is_left()

    async def store_what_is_left(self) -> bool:
        """Offer the answers that the disk refused once more. True when none is left."""
        for message_id, answer in list(self._left.items()):
            try:
                await self._store.finish(answer)
            except StoreFault:
                return False
            self._left.pop(message_id, None)  # another attempt may have been faster
        return True


def _because(answer: Message, ask: Ask) -> Message:
    """The answer with why this model gives it, where another was asked first."""
    if ask.instead_of is None:
        return answer
    provider, fault = ask.instead_of
    return replace(answer, fault_facts={"instead_of": provider, "because": fault})
