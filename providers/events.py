"""What a model says while it answers: a closed union, matched with `assert_never`."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

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
class ReasoningRecord:
    """A service's own record of what its model thought, to be sent back unchanged with the turn. Shown to nobody.

    Signed or encrypted there; only the dialect that made it can read `data`.
    """

    data: str


@dataclass(frozen=True, slots=True)
class Waiting:
    """A service was busy and took nothing; it is asked again after so many seconds. `attempt` counts from 1."""

    seconds: float
    attempt: int


@dataclass(frozen=True, slots=True)
class Limits:
    """What a service says may still be asked of it. None: it does not tell. `resets_in`: seconds."""

    requests_left: int | None = None
    tokens_left: int | None = None
    resets_in: float | None = None


class CostBasis(StrEnum):
    """Where the cost of an answer is known from."""

    REPORTED = "reported"  # the service said so
    COMPUTED = "computed"  # tokens times a price list
    UNKNOWN = "unknown"  # and that is not nothing


@dataclass(frozen=True, slots=True)
class Billed:
    """What an answer cost. `cost`: a decimal number as text, "" when unknown; `priced_on`: the price list's day."""

    cost: str = ""
    currency: str = ""  # ISO 4217
    basis: CostBasis = CostBasis.UNKNOWN
    priced_on: str = ""  # ISO 8601; "" when the service reported the cost


@dataclass(frozen=True, slots=True)
class Usage:
    """Counts in tokens, times in milliseconds. Zero where a provider does not tell.

    `prompt_tokens` are all that went in; of them `reused_tokens` came from memory or the service's cache, and
    `cache_write_tokens` were put into it. `generated_tokens` include `reasoning_tokens`.
    """

    prompt_tokens: int = 0
    reused_tokens: int = 0
    generated_tokens: int = 0
    context_tokens: int = 0
    first_token_ms: float = 0.0
    prompt_ms: float = 0.0
    generate_ms: float = 0.0
    reasoning_tokens: int = 0
    cache_write_tokens: int = 0

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


Event = (
    LoadProgress
    | ModelReady
    | PromptProgress
    | TextDelta
    | ReasoningDelta
    | ReasoningRecord
    | ToolCall
    | Waiting
    | Limits
    | Usage
    | Billed
    | Finished
)
