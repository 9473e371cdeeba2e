"""The store as the window uses it: turns, drafts, titles, the trash, and tasks that are cancelled."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.store_files import ended, integrity, texts

from desktop.store import conversations, messages
from desktop.store.conversations import title_from
from desktop.store.database import Database
from desktop.store.records import Status
from desktop.store.store import Store


def with_store(path: Path, work: Callable[[Store], Awaitable[None]]) -> None:
    async def run() -> None:
        store = Store(path)
        await store.open()
        try:
            await work(store)
        finally:
            await store.close()

    asyncio.run(run())


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "conversations.db"


def test_a_first_question_makes_a_conversation_with_its_answer_under_way(path: Path) -> None:
    async def work(store: Store) -> None:
        conversation, question, answer = await store.add_turn(None, None, "What is bread?", "SmolLM2")
        assert await store.conversations() == [conversation]
        assert await store.path(conversation.id) == [question, answer]
        assert (conversation.title, conversation.head_id) == ("What is bread?", answer.id)
        assert (question.role, question.status, question.model) == ("user", Status.COMPLETE, "")
        assert (answer.role, answer.status, answer.model) == ("assistant", Status.STREAMING, "SmolLM2")
        assert answer.finished_at is None
        assert await store.message(question.id) == question

    with_store(path, work)


def test_an_answer_keeps_everything_that_was_measured(path: Path) -> None:
    async def work(store: Store) -> None:
        conversation, _, answer = await store.add_turn(None, None, "Why?", "m")
        whole = replace(
            answer,
            text="Because.",
            reasoning="Let me think.",
            status=Status.FAILED,
            finished_at=1_700_000_000.25,
            fault="not_enough_memory",
            fault_detail="malloc",
            fault_facts={"need_bytes": 9_000_000_000, "name": "čerešňa"},
            prompt_tokens=1,
            reused_tokens=2,
            generated_tokens=3,
            context_tokens=4,
            omitted_turns=5,
            first_token_ms=0.1,
            prompt_ms=0.2,
            generate_ms=0.3,
            reasoning_ms=0.4,
            stop_reason="length",
        )
        await store.finish(whole)
        assert (await store.path(conversation.id))[-1] == whole
        assert await store.message(answer.id) == whole

    with_store(path, work)


def test_the_path_to_a_message_does_not_depend_on_what_is_shown(path: Path) -> None:
    async def work(store: Store) -> None:
        conversation, first, answer = await store.add_turn(None, None, "one", "m")
        await store.finish(ended(answer, "1"))
        _, second, _ = await store.add_turn(conversation.id, answer.id, "two", "m")
        await store.add_reply(first.id, "m")
        assert [message.id for message in await store.path_to(second.id)] == [first.id, answer.id, second.id]

    with_store(path, work)


def test_an_answer_left_by_a_dead_process_is_interrupted_and_keeps_its_text(path: Path) -> None:
    async def leave(store: Store) -> None:
        _, _, answer = await store.add_turn(None, None, "Tell me", "m")
        await store.save_progress(ended(answer, "Once upon", Status.STREAMING))

    async def find(store: Store) -> None:
        assert await store.mark_interrupted() == 1
        (conversation,) = await store.conversations()
        answer = (await store.path(conversation.id))[-1]
        assert (answer.text, answer.status, answer.finished_at) == ("Once upon", Status.INTERRUPTED, None)
        assert await store.mark_interrupted() == 0

    with_store(path, leave)
    with_store(path, find)


def test_an_answer_wrongly_taken_for_interrupted_goes_on(path: Path) -> None:
    async def work(store: Store) -> None:
        _, _, answer = await store.add_turn(None, None, "Tell me", "m")
        await store.mark_interrupted()
        await store.save_progress(ended(answer, "Once", Status.STREAMING))
        assert (await store.message(answer.id)).status is Status.STREAMING
        await store.finish(ended(answer, "Once upon a time"))
        with pytest.raises(LookupError):
            await store.save_progress(ended(answer, "Once", Status.STREAMING))
        assert (await store.message(answer.id)).text == "Once upon a time"

    with_store(path, work)


def test_drafts_survive_a_restart_and_go_when_they_are_sent(path: Path) -> None:
    async def write(store: Store) -> None:
        await store.set_draft(None, "not begun")
        conversation, _, answer = await store.add_turn(None, None, "sent", "m")
        assert await store.get_draft(None) == ""
        await store.finish(ended(answer, "an answer"))
        await store.set_draft(None, "the next one")
        await store.set_draft(conversation.id, "half a")
        await store.set_draft(conversation.id, "half a question")

    async def send(store: Store) -> None:
        (conversation,) = await store.conversations()
        assert await store.get_draft(conversation.id) == "half a question"
        assert await store.get_draft(None) == "the next one"
        await store.add_turn(conversation.id, conversation.head_id, "half a question", "m")
        assert await store.get_draft(conversation.id) == ""
        assert await store.get_draft(None) == "the next one"

    with_store(path, write)
    with_store(path, send)


def test_asking_an_old_question_differently_leaves_the_draft_alone(path: Path) -> None:
    async def work(store: Store) -> None:
        conversation, _, answer = await store.add_turn(None, None, "one", "m")
        await store.finish(ended(answer, "1"))
        await store.set_draft(conversation.id, "half a question")
        await store.add_turn(conversation.id, None, "one, differently", "m")
        assert await store.get_draft(conversation.id) == "half a question"

    with_store(path, work)


def test_a_draft_for_a_conversation_that_is_gone_is_no_error(path: Path) -> None:
    async def work(store: Store) -> None:
        conversation, _, _ = await store.add_turn(None, None, "one", "m")
        await store.set_draft(conversation.id, "half")
        await store.trash(conversation.id)
        await store.purge_trash(float("inf"))
        await store.set_draft(conversation.id, "too late")
        assert await store.get_draft(conversation.id) == ""

    with_store(path, work)


def test_ids_are_never_used_twice(path: Path) -> None:
    async def work(store: Store) -> None:
        conversation, _, answer = await store.add_turn(None, None, "one", "m")
        await store.trash(conversation.id)
        await store.purge_trash(float("inf"))
        again, question, _ = await store.add_turn(None, None, "two", "m")
        assert again.id > conversation.id
        assert question.id > answer.id

    with_store(path, work)


def test_the_trash_keeps_what_is_younger_than_asked(path: Path) -> None:
    async def work(store: Store) -> None:
        conversation, _, _ = await store.add_turn(None, None, "one", "m")
        trashed = await store.trash(conversation.id)
        assert trashed.trashed_at is not None
        assert await store.purge_trash(trashed.trashed_at) == 0
        assert (await store.restore(conversation.id)).trashed_at is None

    with_store(path, work)


def test_a_conversation_of_ten_thousand_messages_can_be_opened_and_deleted(path: Path) -> None:
    database = Database(path, repair=True)
    conversation, _, answer = database.write(messages.add_turn, None, None, "the first", "m")

    def grow(connection: sqlite3.Connection) -> None:
        parent = answer
        for number in range(4_999):
            _, _, parent = messages.add_turn(
                connection, conversation.id, parent.id, f"question {number}", "m"
            )

    database.write(grow)
    assert len(database.read(messages.path, conversation.id)) == 10_000
    database.write(conversations.trash, conversation.id)
    assert database.write(conversations.purge_trash, float("inf")) == 1
    assert texts(database) == []
    database.close()
    assert integrity(path) == []


def test_ids_that_do_not_belong_together_change_nothing(path: Path) -> None:
    async def work(store: Store) -> None:
        one, question, answer = await store.add_turn(None, None, "one", "m")
        two, _, _ = await store.add_turn(None, None, "two", "m")
        for wrong in (
            lambda: store.add_turn(two.id, answer.id, "three", "m"),
            lambda: store.add_turn(one.id, question.id, "three", "m"),
            lambda: store.add_turn(None, answer.id, "three", "m"),
            lambda: store.add_turn(99, None, "three", "m"),
            lambda: store.add_reply(answer.id, "m"),
            lambda: store.add_reply(99, "m"),
            lambda: store.switch_branch(answer.id, 2),
            lambda: store.switch_branch(99, 1),
            lambda: store.path(99),
            lambda: store.path_to(99),
            lambda: store.message(99),
            lambda: store.rename(99, "x"),
            lambda: store.finish(ended(replace(answer, id=99), "x")),
        ):
            with pytest.raises(LookupError):
                await wrong()
        assert {conversation.id for conversation in await store.conversations()} == {one.id, two.id}
        assert len(await store.path(one.id)) == len(await store.path(two.id)) == 2

    with_store(path, work)


def test_a_write_happens_even_if_the_task_that_asked_is_cancelled(path: Path) -> None:
    async def work(store: Store) -> None:
        tasks = [asyncio.create_task(store.add_turn(None, None, f"question {n}", "m")) for n in range(20)]
        await asyncio.sleep(0)  # each has asked; most wait for their turn
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert len(await store.conversations()) == 20

    with_store(path, work)


def test_closing_finishes_what_was_asked_for_and_leaves_one_file(path: Path) -> None:
    async def run() -> None:
        store = Store(path)
        await store.open()
        tasks = [asyncio.create_task(store.add_turn(None, None, f"question {n}", "m")) for n in range(5)]
        await asyncio.sleep(0)
        await store.close()
        await store.close()
        await asyncio.gather(*tasks)

    asyncio.run(run())
    assert [file.name for file in path.parent.iterdir()] == [path.name]
    database = Database(path, repair=True)
    assert len(texts(database)) == 10
    database.close()


def test_a_store_that_was_never_opened_can_be_closed(path: Path) -> None:
    asyncio.run(Store(path).close())
    assert not path.exists()


@settings(
    max_examples=60,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
@given(text=st.text(max_size=200), odd=st.sampled_from(["", "\0", "\ud83d", "\U0001f389", "\u2028", "\r\n"]))
def test_any_text_comes_back_as_it_was(text: str, odd: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("text") / "conversations.db"
    written = text + odd + text

    async def work(store: Store) -> None:
        conversation, _question, answer = await store.add_turn(None, None, written, "m")
        await store.finish(ended(answer, written))
        expected = written.replace("\ud83d", "\ufffd")
        assert [message.text for message in await store.path(conversation.id)] == [expected, expected]
        await store.rename(conversation.id, written)
        await store.set_draft(conversation.id, written)
        assert await store.get_draft(conversation.id) == expected

    with_store(path, work)
    assert integrity(path) == []


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("Hello", "Hello"),
        ("  two\n\nlines\tand  more ", "two lines and more"),
        (
            "How would you explain the difference between a fugue and a canon to a child?",
            "How would you explain the difference between a fugue and a…",
        ),
        ("x" * 100, "x" * 60 + "…"),
        ("", ""),
    ],
)
def test_a_title_is_the_first_words_on_one_line(text: str, title: str) -> None:
    assert title_from(text) == title
