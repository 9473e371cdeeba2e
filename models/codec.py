"""Frozen dataclasses as JSON objects and back, strictly: how processes that do not trust each other speak.

A record that does not fit its class exactly (unknown kind, missing or surplus field, wrong type) raises
`ProtocolError`. What a message is made of: str, int, float, bool, None, bytes (as base64), StrEnum,
dict[str, …], tuple[…, ...], unions, and dataclasses of these.
"""

from __future__ import annotations

import base64
import functools
import types
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields, is_dataclass
from enum import StrEnum
from typing import Any, Union, cast, get_args, get_origin, get_type_hints

Record = Mapping[str, object]
"""One line of a protocol: a JSON object."""


class ProtocolError(Exception):
    """The other side said something that is no message. Never holds more than a cut of what it said."""


def encode(message: object) -> Record:
    """The record of a message: its fields, and its class under "kind"."""
    record = _plain_fields(message)
    record["kind"] = type(message).__name__
    return record


class Codec:
    """A closed set of messages, each a frozen dataclass; its name is its kind in a record."""

    def __init__(self, kinds: Iterable[type]) -> None:
        self._kinds = {kind.__name__: kind for kind in kinds}

    def encode(self, message: object) -> Record:
        """As `encode`."""
        return encode(message)

    def decode(self, record: Record) -> object:
        """The message of a record. Raises `ProtocolError` for a kind that is not of this set, too."""
        kind = self._kinds.get(str(record.get("kind")))
        if kind is None:
            raise ProtocolError(f"unknown kind {record.get('kind')!r:.60}")
        return _build(kind, {name: value for name, value in record.items() if name != "kind"})


_LARGEST = 1 << 63


@functools.cache
def _field_names(kind: type) -> tuple[str, ...]:
    return tuple(item.name for item in fields(kind))


def _plain_fields(message: object) -> dict[str, object]:
    kind: type = type(message)
    return {name: _plain(getattr(message, name)) for name in _field_names(kind)}


_AS_THEY_ARE = frozenset({str, int, float, bool, type(None)})


def _plain(value: object) -> object:
    kind = type(value)
    if kind in _AS_THEY_ARE:
        return value
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if issubclass(kind, str):  # a StrEnum
        return value
    if is_dataclass(value):
        return _plain_fields(value)
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return value


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
    if hint is bytes:
        return _read_bytes
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


def _read_bytes(value: object) -> object:
    try:
        return base64.b64decode(cast(str, _read_exactly(str, value)), validate=True)
    except ValueError as error:
        raise ProtocolError(f"{value!r:.60} where base64 is expected") from error


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
