"""Coming back to a long conversation reads only what is new, also after a restart; and never reads it wrongly."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.gguf_files import write_model
from support.workers import Answer, ask, starter

from desktop.kept_states import KeptStateFiles
from desktop.processes.child import ChildProcess, spawn
from desktop.processes.roles import Role
from models.runtime.engine import Engine
from models.runtime.prompt import Prompt
from models.runtime.states import KeptStates
from models.runtime.values import LoadOptions, Turn

PLENTY = 1_000_000_000
STORY = "The ship left the harbour in the morning, and nobody on board knew how long it would take. " * 28
OTHER = (
    "A garden in spring has more colours than anybody can name, and each of them has a smell of its own. "
    * 40
)


@asynccontextmanager
async def engine(
    kept: KeptStateFiles, model: Path, options: LoadOptions | None = None
) -> AsyncIterator[Engine]:
    """A model in a worker that may keep what it reads, as in the window."""

    async def spawn_with_files() -> ChildProcess:
        files = kept.open(model)
        try:
            return await spawn(Role.WORKER, files=files)
        finally:
            for descriptor in files:
                os.close(descriptor)

    engine = Engine(spawn_with_files, kept.slot_bytes)
    try:
        async for _ in engine.load(model, options or LoadOptions()):
            pass
        yield engine
    finally:
        await engine.close()


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that writes nonsense, fast. A token is a character."""
    return write_model(tmp_path_factory.mktemp("tiny") / "tiny.gguf", context=8192)


async def talk(kept: KeptStateFiles, path: Path, *conversations: list[Turn]) -> list[Answer]:
    """One worker from start to end that answers these."""
    async with engine(kept, path) as model:
        return [await ask(model, turns, max_tokens=12) for turns in conversations]


def follow_up(text: str, answer: Answer) -> list[Turn]:
    return [Turn("user", text), Turn("assistant", answer.text), Turn("user", "And then?")]


def files(tmp_path: Path, most: int = PLENTY) -> KeptStateFiles:
    return KeptStateFiles(tmp_path / "kept", lambda: most)


@pytest.mark.parametrize("model", ["starter", "tiny"])
def test_after_a_restart_only_the_new_message_is_read_and_the_answer_is_the_same(
    tmp_path: Path, tiny: Path, model: str
) -> None:
    kept, path = files(tmp_path), starter() if model == "starter" else tiny
    (first,) = asyncio.run(talk(kept, path, [Turn("user", STORY)]))
    (again,) = asyncio.run(talk(kept, path, follow_up(STORY, first)))
    assert again.completed.prompt_tokens - again.completed.reused_tokens < 40
    (anew,) = asyncio.run(talk(files(tmp_path / "elsewhere"), path, follow_up(STORY, first)))
    assert anew.completed.reused_tokens == 0
    assert again.text == anew.text


def test_two_conversations_in_turn_are_each_read_once(tmp_path: Path, tiny: Path) -> None:
    kept = files(tmp_path)

    async def both() -> list[Answer]:
        async with engine(kept, tiny) as model:
            sea = await ask(model, [Turn("user", STORY)], max_tokens=12)
            garden = await ask(model, [Turn("user", OTHER)], max_tokens=12)
            return [
                await ask(model, follow_up(STORY, sea), max_tokens=12),
                await ask(model, follow_up(OTHER, garden), max_tokens=12),
            ]

    for answer in asyncio.run(both()):
        assert answer.completed.prompt_tokens - answer.completed.reused_tokens < 40


def test_a_damaged_file_is_not_believed(tmp_path: Path, tiny: Path) -> None:
    kept = files(tmp_path)
    (first,) = asyncio.run(talk(kept, tiny, [Turn("user", STORY)]))
    (slot,) = [file for file in (tmp_path / "kept").rglob("slot-*") if file.stat().st_size]
    data = bytearray(slot.read_bytes())
    data[-1000] ^= 1
    slot.write_bytes(data)
    (again,) = asyncio.run(talk(kept, tiny, follow_up(STORY, first)))
    assert again.completed.reused_tokens == 0
    (anew,) = asyncio.run(talk(files(tmp_path / "elsewhere"), tiny, follow_up(STORY, first)))
    assert again.text == anew.text


def test_another_kind_of_cache_does_not_use_what_was_kept(tmp_path: Path, tiny: Path) -> None:
    kept = files(tmp_path)
    (first,) = asyncio.run(talk(kept, tiny, [Turn("user", STORY)]))

    async def other() -> Answer:
        from models.runtime.values import CacheType

        async with engine(kept, tiny, options=LoadOptions(cache_type=CacheType.Q8_0)) as model:
            return await ask(model, follow_up(STORY, first), max_tokens=4)

    assert asyncio.run(other()).completed.reused_tokens == 0


def test_no_more_room_is_taken_than_allowed_and_none_when_it_is_0(tmp_path: Path, tiny: Path) -> None:
    small = files(tmp_path, 40_000)
    asyncio.run(talk(small, tiny, [Turn("user", STORY)]))
    assert sum(file.stat().st_size for file in (tmp_path / "kept").rglob("slot-*")) == 0
    nothing = files(tmp_path, 0)
    asyncio.run(talk(nothing, tiny, [Turn("user", STORY)]))
    assert not (tmp_path / "kept").exists()


def test_the_model_not_used_for_longest_makes_room(tmp_path: Path) -> None:
    kept = files(tmp_path, 4000)
    for number in range(4):
        for descriptor in kept.open(tmp_path / f"model-{number}"):
            os.write(descriptor, b"x" * 300)
            os.close(descriptor)
        for folder in (tmp_path / "kept").iterdir():  # a folder's time counts in whole moments
            os.utime(folder, (folder.stat().st_atime - 10, folder.stat().st_mtime - 10))
    sizes = [
        sum(file.stat().st_size for file in folder.iterdir()) for folder in (tmp_path / "kept").iterdir()
    ]
    assert sizes == [900, 900]


def test_two_processes_do_not_write_into_the_same_files(tmp_path: Path) -> None:
    kept = files(tmp_path)
    first = kept.open(tmp_path / "model")
    assert len(first) == 3
    assert kept.open(tmp_path / "model") == []
    for descriptor in first:
        os.close(descriptor)
    second = kept.open(tmp_path / "model")
    assert len(second) == 3
    for descriptor in second:
        os.close(descriptor)


def test_nobody_else_may_read_what_is_kept(tmp_path: Path) -> None:
    for descriptor in files(tmp_path).open(tmp_path / "model"):
        assert os.fstat(descriptor).st_mode & 0o777 == 0o600
        os.close(descriptor)


class Memory:
    """A cache that is some bytes."""

    def __init__(self, state: bytes) -> None:
        self.state = bytearray(state)

    @property
    def state_bytes(self) -> int:
        return len(self.state)

    def read_state(self) -> bytearray:
        return bytearray(self.state)

    def write_state(self, state: bytearray) -> bool:
        self.state = state
        return True


TOKENS = list(range(600))


@given(cut=st.integers(min_value=0, max_value=12_000), flip=st.integers(min_value=0, max_value=12_000))
def test_a_slot_that_was_cut_or_changed_anywhere_gives_the_right_state_or_none(cut: int, flip: int) -> None:
    descriptor = os.memfd_create("slot")
    try:
        slots = KeptStates([descriptor], "key", PLENTY)
        assert slots.keep(TOKENS, [Prompt("a text", TOKENS)], Memory(b"state" * 1000))
        size = os.fstat(descriptor).st_size
        if cut < size:
            os.ftruncate(descriptor, cut)
        elif flip < size:
            (byte,) = os.pread(descriptor, 1, flip)
            os.pwrite(descriptor, bytes([byte ^ 4]), flip)
        slots = KeptStates([descriptor], "key", PLENTY)
        cache = Memory(b"")
        number = slots.better_than(0, TOKENS)
        if number is not None and (restored := slots.restore(number, cache)):
            assert restored == TOKENS
            assert slots.known() == [Prompt("a text", TOKENS)]
            assert bytes(cache.state) == b"state" * 1000
        else:
            assert not cache.state
    finally:
        os.close(descriptor)


@pytest.mark.parametrize("written", [b"", b"ALCVKV1\n", b"ALCVKV1\n" + b"\xff" * 8, b"x" * 100])
def test_anything_else_in_a_file_counts_as_nothing(written: bytes) -> None:
    descriptor = os.memfd_create("slot")
    os.write(descriptor, written)
    slots = KeptStates([descriptor], "key", PLENTY)
    assert slots.better_than(0, TOKENS) is None
    assert slots.keep(TOKENS, [], Memory(b"state"))
    assert KeptStates([descriptor], "key", PLENTY).better_than(0, TOKENS) == 0
    os.close(descriptor)
