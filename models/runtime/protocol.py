"""The words a worker and its parent exchange, as frozen dataclasses, one JSON object per line.

`encode` and `decode_*` are the only places where a message meets a record. A record that does not fit its
class exactly (see `codec`) raises `ProtocolError`: a worker is not trusted, it has opened a file from a stranger.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import cast, get_args

from models.codec import Codec, encode
from models.codec import ProtocolError as ProtocolError
from models.runtime.faults import Fault, StopReason
from models.runtime.link import Record
from models.runtime.values import (
    Adapter,
    CalledTool,
    Effort,
    Gpu,
    Known,
    LoadOptions,
    ModelCard,
    Placement,
    Sampling,
    Tool,
    Turn,
)

__all__ = ["ProtocolError", "decode_command", "decode_report", "encode"]

LOOKING = -1

# ---- parent -> worker


@dataclass(frozen=True, slots=True)
class Inspect:
    """Read the header only and answer `Inspected` or `Failed`."""

    path: str


@dataclass(frozen=True, slots=True)
class ReadTemplate:
    """Read the chat template of a model, or of a text file, without loading the model; try it out, too.

    `path`: the model. `file`: a file with a template instead of the model's. `text`: a template instead of both.
    Answer `TemplateText` or `Failed`: NO_TEMPLATE where the model has none, TEMPLATE_BROKEN for another one.
    """

    path: str
    file: str = ""
    text: str = ""
    try_out: bool = True


@dataclass(frozen=True, slots=True)
class Load:
    """`state_files`: descriptors of files for what the model has read, which the parent opened for this process;
    `state_bytes`: what each may hold. `known`: what came of the last load like this one.
    `may_ask`: others would leave memory for this one, so refuse it rather than give it less than it could have."""

    path: str
    options: LoadOptions
    template: str = ""  # instead of the file's own
    state_files: tuple[int, ...] = ()
    state_bytes: int = 0
    known: Known | None = None
    may_ask: bool = False


@dataclass(frozen=True, slots=True)
class Generate:
    """`grammar`: in GBNF, what the answer must keep to; "" for any answer. `adapters`: to answer with, in order."""

    turns: tuple[Turn, ...]
    sampling: Sampling
    max_tokens: int | None = None
    grammar: str = ""
    adapters: tuple[Adapter, ...] = ()
    tools: tuple[Tool, ...] = ()
    effort: Effort = Effort.AUTOMATIC


@dataclass(frozen=True, slots=True)
class Park:
    """Keep what the model has read, as far as there are files for it, and answer `Parked`."""


@dataclass(frozen=True, slots=True)
class LookForGpus:
    """Answer `Gpus`: those that are there now."""


@dataclass(frozen=True, slots=True)
class Cancel:
    """Stop the load or the answer under way. Acted on by the reader thread, within milliseconds."""


# ---- worker -> parent


@dataclass(frozen=True, slots=True)
class Ready:
    """First message of a worker: locked down, library imported. `lock` is the report of the lock in words."""

    llama_cpp: str
    lock: str
    locked: bool


@dataclass(frozen=True, slots=True)
class Inspected:
    card: ModelCard


@dataclass(frozen=True, slots=True)
class Gpus:
    found: tuple[Gpu, ...]


@dataclass(frozen=True, slots=True)
class Stage:
    """The worker enters a stage. Each has a deadline, which the parent keeps.

    Of a load, in this order: "header", "vocabulary", "weights", "context", "template", "trial". Of an answer:
    "template", "prompt", "image" (and "prompt" again), "answer". `seconds` asks for a longer deadline where the
    worker knows that there is much to do (a large vocabulary, a large cache); the parent grants it up to a limit of
    its own. An answer with other adapters than the one before begins with "adapter".
    """

    name: str
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Trying:
    """A GPU is about to be used: whatever ends the worker from now on, its driver may have done it.

    `layers` 0: from now on none is used; `LOOKING`: drivers are asked which devices there are. `devices`: their
    signature.
    """

    layers: int
    devices: str


@dataclass(frozen=True, slots=True)
class LoadProgress:
    fraction: float  # 0..1 of the weights


@dataclass(frozen=True, slots=True)
class Loaded:
    card: ModelCard
    placement: Placement
    milliseconds: float
    efforts: tuple[Effort, ...] = ()  # what may be asked for besides AUTOMATIC


@dataclass(frozen=True, slots=True)
class TemplateText:
    """A template. `problem`: why it does not work, in the words of the template engine; "" when it does.

    `own_sha256`: of the one in the model's file; "" for none.
    """

    text: str
    sha256: str
    own_sha256: str = ""
    problem: str = ""
    efforts: tuple[Effort, ...] = ()
    takes_tools: bool = False


@dataclass(frozen=True, slots=True)
class PromptProgress:
    """Tokens of the prompt in the KV cache. `reused` of them were there from the turn before."""

    done: int
    total: int
    reused: int


@dataclass(frozen=True, slots=True)
class Piece:
    """Some text of the answer, always whole characters."""

    text: str
    reasoning: bool = False


@dataclass(frozen=True, slots=True)
class Called:
    """The model asks for a tool. Nothing is done about it here."""

    call: CalledTool


@dataclass(frozen=True, slots=True)
class Completed:
    """End of an answer. Times in milliseconds, counts in tokens.

    `omitted_turns`: the oldest turns left out because the conversation is longer than the context.
    `guessed_tokens`: guessed ahead; `accepted_tokens`: those of them that became part of the answer.
    """

    reason: StopReason
    prompt_tokens: int
    reused_tokens: int
    generated_tokens: int
    context_tokens: int
    prompt_ms: float
    first_token_ms: float
    generate_ms: float
    omitted_turns: int = 0
    guessed_tokens: int = 0
    accepted_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Parked:
    """What the model has read is kept, or there is nothing to keep."""


@dataclass(frozen=True, slots=True)
class Failed:
    fault: Fault
    detail: str = ""
    facts: dict[str, int | str] = field(default_factory=dict)


Command = Inspect | ReadTemplate | Load | Generate | Park | LookForGpus | Cancel
Report = (
    Ready
    | Inspected
    | TemplateText
    | Gpus
    | Stage
    | Trying
    | LoadProgress
    | Loaded
    | PromptProgress
    | Piece
    | Called
    | Completed
    | Parked
    | Failed
)


# ---- messages and records

_COMMANDS = Codec(get_args(Command))
_REPORTS = Codec(get_args(Report))


def decode_command(record: Record) -> Command:
    """The command of a record from the parent. Raises `ProtocolError`."""
    return cast(Command, _COMMANDS.decode(record))


def decode_report(record: Record) -> Report:
    """The report of a record from a worker. Raises `ProtocolError`."""
    return cast(Report, _REPORTS.decode(record))
