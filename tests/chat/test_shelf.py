"""The models in memory: as many as fit, the one that is needed always, and none when nothing is asked of it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from support.gguf_files import write_model
from support.large_models import Large, write_large
from support.workers import GREEDY, spawn_worker, starter

from desktop.chat.shelf import Loadable, Shelf
from models.gguf import read_header
from models.runtime.engine import Engine
from models.runtime.faults import Fault
from models.runtime.values import LoadOptions, Turn
from providers.base import ChatRequest
from providers.errors import ProviderError
from providers.events import LoadProgress, ModelReady, TextDelta
from providers.local import LocalModel

HELLO = ChatRequest((Turn("user", "Say hello."),), GREEDY, 8)


def make(path: Path, options: LoadOptions) -> Loadable:
    return LocalModel(Engine(spawn_worker), path, options)


async def answer(model: Loadable) -> list[object]:
    return [event async for event in model.stream(HELLO)]


def test_an_idle_model_leaves_memory_and_the_next_question_loads_it_again() -> None:
    async def use() -> None:
        freed = asyncio.Event()
        shelf = Shelf(make, lambda: 0.2, lambda path: freed.set())
        model = await shelf.take(starter(), LoadOptions())
        await answer(model)
        assert model.placement is not None
        async with asyncio.timeout(30):
            await freed.wait()
        assert model.placement is None
        again = await shelf.take(starter(), LoadOptions())
        assert again is model
        events = await answer(again)
        assert any(isinstance(event, ModelReady) for event in events)
        await shelf.close()

    asyncio.run(use())


def test_a_model_at_work_stays_however_long_it_takes() -> None:
    async def use() -> None:
        freed: list[bool] = []
        shelf = Shelf(make, lambda: 0.05, lambda path: freed.append(True))
        model = await shelf.take(starter(), LoadOptions())
        count = ChatRequest((Turn("user", "Count: 1, 2, 3,"),), GREEDY, 60)
        words = [event async for event in model.stream(count) if isinstance(event, TextDelta)]
        assert words
        assert not freed
        await shelf.close()

    asyncio.run(use())


def test_a_shorter_limit_counts_at_once_and_none_means_never() -> None:
    async def use() -> None:
        limit: list[float | None] = [None]
        freed = asyncio.Event()
        shelf = Shelf(make, lambda: limit[0], lambda path: freed.set())
        model = await shelf.take(starter(), LoadOptions())
        await answer(model)
        assert model.idle_since is not None
        assert not freed.is_set()
        limit[0] = 0.05
        shelf.reconsider()
        async with asyncio.timeout(30):
            await freed.wait()
        await shelf.close()

    asyncio.run(use())


def is_in_memory(model: Loadable) -> bool:
    return model.placement is not None


async def load(shelf: Shelf, path: Path) -> Loadable:
    model = await shelf.take(path, LoadOptions())
    async for _ in model.load():
        pass
    return model


def test_going_back_to_a_model_that_is_still_in_memory_loads_nothing(tmp_path: Path) -> None:
    async def use() -> None:
        shelf = Shelf(make)
        first = await load(shelf, write_model(tmp_path / "first.gguf"))
        second = await load(shelf, write_model(tmp_path / "second.gguf", seed=2))
        assert is_in_memory(first) and is_in_memory(second)
        again = await shelf.take(tmp_path / "first.gguf", LoadOptions())
        assert again is first
        assert not [event async for event in again.load() if isinstance(event, LoadProgress)]
        other = await shelf.take(tmp_path / "first.gguf", LoadOptions(context_tokens=256))
        assert other is not first and not is_in_memory(first)
        await shelf.close()
        assert not is_in_memory(second)

    asyncio.run(use())


def test_the_model_that_was_not_used_for_longest_leaves_where_fewer_are_allowed(tmp_path: Path) -> None:
    async def use() -> None:
        left: list[str] = []
        most: list[int | None] = [2]
        shelf = Shelf(make, freed=lambda path: left.append(path.stem), most=lambda: most[0])
        paths = [write_model(tmp_path / f"{name}.gguf") for name in ("a", "b", "c")]
        models = [await load(shelf, path) for path in paths[:2]]
        await shelf.take(paths[0], LoadOptions())
        await load(shelf, paths[2])
        assert left == ["b"] and is_in_memory(models[0])
        most[0] = 1
        await shelf.take(paths[2], LoadOptions())
        assert left == ["b", "a"]
        await shelf.close()

    asyncio.run(use())


def test_others_leave_before_a_model_is_said_not_to_fit(tmp_path: Path) -> None:
    async def use() -> None:
        left: list[str] = []
        shelf = Shelf(make, freed=lambda path: left.append(path.stem))
        small = [await load(shelf, write_model(tmp_path / f"{name}.gguf")) for name in ("a", "b")]
        huge = write_large(tmp_path / "huge.gguf", Large(between=1 << 24, layers=40, words=100))
        with pytest.raises(ProviderError) as caught:
            await load(shelf, huge)
        assert caught.value.kind is Fault.NOT_ENOUGH_MEMORY
        assert int(caught.value.facts["need_bytes"]) > read_header(str(huge)).weight_bytes
        assert left == ["a", "b"] and not any(map(is_in_memory, small))
        await shelf.close()

    asyncio.run(use())


def test_each_idle_model_leaves_in_its_own_time(tmp_path: Path) -> None:
    async def use() -> None:
        left: list[str] = []
        both = asyncio.Event()

        def freed(path: Path) -> None:
            left.append(path.stem)
            if len(left) == 2:
                both.set()

        shelf = Shelf(make, lambda: 0.3, freed)
        for name in ("a", "b"):
            await load(shelf, write_model(tmp_path / f"{name}.gguf"))
        async with asyncio.timeout(30):
            await both.wait()
        assert sorted(left) == ["a", "b"]
        await shelf.close()

    asyncio.run(use())
