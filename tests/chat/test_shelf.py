"""The model in use: one at a time, and gone from memory when nothing is asked of it."""

from __future__ import annotations

import asyncio
from pathlib import Path

from support.workers import GREEDY, spawn_worker, starter

from desktop.chat.shelf import Loadable, Shelf
from models.runtime.engine import Engine
from models.runtime.values import LoadOptions, Turn
from providers.base import ChatRequest
from providers.events import ModelReady, TextDelta
from providers.local import LocalModel

HELLO = ChatRequest((Turn("user", "Say hello."),), GREEDY, 8)


def make(path: Path, options: LoadOptions) -> Loadable:
    return LocalModel(Engine(spawn_worker), path, options)


async def answer(model: Loadable) -> list[object]:
    return [event async for event in model.stream(HELLO)]


def test_an_idle_model_leaves_memory_and_the_next_question_loads_it_again() -> None:
    async def use() -> None:
        freed = asyncio.Event()
        shelf = Shelf(make, lambda: 0.2, freed.set)
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
        shelf = Shelf(make, lambda: 0.05, lambda: freed.append(True))
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
        shelf = Shelf(make, lambda: limit[0], freed.set)
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
