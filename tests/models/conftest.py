"""One event loop and one loaded starter model for all tests of a file: a real worker, locked as in the program."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.gguf_files import write_model
from support.workers import spawn_worker, starter

from models.runtime.engine import Engine


@pytest.fixture(scope="module")
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner


@pytest.fixture(scope="module")
def engine(runner: asyncio.Runner) -> Iterator[Engine]:
    """The starter model, loaded. A test that ends its worker leaves it to the next one to load it again."""
    yield from _loaded(runner, starter())


@pytest.fixture(scope="module")
def tiny_engine(runner: asyncio.Runner, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """A model that writes nonsense, fast: for what does not depend on the words. A token is a character."""
    yield from _loaded(runner, write_model(tmp_path_factory.mktemp("tiny") / "tiny.gguf", context=8192))


def _loaded(runner: asyncio.Runner, path: Path) -> Iterator[Engine]:
    engine = Engine(spawn_worker)

    async def load() -> None:
        async for _ in engine.load(path):
            pass

    runner.run(load())
    yield engine
    runner.run(engine.close())
