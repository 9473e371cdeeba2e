"""The words a scanner and its parent exchange, as frozen dataclasses, one JSON object per line (see `codec`)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast, get_args

from models.codec import Codec
from models.library.candidates import Candidate, Place, Unreadable
from models.library.entry import LibraryEntry, ModelFile
from models.runtime.faults import Fault
from models.runtime.link import Record

# ---- parent -> scanner


@dataclass(frozen=True, slots=True)
class KnownModel:
    """A model as it was when its headers were read: while its files look the same, they are not read again."""

    files: tuple[ModelFile, ...]


@dataclass(frozen=True, slots=True)
class Remember:
    """What is known already; may be sent several times before `Scan`."""

    models: tuple[KnownModel, ...]


@dataclass(frozen=True, slots=True)
class Scan:
    """Look into these places. Answered by `Entering`, `Reading`, `Found`, …, and `Finished` at the end."""

    places: tuple[Place, ...]


@dataclass(frozen=True, slots=True)
class Verify:
    """Hash these files. Answered by `Hashing` now and then, `Hashed` for each, and `Finished`, or `Failed`."""

    files: tuple[ModelFile, ...]


# ---- scanner -> parent


@dataclass(frozen=True, slots=True)
class Ready:
    """First message of a scanner. `lock` is the report of its lock in words."""

    lock: str
    locked: bool


@dataclass(frozen=True, slots=True)
class Entering:
    """A place is looked into from now on."""

    place: Place


@dataclass(frozen=True, slots=True)
class Reading:
    """The headers of these files are opened now: if nothing more is heard, they are why."""

    candidate: Candidate
    files: tuple[ModelFile, ...]


@dataclass(frozen=True, slots=True)
class Found:
    """A model that is new or has changed."""

    entry: LibraryEntry


@dataclass(frozen=True, slots=True)
class Unchanged:
    """A model that is known, by its path. None of its files was opened."""

    path: str


@dataclass(frozen=True, slots=True)
class Looking:
    """A sign of life, some times a second: the models seen so far."""

    models: int


@dataclass(frozen=True, slots=True)
class Finished:
    """The command is done. `files_opened`: how many model files were opened for it."""

    models: int
    files_opened: int


@dataclass(frozen=True, slots=True)
class Hashing:
    """Bytes hashed so far, and of how many, of all files together."""

    done: int
    total: int


@dataclass(frozen=True, slots=True)
class Hashed:
    """One file, as it was before and after it was hashed, with its SHA-256."""

    file: ModelFile


@dataclass(frozen=True, slots=True)
class Failed:
    """A file could not be hashed."""

    path: str
    fault: Fault
    detail: str = ""


Command = Remember | Scan | Verify
Report = (
    Ready
    | Entering
    | Reading
    | Found
    | Unchanged
    | Unreadable
    | Looking
    | Finished
    | Hashing
    | Hashed
    | Failed
)

_COMMANDS = Codec(get_args(Command))
_REPORTS = Codec(get_args(Report))


def encode(message: Command | Report) -> Record:
    """The record of a message."""
    return _REPORTS.encode(message)


def decode_command(record: Record) -> Command:
    """The command of a record from the parent. Raises `ProtocolError`."""
    return cast(Command, _COMMANDS.decode(record))


def decode_report(record: Record) -> Report:
    """The report of a record from a scanner. Raises `ProtocolError`."""
    return cast(Report, _REPORTS.decode(record))
