"""What a model says while it answers: a closed union, matched with `assert_never`."""

from __future__ import annotations

from dataclasses import dataclass

from models.runtime.faults import StopReason
from models.runtime.values import Effort, Placement


@dataclass(frozen=True, slots=True)
class LoadProgress:
    """The model is being loaded; `fraction` 0..1."""

    fraction: float


@dataclass(frozen=True, slots=True)
class ModelReady:
    """The model is loaded; `placement` says where it runs and why, `efforts` how much thinking may be asked for."""

    placement: Placement
    efforts: tuple[Effort, ...] = ()


@dataclass(frozen=True, slots=True)
class PromptProgress:
    """Tokens of the prompt processed so far, of `total`; `reused` were in memory from the turn before."""

    done: int
    total: int
    reused: int


@dataclass(frozen=True, slots=True)
class TextDelta:
    text: str


@dataclass(frozen=True, slots=True)
class ReasoningDelta:
    text: str


@dataclass(frozen=True, slots=True)
class ToolCall:
    """The model asks for a tool. `arguments`: a JSON object as text; a model wrote it: untrusted."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Usage:
    """Counts in tokens, times in milliseconds. Zero where a provider does not tell."""

    prompt_tokens: int = 0
    reused_tokens: int = 0
    generated_tokens: int = 0
    context_tokens: int = 0
    first_token_ms: float = 0.0
    prompt_ms: float = 0.0
    generate_ms: float = 0.0

    @property
    def tokens_per_second(self) -> float:
        return self.generated_tokens / self.generate_ms * 1000 if self.generate_ms > 0 else 0.0


@dataclass(frozen=True, slots=True)
class Finished:
    """The last event of every stream that did not fail.

    `omitted_turns`: how many of the oldest turns did not fit the context.
    """

    reason: StopReason
    omitted_turns: int = 0


Event = LoadProgress | ModelReady | PromptProgress | TextDelta | ReasoningDelta | ToolCall | Usage | Finished
