"""The provider without a model keeps the contract that all others keep."""

from __future__ import annotations

import asyncio
import time

from models.runtime.faults import StopReason
from models.runtime.values import Turn
from providers.base import ChatRequest, Provider
from providers.echo import Echo
from providers.events import Event, Finished, PromptProgress, ReasoningDelta, TextDelta, Usage

WORDS = "  Two  words\n\nand a line \n"


async def answer(provider: Provider, text: str = WORDS, max_tokens: int | None = None) -> list[Event]:
    turns = (Turn("user", "earlier"), Turn("assistant", "yes"), Turn("user", text))
    return [event async for event in provider.stream(ChatRequest(turns, max_tokens=max_tokens))]


def text_of(events: list[Event]) -> str:
    return "".join(event.text for event in events if isinstance(event, TextDelta))


def test_it_says_the_newest_words_back_exactly() -> None:
    events = asyncio.run(answer(Echo()))
    assert text_of(events) == WORDS
    assert isinstance(events[0], PromptProgress)
    assert isinstance(events[-2], Usage) and events[-2].generated_tokens > 0
    assert events[-1] == Finished(StopReason.STOP)


def test_an_answer_has_the_length_that_was_asked_for() -> None:
    events = asyncio.run(answer(Echo(length=500)))
    assert sum(isinstance(event, TextDelta) for event in events) == 500
    cut = asyncio.run(answer(Echo(length=500), max_tokens=7))
    assert sum(isinstance(event, TextDelta) for event in cut) == 7
    assert cut[-1] == Finished(StopReason.LENGTH)


def test_it_can_think_aloud_and_dress_its_words_up() -> None:
    events = asyncio.run(answer(Echo(markdown=True, reasoning="Let me think.")))
    assert "".join(event.text for event in events if isinstance(event, ReasoningDelta)) == "Let me think."
    assert "```python" in text_of(events) and "| column | value |" in text_of(events)


def test_it_keeps_its_rate() -> None:
    started = time.monotonic()
    asyncio.run(answer(Echo(tokens_per_second=200, length=41)))
    assert time.monotonic() - started >= 0.2


def test_closing_the_stream_ends_it() -> None:
    async def stop() -> int:
        stream = Echo(tokens_per_second=1000, length=10**9).stream(ChatRequest((Turn("user", "on and on"),)))
        heard = 0
        async for event in stream:
            heard += isinstance(event, TextDelta)
            if heard == 5:
                break
        await stream.aclose()
        return heard

    assert asyncio.run(stop()) == 5
