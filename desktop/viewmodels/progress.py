"""How an answer is coming along, in numbers and one calm line of words."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from desktop.i18n import tr

if TYPE_CHECKING:
    from desktop.chat.turns import SessionEvent
    from providers.events import PromptProgress, Usage


class AnswerProgress:
    """Fed with every event of a turn. `fraction` is 0..1 of what is loaded or read now, None when there is none."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self.fraction: float | None = None
        self._started = False
        self._stage = "waiting"
        self._stage_since = clock()
        self._first_fraction = 0.0
        self._read: PromptProgress | None = None
        self._began = clock()
        self._first_word: float | None = None
        self._pieces = 0
        self._context = 0
        self._usage: Usage | None = None
        self._waits_until: float | None = None  # a service is busy, and asked again then

    def take(self, event: SessionEvent) -> None:
        from desktop.chat.turns import Ended, Started
        from providers.events import (
            LoadProgress,
            ModelReady,
            PromptProgress,
            ReasoningDelta,
            TextDelta,
            Usage,
            Waiting,
        )

        match event:
            case Started():
                self._started = True
                self._began = self._clock()
            case LoadProgress(fraction):
                self._advance("loading", fraction)
            case ModelReady(placement):
                self._context = placement.context_tokens
                self.fraction = None
                self._stage = "waiting"
                self._began = self._clock()
            case PromptProgress(done, total, reused):
                self._read = event
                new = max(1, total - reused)
                self._advance("reading", (done - reused) / new)
            case TextDelta() | ReasoningDelta():
                if self._first_word is None:
                    self._first_word = self._clock()
                    self.fraction = None
                    self._stage = "answering"
                self._pieces += 1
            case Waiting(seconds):
                self._waits_until = self._clock() + seconds
                self._stage = "busy"
            case Usage():
                self._usage = event
            case Ended():
                self.fraction = None
                self._stage = "over"
            case _:
                pass

    def _advance(self, stage: str, fraction: float) -> None:
        if stage != self._stage:
            self._stage, self._stage_since, self._first_fraction = stage, self._clock(), fraction
        self.fraction = min(1.0, max(0.0, fraction))

    def words(self, now: float) -> str:
        """The line for the status bar. `now` on the clock given at the start."""
        match self._stage:
            case "loading":
                return tr(
                    "Loading the model · {percent} %", percent=round((self.fraction or 0) * 100)
                ) + self._left(now)
            case "reading" if self._read is not None:
                text = tr(
                    "Reading · {done} of {total} tokens",
                    done=f"{self._read.done:,}",
                    total=f"{self._read.total:,}",
                )
                return text + self._left(now)
            case "answering":
                return self._answering(now)
            case "over":
                return self._over()
            case "busy" if self._waits_until is not None and now < self._waits_until:
                seconds = self._waits_until - now
                return tr("The provider is busy; asking again in {seconds} s", seconds=f"{seconds:.0f}")
        return tr("Starting…") if self._started else ""

    def _left(self, now: float) -> str:
        """An estimate of the rest, once there is enough to estimate from."""
        moved = (self.fraction or 0) - self._first_fraction
        if moved < 0.02 or now - self._stage_since < 1:
            return ""
        seconds = (1 - (self.fraction or 0)) * (now - self._stage_since) / moved
        return tr(" · about {seconds} s left", seconds=f"{seconds:.0f}") if seconds >= 1 else ""

    def _answering(self, now: float) -> str:
        first = self._first_word if self._first_word is not None else now
        parts = [tr("First word after {seconds} s", seconds=f"{first - self._began:.1f}")]
        if now - first > 0.5:
            parts.append(tr("{rate} tokens/s", rate=f"{self._pieces / (now - first):.0f}"))
        if self._read is not None and self._context:
            parts.append(self._of_context(self._read.total + self._pieces, self._context))
        return " · ".join(parts)

    def _over(self) -> str:
        usage = self._usage
        if usage is None or not usage.generated_tokens:
            return ""
        rate = usage.tokens_per_second
        return " · ".join(
            (
                tr("First word after {seconds} s", seconds=f"{usage.first_token_ms / 1000:.1f}"),
                *((tr("{rate} tokens/s", rate=f"{rate:.0f}"),) if rate >= 1 else ()),
                self._of_context(usage.prompt_tokens + usage.generated_tokens, usage.context_tokens),
            )
        )

    @staticmethod
    def _of_context(used: int, context: int) -> str:
        if not context:
            return tr("{used} tokens", used=f"{used:,}")
        return tr("{used} of {context} tokens of context", used=f"{used:,}", context=f"{context:,}")
