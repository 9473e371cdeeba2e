"""One turn, from a stored question to a stored answer: real store, the echo provider, a real disk that fills up."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from support.loops import in_a_loop
from support.session_kills import kill_many
from support.store_files import small_disk

from desktop.chat.session import Session
from desktop.chat.turns import Ask, Ended, NotStored, SessionEvent, Started
from desktop.store.records import Status
from desktop.store.store import Store
from models.runtime.faults import Fault
from providers.base import ChatRequest
from providers.echo import Echo
from providers.errors import ProviderError
from providers.events import Event, TextDelta


@asynccontextmanager
async def opened(file: Path) -> AsyncGenerator[Store, None]:
    store = Store(file)
    await store.open()
    try:
        yield store
    finally:
        await store.close()


class Failing(Echo):
    """A model that stops in the middle of its answer."""

    async def stream(self, request: ChatRequest) -> AsyncGenerator[Event, None]:
        yield TextDelta("Half an")
        raise ProviderError(Fault.WORKER_STOPPED, "signal 9", {"signal": "SIGKILL"})


class Wrong(Echo):
    """A model with a mistake in its code."""

    async def stream(self, request: ChatRequest) -> AsyncGenerator[Event, None]:
        yield TextDelta("Half an")
        raise ZeroDivisionError


def until(events: list[SessionEvent], kind: type) -> Callable[[], bool]:
    return lambda: any(isinstance(event, kind) for event in events)


async def wait_for(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.01)


@in_a_loop
async def test_question_and_empty_answer_are_on_disk_before_the_model_is_asked(tmp_path: Path) -> None:
    async with opened(tmp_path / "c.db") as store:
        seen: list[list[tuple[str, str]]] = []

        class Looking(Echo):
            async def stream(self, request: ChatRequest) -> AsyncGenerator[Event, None]:
                async with opened(tmp_path / "c.db") as other:
                    (conversation,) = await other.conversations()
                    seen.append([(m.text, m.status.value) for m in await other.path(conversation.id)])
                async for event in super().stream(request):
                    yield event

        await Session(store).run_turn(Ask(text="Hello"), Looking(), lambda _: None)
        assert seen == [[("Hello", "complete"), ("", "streaming")]]


@in_a_loop
async def test_a_finished_answer_is_stored_whole_with_its_counts(tmp_path: Path) -> None:
    async with opened(tmp_path / "c.db") as store:
        events: list[SessionEvent] = []
        await Session(store).run_turn(Ask(text="one two three"), Echo(), events.append)
        assert isinstance(events[0], Started)
        ended = events[-1]
        assert isinstance(ended, Ended) and ended.stored
        question, answer = await store.path(events[0].conversation.id)
        assert (question.text, answer.text, answer.status) == (
            "one two three",
            "one two three",
            Status.COMPLETE,
        )
        assert (answer.model, answer.generated_tokens) == ("Echo", 3)


@in_a_loop
async def test_a_long_answer_is_on_disk_while_it_still_streams(tmp_path: Path) -> None:
    async with opened(tmp_path / "c.db") as store:
        session, events = Session(store), list[SessionEvent]()
        turn = asyncio.create_task(
            session.run_turn(Ask(text="word"), Echo(tokens_per_second=100, length=100_000), events.append)
        )
        await wait_for(until(events, TextDelta))
        started = events[0]
        assert isinstance(started, Started)
        async with asyncio.timeout(30):
            while not (await store.message(started.answer.id)).text:
                await asyncio.sleep(0.02)
        assert (await store.message(started.answer.id)).status is Status.STREAMING
        turn.cancel()
        await turn
        stopped = await store.message(started.answer.id)
        assert stopped.status is Status.STOPPED
        assert len(stopped.text) >= len("word word")


@in_a_loop
async def test_closing_stops_what_runs_and_keeps_it(tmp_path: Path) -> None:
    async with opened(tmp_path / "c.db") as store:
        session, events = Session(store), list[SessionEvent]()
        turn = asyncio.create_task(
            session.run_turn(Ask(text="word"), Echo(tokens_per_second=100, length=100_000), events.append)
        )
        await wait_for(until(events, TextDelta))
        await session.close()
        assert turn.done()
        ended = events[-1]
        assert isinstance(ended, Ended) and ended.stored and ended.answer.status is Status.STOPPED


@in_a_loop
async def test_a_model_that_fails_leaves_its_words_and_the_reason(tmp_path: Path) -> None:
    async with opened(tmp_path / "c.db") as store:
        events: list[SessionEvent] = []
        await Session(store).run_turn(Ask(text="Hello"), Failing(), events.append)
        ended = events[-1]
        assert isinstance(ended, Ended)
        stored = await store.message(ended.answer.id)
        assert (stored.text, stored.status, stored.fault) == ("Half an", Status.FAILED, "worker_stopped")
        assert stored.fault_facts == {"signal": "SIGKILL"}


@in_a_loop
async def test_a_mistake_in_the_program_is_reported_and_still_keeps_the_words(tmp_path: Path) -> None:
    async with opened(tmp_path / "c.db") as store:
        events: list[SessionEvent] = []
        with pytest.raises(ZeroDivisionError):
            await Session(store).run_turn(Ask(text="Hello"), Wrong(), events.append)
        ended = events[-1]
        assert isinstance(ended, Ended)
        assert (await store.message(ended.answer.id)).text == "Half an"


@in_a_loop
async def test_a_new_answer_to_the_same_question_becomes_a_branch(tmp_path: Path) -> None:
    async with opened(tmp_path / "c.db") as store:
        session, events = Session(store), list[SessionEvent]()
        await session.run_turn(Ask(text="Hello"), Echo(), events.append)
        first = events[0]
        assert isinstance(first, Started)
        await session.run_turn(Ask(answer_to=first.question.id), Echo(markdown=True), events.append)
        _, shown = await store.path(first.conversation.id)
        assert (shown.branch, shown.branches) == (2, 2)
        assert (await store.message(first.answer.id)).text == "Hello"


def test_what_the_disk_refuses_goes_on_in_memory_and_is_stored_when_there_is_room(tmp_path: Path) -> None:
    with small_disk(tmp_path, kilobytes=3000) as mounted:
        if not mounted:
            pytest.skip("only root may mount a small disk")
        asyncio.run(_answer_on_a_full_disk(tmp_path))


async def _answer_on_a_full_disk(disk: Path) -> None:
    async with opened(disk / "c.db") as store:
        session, events = Session(store), list[SessionEvent]()
        await session.run_turn(Ask(text="first"), Echo(), events.append)
        long = "x" * 400_000 + " end"
        filler = disk / "filler"

        class Filling(Echo):
            async def stream(self, request: ChatRequest) -> AsyncGenerator[Event, None]:
                fill(filler)
                yield TextDelta(long)

        await session.run_turn(Ask(text="second"), Filling(), events.append)
        ended = events[-1]
        assert isinstance(ended, Ended) and not ended.stored and ended.answer.text == long
        assert any(isinstance(event, NotStored) for event in events)
        filler.unlink()
        assert await session.store_what_is_left()
        assert (await store.message(ended.answer.id)).text == long
        await session.close()


def fill(file: Path) -> None:
    """Leave no room on the disk that this file is on."""
    with open(file, "wb", buffering=0) as rest:
        try:
            while True:
                rest.write(b"\0" * 65536)
        except OSError:
            pass


@pytest.mark.timeout(180)
def test_killed_at_random_moments_no_question_is_lost_and_at_most_the_last_second_of_an_answer(
    tmp_path: Path,
) -> None:
    survived = kill_many(tmp_path, kills=12, seed=1)
    assert survived.kills == 12
    assert survived.questions >= 12
    assert (survived.lost_questions, survived.unclean) == (0, 0)
    assert survived.latest_loss < 1.0
