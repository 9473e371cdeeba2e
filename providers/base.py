"""The one interface every model answers to, local or not."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from typing import Protocol

from models.runtime.values import Adapter, Constraint, Effort, Sampling, Tool, Turn
from providers.events import Event


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """One answer wanted: the whole conversation so far, system prompt first, the newest user message last.

    `constraint`: what the answer must keep to, JSON for instance. `adapters`: LoRA adapters for a model on this
    machine.
    """

    turns: tuple[Turn, ...]
    sampling: Sampling = field(default_factory=Sampling)
    max_tokens: int | None = None
    constraint: Constraint | None = None
    adapters: tuple[Adapter, ...] = ()
    tools: tuple[Tool, ...] = ()
    """What the model may ask for; it answers with `ToolCall`s. Nobody carries them out here."""
    effort: Effort = Effort.AUTOMATIC
    conversation: str = ""
    """Which one it is, for the ledger of what leaves. A model on this machine needs no name for it."""
    may_leave: bool = False
    """Whether this conversation may go to a remote model. Said by who has asked the store and the person; nobody said
    so: no."""


class Provider(Protocol):
    """A model that can be talked to.

    `stream` ends with `Finished` or raises `ProviderError`. Closing the iterator (`aclose`) cancels: when
    that returns, the model is idle.
    """

    @property
    def name(self) -> str:
        """What a person calls this model: "SmolLM2 135M Instruct Q4_1"."""

    @property
    def origin(self) -> str:
        """Where its answers are made: "" for this device, else the id of the provider."""

    def stream(self, request: ChatRequest) -> AsyncGenerator[Event, None]: ...

    async def close(self) -> None:
        """Free what the model holds (memory, a child process)."""
