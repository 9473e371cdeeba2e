"""The words a quantizer and its parent exchange, as frozen dataclasses, one JSON object per line (see `codec`)."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import cast, get_args

from models.codec import Codec
from models.library.entry import LibraryEntry
from models.runtime.faults import Fault
from models.runtime.link import Record


class Problem(StrEnum):
    """Why no smaller version is made, besides what can be wrong with any model file (`Fault`)."""

    UNKNOWN_TYPE = "unknown_type"
    NEEDS_MEASURING = "needs_measuring"  # the type is nonsense without an importance matrix
    QUANTIZED_ALREADY = "quantized_already"  # and nobody said to do it all the same
    NOT_SMALLER = "not_smaller"
    NOT_A_MODEL = "not_a_model"  # projectors, adapters, vocabularies
    EXISTS = "exists"
    NO_SPACE = "no_space"
    DISK = "disk"
    STOPPED = "stopped"  # the process ended without a reason of its own
    REFUSED = "refused"  # by llama.cpp, in its own words


# ---- parent -> quantizer


@dataclass(frozen=True, slots=True)
class Survey:
    """Read the header of `source` and compute how large it would be in these types. Answered by `Surveyed`."""

    source: str
    types: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Make:
    """Write `target`, a name in the folder of this process. Answered by `Making` for each tensor, at last `Made`.

    `keep_output`: the last layer stays as exact as it is. `again`: the source may be quantized already.
    """

    source: str
    target: str
    type: str
    keep_output: bool = False
    again: bool = False


# ---- quantizer -> parent


@dataclass(frozen=True, slots=True)
class Ready:
    """First message. `lock` is the report of its lock in words."""

    lock: str
    locked: bool


@dataclass(frozen=True, slots=True)
class TypeSize:
    """What a type would come to. `measured`: llama.cpp would want an importance matrix for it."""

    type: str
    bytes: int
    measured: bool


@dataclass(frozen=True, slots=True)
class Surveyed:
    """The source as the library would list it, and the sizes that were asked for."""

    entry: LibraryEntry
    sizes: tuple[TypeSize, ...]


@dataclass(frozen=True, slots=True)
class Making:
    """A tensor is begun: the `done`-th of `total`."""

    done: int
    total: int


@dataclass(frozen=True, slots=True)
class Checking:
    """Everything is written; it is read back now, and hashed."""


@dataclass(frozen=True, slots=True)
class Made:
    """The file is on the disk, whole."""

    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Failed:
    problem: Problem | Fault
    detail: str = ""
    facts: dict[str, int | str] = field(default_factory=dict)


Command = Survey | Make
Report = Ready | Surveyed | Making | Checking | Made | Failed

_COMMANDS = Codec(get_args(Command))
_REPORTS = Codec(get_args(Report))


def encode(message: Command | Report) -> Record:
    """The record of a message."""
    return _REPORTS.encode(message)


def decode_command(record: Record) -> Command:
    """The command of a record from the parent. Raises `ProtocolError`."""
    return cast(Command, _COMMANDS.decode(record))


def decode_report(record: Record) -> Report:
    """The report of a record from a quantizer. Raises `ProtocolError`."""
    return cast(Report, _REPORTS.decode(record))
