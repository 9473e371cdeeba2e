"""One event loop and one loaded starter model for all tests of a file: a real worker, locked as in the program."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from models.runtime.engine import Engine
from support.workers import spawn_worker, starter


@pytest.fixture(scope="module")
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner


@pytest.fixture(scope="module")
def engine(runner: asyncio.Runner) -> Iterator[Engine]:
    """The starter model, loaded. A test that ends its worker leaves it to the next one to load it again."""
    engine = Engine(spawn_worker)

    async def load() -> None:
        async for _ in engine.load(starter()):
            pass

    runner.run(load())
    yield engine
    runner.run(engine.close())
