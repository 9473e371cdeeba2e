"""Coming back to a long conversation after a restart, against reading it anew."""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from benchmarks.row import Row
from support.workers import GREEDY, starter

from desktop.kept_states import KeptStateFiles
from desktop.processes.child import ChildProcess, spawn
from desktop.processes.roles import Role
from models.runtime.engine import Engine
from models.runtime.protocol import Completed, Piece
from models.runtime.values import Turn

_TARGET = 0.15
_TEXT = (
    "The ship left the harbour in the morning, and nobody on board knew how long the journey would take. "
    * 285
)
_TOKENS = 6_000  # about what the text has
_ROOM = 2_000_000_000  # bytes


def run(quick: bool) -> list[Row]:
    return asyncio.run(_run(rounds=1 if quick else 5))


async def _run(rounds: int) -> list[Row]:
    anew, again, closing, sizes, lengths = [], [], [], [], []
    for _ in range(rounds):
        with tempfile.TemporaryDirectory(prefix="alcove-returning-") as name:
            kept = KeptStateFiles(Path(name) / "kept", lambda: _ROOM)
            first = [Turn("user", _TEXT)]
            engine = await _loaded(kept)
            seconds, text, done = await _first_token(engine, first)
            anew.append(seconds)
            lengths.append(done.prompt_tokens)
            started = time.perf_counter()
            await engine.close()
            closing.append(time.perf_counter() - started)
            sizes.append(sum(file.stat().st_size for file in Path(name).rglob("slot-*")))
            engine = await _loaded(kept)
            turns = [*first, Turn("assistant", text), Turn("user", "And then?")]
            seconds, _, done = await _first_token(engine, turns)
            assert done.prompt_tokens - done.reused_tokens < 40, "it was read again"
            again.append(seconds)
            await engine.close()
    ratio = median(ours / theirs for ours, theirs in zip(again, anew, strict=True))
    return [
        Row(
            f"First token in a conversation of {median(lengths):,.0f} tokens after a restart, against reading it anew",
            f"{ratio * 100:.1f} % ({median(again) * 1000:.0f} ms against {median(anew) * 1000:,.0f} ms)",
            f"at most {_TARGET * 100:.0f} %",
            ratio <= _TARGET and median(lengths) >= _TOKENS,
            f"median of {rounds}; the model is loaded in both; kept in {median(sizes) / 1e6:.0f} MB, "
            f"written in {median(closing) * 1000:.0f} ms when the worker ended",
        )
    ]


async def _loaded(kept: KeptStateFiles) -> Engine:
    async def spawn_with_files() -> ChildProcess:
        files = kept.open(starter())
        try:
            return await spawn(Role.WORKER, files=files)
        finally:
            for descriptor in files:
                os.close(descriptor)

    engine = Engine(spawn_with_files, kept.slot_bytes)
    async for _ in engine.load(starter()):
        pass
    return engine


async def _first_token(engine: Engine, turns: Sequence[Turn]) -> tuple[float, str, Completed]:
    """Seconds until the first piece; the answer; its report."""
    started = time.perf_counter()
    first, text = 0.0, ""
    async for report in engine.generate(turns, GREEDY, 8):
        if isinstance(report, Piece):
            first = first or time.perf_counter() - started
            text += report.text
        elif isinstance(report, Completed):
            return first, text, report
    raise AssertionError("an answer ends with its report")
