"""Real locked workers for tests and benchmarks, and short ways to hear a whole answer."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from desktop.processes.child import ChildProcess, spawn
from desktop.processes.roles import Role
from models.runtime.engine import Engine
from models.runtime.protocol import Completed, Piece
from models.runtime.values import LoadOptions, Sampling, Turn
from models.starter import starter_path

GREEDY = Sampling(temperature=0.0, repeat_penalty=1.0)


async def spawn_worker() -> ChildProcess:
    return await spawn(Role.WORKER)


def starter() -> Path:
    """The starter model, which every set-up has."""
    path = starter_path()
    assert path is not None, "the starter model is missing: run the set-up"
    return path


@dataclass(frozen=True)
class Answer:
    text: str
    reasoning: str
    completed: Completed


@asynccontextmanager
async def engine_with(path: Path, options: LoadOptions | None = None) -> AsyncIterator[Engine]:
    """An engine with this model loaded; its worker is gone afterwards."""
    engine = Engine(spawn_worker)
    try:
        async for _ in engine.load(path, options or LoadOptions()):
            pass
        yield engine
    finally:
        await engine.close()


async def ask(
    engine: Engine,
    turns: Sequence[Turn] | str,
    sampling: Sampling = GREEDY,
    max_tokens: int | None = 24,
    grammar: str = "",
) -> Answer:
    """One whole answer."""
    if isinstance(turns, str):
        turns = [Turn("user", turns)]
    text, reasoning = "", ""
    async for report in engine.generate(turns, sampling, max_tokens, grammar):
        if isinstance(report, Piece) and report.reasoning:
            reasoning += report.text
        elif isinstance(report, Piece):
            text += report.text
        elif isinstance(report, Completed):
            return Answer(text, reasoning, report)
    raise AssertionError("the answer did not end")
