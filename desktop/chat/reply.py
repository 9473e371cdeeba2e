"""An answer while it is being received: events in, the message as it stands out. No disk, no model."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import assert_never

from desktop.store.records import Message, Status
from models.runtime.faults import StopReason
from providers.errors import ProviderError
from providers.events import (
    Billed,
    Event,
    Finished,
    Limits,
    LoadProgress,
    ModelReady,
    PromptProgress,
    ReasoningDelta,
    ReasoningRecord,
    TextDelta,
    ToolCall,
    Usage,
    Waiting,
)


class Reply:
    """Collects one answer. `changed` is True while there is text that `message` was not asked for since."""

    def __init__(self, empty: Message, clock: Callable[[], float] = time.monotonic) -> None:
        self._message = empty
        self._clock = clock
        self._text: list[str] = []
        self._reasoning: list[str] = []
        self._reasoning_since: float | None = None
        self.changed = False
        self.ended = False

    def take(self, event: Event) -> None:
        """Add one event of the stream."""
        match event:
            case TextDelta(text):
                self._end_reasoning()
                self._text.append(text)
                self.changed = True
            case ReasoningDelta(text):
                if self._reasoning_since is None:
                    self._reasoning_since = self._clock()
                self._reasoning.append(text)
                self.changed = True
            case Usage():
                self._count(event)
            case Finished(reason, omitted_turns):
                self._end(Status.STOPPED if reason is StopReason.CANCELLED else Status.COMPLETE)
                self._message = replace(self._message, stop_reason=reason.value, omitted_turns=omitted_turns)
            case Billed():
                self._message = replace(
                    self._message,
                    cost=event.cost,
                    currency=event.currency,
                    cost_basis=event.basis.value,
                    priced_on=event.priced_on,
                )
            case LoadProgress() | ModelReady() | PromptProgress() | ToolCall():
                pass
            case ReasoningRecord() | Waiting() | Limits():
                pass
            case _:
                assert_never(event)

    def stop(self) -> None:
        """The person stopped the answer. What there is of it stays."""
        self._end(Status.STOPPED)
        self._message = replace(self._message, stop_reason=StopReason.CANCELLED.value)

    def fail(self, error: ProviderError) -> None:
        """The model failed. What there is of the answer stays."""
        self._end(Status.FAILED)
        self._message = replace(
            self._message,
            fault=error.kind.value,
            fault_detail=error.detail,
            fault_facts=error.facts,
        )

    def message(self) -> Message:
        """The answer as it stands."""
        self.changed = False
        self._text[:] = ["".join(self._text)]
        self._reasoning[:] = ["".join(self._reasoning)]
        return replace(self._message, text=self._text[0], reasoning=self._reasoning[0])

    def _end_reasoning(self) -> None:
        if self._reasoning_since is not None:
            seconds = self._clock() - self._reasoning_since
            self._message = replace(self._message, reasoning_ms=self._message.reasoning_ms + seconds * 1000)
            self._reasoning_since = None

    def _end(self, status: Status) -> None:
        self._end_reasoning()
        self.ended = True
        self._message = replace(self._message, status=status, finished_at=time.time())

    def _count(self, usage: Usage) -> None:
        self._message = replace(
            self._message,
            prompt_tokens=usage.prompt_tokens,
            reused_tokens=usage.reused_tokens,
            generated_tokens=usage.generated_tokens,
            context_tokens=usage.context_tokens,
            first_token_ms=usage.first_token_ms,
            prompt_ms=usage.prompt_ms,
            generate_ms=usage.generate_ms,
        )
