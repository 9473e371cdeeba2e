"""How fast a local model answers through the whole runtime, against the same library in a plain loop.

Ratios only: both sides take turns in one run, with the same threads, priority, context and number of tokens, so that
what else the machine does falls on both.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import aclosing
from pathlib import Path
from statistics import median

from benchmarks.row import Row
from support.workers import GREEDY, ask, engine_with, starter

from desktop.processes.roles import POLICIES, Role
from models.runtime.engine import Engine
from models.runtime.protocol import Completed, Piece, PromptProgress
from models.runtime.values import Turn

_TEXT = (
    "The history of computing runs from simple devices that helped with sums to the machines of today. Early tools "
    "were mechanical: somebody set the first values of a calculation and moved the parts until the result appeared. "
    "Later machines kept numbers as a length along a scale, the turn of a shaft, or a voltage. "
)
_PLAIN_LOOP = Path(__file__).with_name("plain_loop.py")


def run(quick: bool) -> list[Row]:
    """All rows. `quick` repeats less."""
    return asyncio.run(_run(quick))


async def _run(quick: bool) -> list[Row]:
    async with engine_with(starter()) as engine:
        plain = Plain(engine)
        try:
            rows = [
                *await _speed(engine, plain, repeats=5 if quick else 15, tokens=97),
                await _follow_up(engine, plain, repeats=5 if quick else 15),
                *await _cancel(engine, repeats=10),
            ]
        finally:
            plain.close()
    return rows


class Plain:
    """The plain loop in its own process, with the settings of an engine's worker."""

    def __init__(self, engine: Engine) -> None:
        assert engine.loaded is not None
        place = engine.loaded.placement
        settings = {
            "path": str(starter()),
            "context_tokens": place.context_tokens,
            "threads": place.threads,
            "prompt_threads": place.prompt_threads,
            "niceness": POLICIES[Role.WORKER].niceness,
        }
        command = [sys.executable, str(_PLAIN_LOOP), json.dumps(settings)]
        environ = {**os.environ, "GOMP_SPINCOUNT": "10000"}  # as models/runtime/llama.py sets it
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environ
        )
        assert self._line() == "ready\n"

    def measure(self, read: int, write: int = 0, keep: int = 0) -> list[float]:
        """Seconds to read some tokens after the first `keep`, and to write some more. Which tokens does not matter."""
        assert self._process.stdin is not None
        tokens = [1000 + number % 40_000 for number in range(read)]
        self._process.stdin.write(json.dumps({"keep": keep, "read": tokens, "write": write}) + "\n")
        self._process.stdin.flush()
        seconds: list[float] = json.loads(self._line())
        return seconds

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()

    def _line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline()


async def _speed(engine: Engine, plain: Plain, repeats: int, tokens: int) -> list[Row]:
    """A prompt of about 1,000 tokens, new each time, and an answer of a set length after it; the same, plain."""
    ours: list[tuple[float, float]] = []
    theirs: list[tuple[float, float]] = []
    read = await _read_and_write(engine, "warm", tokens, [])
    for number in range(repeats):
        # Sometimes one side is first, sometimes the other, so that what grows or wanes meanwhile falls on both.
        if number % 2:
            theirs.append(_pair(plain.measure(read, tokens - 1)))
        read = await _read_and_write(engine, str(number), tokens, ours)
        if not number % 2:
            theirs.append(_pair(plain.measure(read, tokens - 1)))
    how = f"medians of {repeats} each, taking turns; plain loop: tests/benchmarks/plain_loop.py"
    return [
        _ratio(f"{name} through worker and asyncio / plain loop", [pair[part] for pair in ours],
               [pair[part] for pair in theirs], count, how)
        for part, name, count in ((1, "Generation", tokens - 1), (0, "Reading a prompt", read))
    ]  # fmt: skip


async def _read_and_write(engine: Engine, name: str, tokens: int, times: list[tuple[float, float]]) -> int:
    """Adds the seconds until the first piece, and from there to the last. Returns how many tokens were read."""
    prompt = f"Prompt {name}. {_TEXT * 14}\nCount from 1 to 1000, one number after another: 1, 2, 3,"
    started = time.perf_counter()
    first = last = 0.0
    async for report in engine.generate([Turn("user", prompt)], GREEDY, tokens):
        if isinstance(report, Piece):
            last = time.perf_counter()
            first = first or last
        elif isinstance(report, Completed):
            assert report.generated_tokens == tokens, "the answer ended early"
            times.append((first - started, last - first))
            return report.prompt_tokens - report.reused_tokens
    raise AssertionError("the answer did not end")


def _pair(seconds: list[float]) -> tuple[float, float]:
    return seconds[0], seconds[1]


def _ratio(name: str, ours: Sequence[float], theirs: Sequence[float], tokens: int, how: str) -> Row:
    ratio = median(theirs) / median(ours)
    figure = f"{ratio:.3f} ({tokens / median(ours):.0f} and {tokens / median(theirs):.0f} tokens/s)"
    return Row(name, figure, "≥ 0.97", ratio >= 0.97, f"{how}; {tokens} tokens")


async def _follow_up(engine: Engine, plain: Plain, repeats: int) -> Row:
    """A conversation of 3,000 tokens is in the cache; each follow-up adds a question."""
    turns = [Turn("user", _TEXT * 48 + "What is this about?")]
    answer = await ask(engine, turns, max_tokens=24)
    base = answer.completed.prompt_tokens + answer.completed.generated_tokens
    plain.measure(base)
    ours, theirs, new = [], [], 0
    for number in range(repeats):
        # The same conversation each time with another question, so that its length stays what it is.
        question = Turn(
            "user", f"Thank you. And question {number}: which of those machines came first, in one word?"
        )
        started = time.perf_counter()
        first = 0.0
        async for report in engine.generate([*turns, Turn("assistant", answer.text), question], GREEDY, 1):
            if isinstance(report, Piece):
                first = time.perf_counter() - started
            elif isinstance(report, Completed):
                new = report.prompt_tokens - report.reused_tokens
        assert new < 100, f"{new} tokens were read again"
        ours.append(first)
        theirs.append(plain.measure(new, keep=base)[0])
    ratio = median(ours) / median(theirs)
    return Row(
        "First token of a follow-up in a conversation of 3,000 tokens / its new tokens alone",
        f"{ratio:.2f} ({median(ours) * 1000:.0f} and {median(theirs) * 1000:.0f} ms)",
        "≤ 1.25",
        ratio <= 1.25,
        f"medians of {repeats} each, taking turns with the plain loop; {base} tokens cached, {new} new",
    )


async def _cancel(engine: Engine, repeats: int) -> list[Row]:
    """From closing the answer to an idle worker, at random moments."""
    dice = random.Random(7)
    reading = [
        await _cancel_once(
            engine, number, lambda report: isinstance(report, PromptProgress), dice.uniform(0.02, 0.6)
        )
        for number in range(repeats)
    ]
    writing = [
        await _cancel_once(engine, 0, lambda report: isinstance(report, Piece), dice.uniform(0.02, 0.2))
        for _ in range(repeats)
    ]
    return [
        _latency(
            "Cancel to idle while the prompt is read",
            reading,
            f"{repeats} cancels in a prompt of 6,000 tokens",
        ),
        _latency(
            "Cancel to idle while the answer is written", writing, f"{repeats} cancels at random moments"
        ),
    ]


async def _cancel_once(engine: Engine, number: int, begun: Callable[[object], bool], wait: float) -> float:
    """Milliseconds until the worker was idle. A number of its own keeps a prompt from being found in the cache."""
    long = f"{number} {_TEXT * 82}" if begun(PromptProgress(0, 0, 0)) else "Count from 1 to 1000: 1, 2, 3,"
    async with aclosing(engine.generate([Turn("user", long)], GREEDY, 1000)) as answer:
        async for report in answer:
            if begun(report):
                break
        await asyncio.sleep(wait)
        started = time.perf_counter()
    return (time.perf_counter() - started) * 1000


def _latency(name: str, milliseconds: Sequence[float], how: str) -> Row:
    worst = max(milliseconds)
    return Row(name, f"{median(milliseconds):.1f} ms, worst {worst:.1f} ms", "≤ 100 ms", worst <= 100, how)
