"""The words an embedder and its parent exchange, as frozen dataclasses, one JSON object per line (see `codec`)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import cast, get_args

from models.codec import Codec
from models.runtime.faults import Fault
from models.runtime.link import Record
from models.runtime.values import ModelCard

# ---- parent -> embedder


@dataclass(frozen=True, slots=True)
class Open:
    """Load this file. Answered by `Opening` now and then and `Opened`, or `Failed`. Once for each process."""

    path: str
    threads: int | None = None


@dataclass(frozen=True, slots=True)
class Embed:
    """Answered by `Embedded` or `Failed`."""

    texts: tuple[str, ...]


# ---- embedder -> parent


@dataclass(frozen=True, slots=True)
class Ready:
    """First message. `lock` is the report of its lock in words."""

    lock: str
    locked: bool


@dataclass(frozen=True, slots=True)
class Opening:
    fraction: float  # 0..1 of the weights


@dataclass(frozen=True, slots=True)
class Opened:
    """`width`: numbers in a vector. `longest`: tokens of a text that count. `pooling`: how they become one vector."""

    card: ModelCard
    width: int
    longest: int
    pooling: str


@dataclass(frozen=True, slots=True)
class Embedded:
    """A vector of length 1 for each text. `cut`: the places of those that were longer than the model reads."""

    vectors: tuple[tuple[float, ...], ...]
    tokens: int
    cut: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Failed:
    fault: Fault
    detail: str = ""
    facts: dict[str, int | str] = field(default_factory=dict)


Command = Open | Embed
Report = Ready | Opening | Opened | Embedded | Failed

_COMMANDS = Codec(get_args(Command))
_REPORTS = Codec(get_args(Report))


def encode(message: Command | Report) -> Record:
    """The record of a message."""
    return _REPORTS.encode(message)


def decode_command(record: Record) -> Command:
    """The command of a record from the parent. Raises `ProtocolError`."""
    return cast(Command, _COMMANDS.decode(record))


def decode_report(record: Record) -> Report:
    """The report of a record from an embedder. Raises `ProtocolError`."""
    return cast(Report, _REPORTS.decode(record))
