"""A model on this machine as a provider: loaded with its first answer, or before when asked to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import aclosing, contextmanager
from pathlib import Path
from typing import assert_never

from models.runtime import protocol
from models.runtime.engine import AnswerReport, Engine, LoadReport
from models.runtime.faults import RuntimeFault
from models.runtime.json_schema import constraint_grammar
from models.runtime.values import Effort, LoadOptions, ModelCard, Placement
from providers.base import ChatRequest
from providers.errors import ProviderError
from providers.events import (
    Event,
    Finished,
    LoadProgress,
    ModelReady,
    PromptProgress,
    ReasoningDelta,
    TextDelta,
    ToolCall,
    Usage,
)

_AUTOMATIC = LoadOptions()

Answered = Callable[[ModelCard, Placement, Usage], None]
"""Told which model answered, where it runs, and what the answer took."""


class LocalModel:
    """One model file. Its engine is its own."""

    def __init__(
        self,
        engine: Engine,
        path: Path,
        options: LoadOptions = _AUTOMATIC,
        title: str = "",
        answered: Answered | None = None,
        template: Callable[[], str] = str,
    ) -> None:
        """`title`: what to call it when its own header is not to be asked. `answered` is told of each whole answer.

        `template`: asked before each answer for a template to use instead of the file's own; "" for none.
        """
        self._engine = engine
        self._path = path
        self._title = title
        self._answered = answered
        self._template = template
        self._working = 0
        self._idle_since: float | None = None
        self.options = options
        """How to load it. Takes effect with the next answer, which then loads the model again."""

    @property
    def name(self) -> str:
        """Its title, else what its own header says once it is loaded, else its file's name."""
        card = self.card
        if card is None:
            return self._title or self._path.stem
        return f"{self._title or card.name} {card.quantization}".strip()

    @property
    def origin(self) -> str:
        """This device."""
        return ""

    @property
    def card(self) -> ModelCard | None:
        """What its header says; None while it is not loaded."""
        loaded = self._engine.loaded
        return loaded.card if loaded is not None else None

    @property
    def placement(self) -> Placement | None:
        """Where it runs and why; None while it is not loaded."""
        loaded = self._engine.loaded
        return loaded.placement if loaded is not None else None

    @property
    def idle_since(self) -> float | None:
        """When it last stopped loading or answering, on the loop's clock; None while it does, or is not loaded."""
        return None if self._working or self.card is None else self._idle_since

    @property
    def efforts(self) -> tuple[Effort, ...]:
        """How much thinking may be asked for; none while it is not loaded."""
        loaded = self._engine.loaded
        return loaded.efforts if loaded is not None else ()

    def use_room(self, can_make: Callable[[], bool], make: Callable[[], Awaitable[bool]]) -> None:
        """How to get more memory for a load that does not fit."""
        self._engine.use_room(can_make, make)

    @contextmanager
    def _at_work(self) -> Iterator[None]:
        self._working += 1
        try:
            yield
        finally:
            self._working -= 1
            self._idle_since = asyncio.get_running_loop().time()

    async def load(self) -> AsyncGenerator[LoadProgress | ModelReady, None]:
        """Load now, unless it is loaded; ends with `ModelReady`. Closing it cancels. Raises `ProviderError`."""
        with self._at_work():
            try:
                async with aclosing(self._engine.load(self._path, self.options, self._template())) as reports:
                    async for report in reports:
                        if isinstance(report, protocol.LoadProgress):
                            yield LoadProgress(report.fraction)
            except RuntimeFault as fault:
                raise self._error(fault) from fault
        placement = self.placement
        if placement is not None:
            yield ModelReady(placement, self.efforts)

    async def stream(self, request: ChatRequest) -> AsyncGenerator[Event, None]:
        """Answer, loading the model first if need be. Closing it cancels; then the model is idle."""
        with self._at_work():
            try:
                grammar = constraint_grammar(request.constraint)
                async with aclosing(self._engine.load(self._path, self.options, self._template())) as loading:
                    async for report in loading:
                        yield _loading_event(report)
                answer = self._engine.generate(
                    request.turns,
                    request.sampling,
                    request.max_tokens,
                    grammar,
                    request.adapters,
                    request.tools,
                    request.effort,
                )
                async with aclosing(answer) as reports:
                    async for said in reports:
                        for event in _events(said):
                            self._tell_of(event)
                            yield event
            except RuntimeFault as fault:
                raise self._error(fault) from fault

    def _tell_of(self, event: Event) -> None:
        loaded = self._engine.loaded
        if self._answered is not None and loaded is not None and isinstance(event, Usage):
            self._answered(loaded.card, loaded.placement, event)

    def _error(self, fault: RuntimeFault) -> ProviderError:
        return ProviderError(fault.fault, fault.detail, {**fault.facts, "file": self._path.name})

    async def close(self) -> None:
        """Free its memory: the worker ends. The next answer loads it again."""
        await self._engine.close()


def _loading_event(report: LoadReport) -> Event:
    if isinstance(report, protocol.LoadProgress):
        return LoadProgress(report.fraction)
    return ModelReady(report.placement, report.efforts)


def _events(report: AnswerReport) -> tuple[Event, ...]:
    match report:
        case protocol.Piece(text, reasoning):
            return (ReasoningDelta(text) if reasoning else TextDelta(text),)
        case protocol.Called(call):
            return (ToolCall(call.id, call.name, call.arguments),)
        case protocol.PromptProgress(done, total, reused):
            return (PromptProgress(done, total, reused),)
        case protocol.Completed():
            usage = Usage(
                prompt_tokens=report.prompt_tokens,
                reused_tokens=report.reused_tokens,
                generated_tokens=report.generated_tokens,
                context_tokens=report.context_tokens,
                first_token_ms=report.first_token_ms,
                prompt_ms=report.prompt_ms,
                generate_ms=report.generate_ms,
            )
            return usage, Finished(report.reason, report.omitted_turns)
        case protocol.LoadProgress() | protocol.Loaded():
            return (_loading_event(report),)
        case _:
            assert_never(report)
