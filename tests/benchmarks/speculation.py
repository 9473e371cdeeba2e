"""What the ways to keep a conversation and to guess ahead do to the speed of the starter model, and to its words.

All ways take turns in one run, so that what else the machine does falls on all of them. Nothing here has a target:
it is a table to choose by, and it shows where something does not help.
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from statistics import median

import psutil
from benchmarks.row import Row
from support.workers import GREEDY, ask, engine_with, starter

from models.runtime.engine import Engine
from models.runtime.json_schema import FREE_JSON
from models.runtime.values import CacheType, LoadOptions, Speculation

_STORY = (
    "The harbour was quiet that morning. A keeper climbed the stairs of the lighthouse, counted the ships on the "
    "horizon, and wrote their names into a book. Nobody had ever asked to see it. "
)
_TEXTS = {
    "free": _STORY * 10 + "\nContinue with a story of your own about what the keeper found on the beach.",
    "repeating": _STORY * 10 + "\nRepeat the text above word for word: The harbour was quiet that morning.",
}
_WAYS = {
    "KV cache f16, flash attention where it helps (the usual)": LoadOptions(),
    "KV cache f16, flash attention off": LoadOptions(flash_attention=False),
    "KV cache q8_0": LoadOptions(cache_type=CacheType.Q8_0, flash_attention=True),
    "KV cache q4_0": LoadOptions(cache_type=CacheType.Q4_0, flash_attention=True),
    "Guessing from the conversation": LoadOptions(speculation=Speculation.LOOKUP),
    "Guessing with a draft model (the same model, so that each guess is right and none is cheaper)": LoadOptions(
        speculation=Speculation.DRAFT, draft=str(starter())
    ),
}


def run(quick: bool) -> list[Row]:
    """All rows. `quick` repeats less and writes less."""
    return asyncio.run(_run(rounds=1 if quick else 5, tokens=48 if quick else 96))


@dataclass
class _Seen:
    """What one way did with one text."""

    reading: list[float] = field(default_factory=list)  # tokens/s
    writing: list[float] = field(default_factory=list)
    working: list[float] = field(default_factory=list)  # milliseconds of processor time a token
    guessed: int = 0
    accepted: int = 0
    text: str = ""


async def _run(rounds: int, tokens: int) -> list[Row]:
    seen = {way: {name: _Seen() for name in _TEXTS} for way in _WAYS}
    async with AsyncExitStack() as stack:
        engines = {
            way: await stack.enter_async_context(engine_with(starter(), options))
            for way, options in _WAYS.items()
        }
        for number in range(rounds):
            for name, text in _TEXTS.items():
                for way, engine in engines.items():
                    # A number of its own keeps the prompt from being found in the cache.
                    await _measure(seen[way][name], engine, f"{number}. {text}", tokens)
        held = await _held_to_json(engines[next(iter(_WAYS))], rounds, tokens)
    usual = seen[next(iter(_WAYS))]
    how = f"median of {rounds}, all ways taking turns; about 450 tokens read, {tokens} written, greedy"
    return [*(_row(way, parts, usual, how) for way, parts in seen.items()), held]


async def _measure(seen: _Seen, engine: Engine, text: str, tokens: int) -> None:
    """Read it, then write: what was read is in the cache by then."""
    done = (await ask(engine, text, GREEDY, 1)).completed
    seen.reading.append((done.prompt_tokens - done.reused_tokens) / done.prompt_ms * 1000)
    worked = _worked(engine)
    answer = await ask(engine, text, GREEDY, tokens)
    done = answer.completed
    seen.working.append((_worked(engine) - worked) / done.generated_tokens * 1000)
    seen.writing.append(done.generated_tokens / done.generate_ms * 1000)
    seen.guessed += done.guessed_tokens
    seen.accepted += done.accepted_tokens
    seen.text += answer.text


def _worked(engine: Engine) -> float:
    """Seconds of processor time that the model's process has taken: they do not depend on what else runs."""
    times = psutil.Process(engine.pid).cpu_times()
    return times.user + times.system


def _row(way: str, parts: dict[str, _Seen], usual: dict[str, _Seen], how: str) -> Row:
    told = [f"reads {median([speed for seen in parts.values() for speed in seen.reading]):.0f} tokens/s"]
    for name, seen in parts.items():
        ratio = median(seen.working) / median(usual[name].working)
        guesses = f", {seen.accepted} of {seen.guessed} guesses right" if seen.guessed else ""
        told.append(
            f"{name} text {median(seen.writing):.0f} tokens/s, {median(seen.working):.1f} ms of processor time a token "
            f"({ratio:.2f} of the usual{guesses}), "
            f"{_difference(seen.text, usual[name].text)}"
        )
    return Row(way, "; ".join(told), "–", None, how)


def _difference(text: str, usual: str) -> str:
    same = next(
        (place for place, (one, other) in enumerate(zip(text, usual, strict=False)) if one != other), 0
    )
    if text == usual:
        return "the same words"
    return f"other words after {same} of {len(usual)} characters"


async def _held_to_json(engine: Engine, rounds: int, tokens: int) -> Row:
    """What it costs to hold an answer to JSON, for a model that would have written JSON by itself, and for any."""
    free: list[float] = []
    held: list[float] = []
    for number in range(rounds + 1):
        question = (
            f"{number}. Write a JSON object with ten towns and their countries. Only JSON, no other text."
        )
        for times, grammar in ((free, ""), (held, FREE_JSON)):
            done = (await ask(engine, question, GREEDY, tokens, grammar)).completed
            times.append(done.generate_ms / done.generated_tokens)
    return Row(
        "An answer held to JSON",
        f"{median(held):.1f} ms a token, {median(free):.1f} ms free",
        "–",
        None,
        f"median of {rounds + 1}, taking turns; {tokens} tokens at most",
    )
