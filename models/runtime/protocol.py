"""The words a worker and its parent exchange, as frozen dataclasses, one JSON object per line.

`encode` and `decode_*` are the only places where a message meets a record. A record that does not fit its
class exactly (unknown kind, missing or surplus field, wrong type) raises `ProtocolError`: a worker is not
trusted, it has opened a file from a stranger.
"""

from __future__ import annotations

import functools
import types
from collections.abc import Callable
from dataclasses import dataclass, field, fields, is_dataclass
from enum import StrEnum
from typing import Any, Union, cast, get_args, get_origin, get_type_hints

from models.runtime.faults import Fault, StopReason
from models.runtime.link import Record
from models.runtime.values import LoadOptions, ModelCard, Placement, Sampling, Turn

# ---- parent -> worker


@dataclass(frozen=True, slots=True)
class Inspect:
    """Read the header only and answer `Inspected` or `Failed`."""

    path: str


@dataclass(frozen=True, slots=True)
class Load:
    """`state_files`: descriptors of files for what the model has read, which the parent opened for this process;
    `state_bytes`: what each may hold."""

    path: str
    options: LoadOptions
    state_files: tuple[int, ...] = ()
    state_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Generate:
    turns: tuple[Turn, ...]
    sampling: Sampling
    max_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class Park:
    """Keep what the model has read, as far as there are files for it, and answer `Parked`."""


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
class Stage:
    """The worker enters a stage. Each has a deadline, which the parent keeps.

    Of a load, in this order: "header", "vocabulary", "weights", "context", "template", "trial". Of an answer:
    "template", "prompt", "answer". `seconds` asks for a longer deadline where the worker knows that there is
    much to do (a large vocabulary, a large cache); the parent grants it up to a limit of its own.
    """

    name: str
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class LoadProgress:
    fraction: float  # 0..1 of the weights


@dataclass(frozen=True, slots=True)
class Loaded:
    card: ModelCard
    placement: Placement
    milliseconds: float


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
class Completed:
    """End of an answer. Times in milliseconds, counts in tokens.

    `omitted_turns`: the oldest turns left out because the conversation is longer than the context.
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


@dataclass(frozen=True, slots=True)
class Parked:
    """What the model has read is kept, or there is nothing to keep."""


@dataclass(frozen=True, slots=True)
class Failed:
    fault: Fault
    detail: str = ""
    facts: dict[str, int | str] = field(default_factory=dict)


Command = Inspect | Load | Generate | Park | Cancel
Report = (
    Ready | Inspected | Stage | LoadProgress | Loaded | PromptProgress | Piece | Completed | Parked | Failed
)


# ---- messages and records


class ProtocolError(Exception):
    """The other side said something that is not in this file. Never holds more than a cut of what it said."""


def encode(message: Command | Report) -> Record:
    """The record of a message: its fields, and its class under "kind"."""
    record = _plain_fields(message)
    record["kind"] = type(message).__name__
    return record


def decode_command(record: Record) -> Command:
    """The command of a record from the parent. Raises `ProtocolError`."""
    return cast(Command, _decode(record, _COMMANDS))


def decode_report(record: Record) -> Report:
    """The report of a record from a worker. Raises `ProtocolError`."""
    return cast(Report, _decode(record, _REPORTS))


_LARGEST = 1 << 63

_COMMANDS: dict[str, type] = {kind.__name__: kind for kind in get_args(Command)}
_REPORTS: dict[str, type] = {kind.__name__: kind for kind in get_args(Report)}


@functools.cache
def _field_names(kind: type) -> tuple[str, ...]:
    return tuple(item.name for item in fields(kind))


def _plain_fields(message: object) -> dict[str, object]:
    kind: type = type(message)
    return {name: _plain(getattr(message, name)) for name in _field_names(kind)}


def _plain(value: object) -> object:
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if is_dataclass(value):
        return _plain_fields(value)
    return value


def _decode(record: Record, kinds: dict[str, type]) -> object:
    kind = kinds.get(str(record.get("kind")))
    if kind is None:
        raise ProtocolError(f"unknown kind {record.get('kind')!r:.60}")
    return _build(kind, {name: value for name, value in record.items() if name != "kind"})


def _build(kind: type, values: dict[str, object]) -> object:
    readers = _readers(kind)
    if values.keys() != readers.keys():
        raise ProtocolError(f"{kind.__name__} with the fields {sorted(values)!s:.200}")
    return kind(**{name: read(values[name]) for name, read in readers.items()})


@functools.cache
def _readers(kind: type) -> dict[str, Callable[[object], object]]:
    hints = get_type_hints(kind)
    return {name: _reader(hints[name]) for name in _field_names(kind)}


def _reader(hint: Any) -> Callable[[object], object]:
    """A function that checks a JSON value against a type and gives it as that type."""
    origin = get_origin(hint)
    if origin in (types.UnionType, Union):
        return _any_of([_reader(choice) for choice in get_args(hint)])
    if origin is tuple:
        return _list_of(_reader(get_args(hint)[0]))
    if origin is dict:
        return _table_of(_reader(get_args(hint)[1]))
    if hint is float:
        return _read_number
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        return functools.partial(_read_choice, hint)
    if is_dataclass(hint):
        return functools.partial(_read_nested, cast(type, hint))
    return functools.partial(_read_exactly, hint)


def _read_exactly(wanted: type, value: object) -> object:
    if type(value) is not wanted:  # `isinstance` would take True for 1
        raise ProtocolError(f"{value!r:.60} where {wanted.__name__} is expected")
    if wanted is int and not -_LARGEST < cast(int, value) < _LARGEST:
        raise ProtocolError("an integer of more than 64 bits")
    return value


def _read_number(value: object) -> object:
    if type(value) not in (int, float) or not -_LARGEST < cast(float, value) < _LARGEST:  # false for NaN too
        raise ProtocolError(f"{value!r:.60} where a finite number is expected")
    return float(cast(float, value))


def _read_choice(wanted: type[StrEnum], value: object) -> object:
    try:
        return wanted(str(value))
    except ValueError as error:
        raise ProtocolError(f"{value!r:.60} is not one of {wanted.__name__}") from error


def _read_nested(wanted: type, value: object) -> object:
    if not isinstance(value, dict):
        raise ProtocolError(f"{value!r:.60} where {wanted.__name__} is expected")
    return _build(wanted, value)


def _any_of(readers: list[Callable[[object], object]]) -> Callable[[object], object]:
    def read(value: object) -> object:
        for reader in readers:
            try:
                return reader(value)
            except ProtocolError:
                continue
        raise ProtocolError(f"{value!r:.60} has none of the expected types")

    return read


def _list_of(reader: Callable[[object], object]) -> Callable[[object], object]:
    def read(value: object) -> object:
        if not isinstance(value, list):
            raise ProtocolError(f"{value!r:.60} where a list is expected")
        return tuple(reader(item) for item in value)

    return read


def _table_of(reader: Callable[[object], object]) -> Callable[[object], object]:
    def read(value: object) -> object:
        if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
            raise ProtocolError(f"{value!r:.60} where a table is expected")
        return {key: reader(item) for key, item in value.items()}

    return read
