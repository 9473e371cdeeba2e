"""A provider without a model: it says the user's words back, at a speed of your choosing.

For tests, demonstrations and measurements of everything above the providers. It keeps the whole contract:
progress, reasoning, usage, cancelling.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, Iterator
from itertools import cycle, islice

from models.runtime.faults import StopReason
from providers.base import ChatRequest
from providers.events import Event, Finished, PromptProgress, ReasoningDelta, TextDelta, Usage

_MARKDOWN = """## What you said

> {text}

1. A **list** with `code` in it.
2. Another line.

```python
def say(words: str) -> None:
    print(words)
```

| column | value |
| --- | --- |
| length | {length} |

"""


class Echo:
    """Repeats the newest user message.

    `tokens_per_second`: 0 sends everything at once. `length`: tokens of the answer; None for the words once.
    `markdown`: dress the words up with headings, code and tables. `reasoning`: text thought aloud before the
    answer.
    """

    def __init__(
        self,
        tokens_per_second: float = 0.0,
        length: int | None = None,
        markdown: bool = False,
        reasoning: str = "",
    ) -> None:
        self._pause = 1 / tokens_per_second if tokens_per_second > 0 else 0.0
        self._length = length
        self._markdown = markdown
        self._reasoning = reasoning

    @property
    def name(self) -> str:
        return "Echo"

    @property
    def origin(self) -> str:
        return ""

    async def stream(self, request: ChatRequest) -> AsyncGenerator[Event, None]:
        """The words of the newest user message, one token per event."""
        loop = asyncio.get_running_loop()
        started = loop.time()
        prompt_tokens = sum(len(_tokens(turn.text)) for turn in request.turns)
        yield PromptProgress(prompt_tokens, prompt_tokens, 0)
        sent = 0
        for token in _tokens(self._reasoning):
            sent = await self._wait_for_turn(started, sent)
            yield ReasoningDelta(token)
        words = next((turn.text for turn in reversed(request.turns) if turn.role == "user"), "")
        reason = StopReason.STOP
        for token in self._answer(words):
            if request.max_tokens is not None and sent >= request.max_tokens:
                reason = StopReason.LENGTH
                break
            sent = await self._wait_for_turn(started, sent)
            yield TextDelta(token)
        milliseconds = (loop.time() - started) * 1000
        yield Usage(prompt_tokens=prompt_tokens, generated_tokens=sent, generate_ms=milliseconds)
        yield Finished(reason)

    async def close(self) -> None:
        """Nothing is held."""

    def _answer(self, words: str) -> Iterator[str]:
        text = words
        if self._markdown:
            text = _MARKDOWN.format(text=words.replace("\n", "\n> "), length=len(words))
        tokens = _tokens(text)
        if self._length is None or not tokens:
            return iter(tokens)
        # Between repetitions a blank line: a long answer is many paragraphs, as a model's would be.
        return islice(cycle([*tokens, "\n\n"]), self._length)

    async def _wait_for_turn(self, started: float, sent: int) -> int:
        """Sleep until the next token is due by the clock: the rate holds however long its reader takes."""
        due = started + sent * self._pause
        await asyncio.sleep(max(0.0, due - asyncio.get_running_loop().time()))
        return sent + 1


def _tokens(text: str) -> list[str]:
    """Words with the space before them: about what a tokenizer makes of a text. Joined, they are the text."""
    return re.findall(r"\s*\S+|\s+$", text)
