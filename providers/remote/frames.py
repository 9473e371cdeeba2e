"""The body of an answer in pieces: event streams and lines of JSON, cut out of bytes that come in any pieces.

Written against the WHATWG's event streams (https://html.spec.whatwg.org/multipage/server-sent-events.html). Lines end
at CR, LF or both and nowhere else: JSON may hold U+2028 and its like, at which `str.splitlines` would cut.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NoReturn

from providers.remote.dialect import MOST_ANSWER_BYTES, MOST_LINE_BYTES
from providers.remote.faults import RemoteFailure, RemoteFault

LARGEST = 1 << 53
"""Of a number that is counted with. What a stranger says beyond it is taken for this."""
DEEPEST = 500
"""Objects in objects. Deeper ones are no answer: what Python has read it could not always write again."""
_MOST_STRAY_LINES = 100_000


@dataclass(frozen=True, slots=True)
class Frame:
    """One event. `name` is "" where the stream gives none."""

    name: str
    data: str


class Lines:
    """Cuts bytes into lines, without their ends. Costs as much as the bytes are long, however they come."""

    def __init__(self, most_line: int = MOST_LINE_BYTES, most_in_all: int = MOST_ANSWER_BYTES) -> None:
        self._most_line = most_line
        self._left = most_in_all
        self._pieces: list[bytes] = []  # of the line that has not ended; joined once
        self._size = 0
        self._after_cr = False  # the piece before ended with CR: an LF that follows belongs to it

    def take(self, data: bytes) -> Iterator[bytes]:
        """The lines that these bytes complete. Raises `RemoteFailure` (TOO_LARGE)."""
        self._left -= len(data)
        if self._left < 0:
            raise RemoteFailure(RemoteFault.TOO_LARGE)
        if self._after_cr and data:
            self._after_cr = False
            data = data.removeprefix(b"\n")
        if data.endswith(b"\r"):
            self._after_cr = True
        if b"\r" in data:
            data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        first, *others = data.split(b"\n")
        self._keep(first)
        for other in others:
            yield self._whole()
            self._keep(other)

    def rest(self) -> bytes:
        """What stands behind the last line end."""
        return self._whole()

    def _whole(self) -> bytes:
        line = b"".join(self._pieces)
        self._pieces, self._size = [], 0
        return line

    def _keep(self, piece: bytes) -> None:
        self._size += len(piece)
        if self._size > self._most_line:
            raise RemoteFailure(RemoteFault.TOO_LARGE)
        if piece:
            self._pieces.append(piece)


class EventStream:
    """Cuts bytes into events. Invalid UTF-8 becomes the replacement character; it is never an error."""

    def __init__(self, most_event: int = MOST_LINE_BYTES, most_in_all: int = MOST_ANSWER_BYTES) -> None:
        self._most = most_event
        self._lines = Lines(most_event, most_in_all)
        self._data: list[bytes] = []
        self._size = 0
        self._name = b""
        self._begun = False
        self._other: list[bytes] = []  # lines that no event stream has: what came may not be one at all
        self._other_size = 0

    def take(self, data: bytes) -> Iterator[Frame]:
        """The events that these bytes complete. Raises `RemoteFailure` (TOO_LARGE)."""
        for line in self._lines.take(data):
            yield from self._line(line)

    def end(self) -> Iterator[Frame]:
        """The body is over. An event that no blank line ended is one all the same: several services end so."""
        yield from self._line(self._lines.rest())
        yield from self._dispatch()

    @property
    def stray(self) -> str:
        """What came outside any event: a body that is no event stream, an error in plain JSON for instance."""
        return b"\n".join(self._other).decode("utf-8", "replace")

    def _line(self, line: bytes) -> Iterator[Frame]:
        if not self._begun:
            self._begun = True
            line = line.removeprefix(b"\xef\xbb\xbf")
        if not line:
            yield from self._dispatch()
            return
        field, colon, value = line.partition(b":")
        value = value.removeprefix(b" ")
        match field:
            case b"data":
                self._size += len(value) + 1
                if self._size > self._most:
                    raise RemoteFailure(RemoteFault.TOO_LARGE)
                self._data.append(value)
            case b"event":
                self._name = value
            case b"" | b"id" | b"retry" if colon:
                pass
            case _ if self._other_size + len(line) <= self._most and len(self._other) < _MOST_STRAY_LINES:
                self._other_size += len(line)
                self._other.append(line)

    def _dispatch(self) -> Iterator[Frame]:
        data, name = self._data, self._name
        self._data, self._name, self._size = [], b"", 0
        if data:
            yield Frame(name.decode("utf-8", "replace"), b"\n".join(data).decode("utf-8", "replace"))


def read_json(text: str) -> Any:
    """A JSON value; fractions stay text (`Fraction`), so that money keeps its digits. Raises `RemoteFailure`."""
    try:
        value = _DECODER.decode(text)
    except (ValueError, RecursionError) as error:
        raise RemoteFailure(RemoteFault.UNREADABLE, "not JSON") from error
    if text.count("[") + text.count("{") > DEEPEST and is_deeper(value, DEEPEST):
        raise RemoteFailure(RemoteFault.UNREADABLE, "nested too deep")
    return value


def is_deeper(value: object, most: int) -> bool:
    """Whether there are objects or lists in it, so many of them in each other and more."""
    level = [value]
    for _ in range(most):
        inner = [
            part.values() if isinstance(part, dict) else part
            for part in level
            if isinstance(part, dict | list)
        ]
        if not inner:
            return False
        level = [part for parts in inner for part in parts]
    return any(isinstance(part, dict | list) for part in level)


class Fraction(float):
    """A number of JSON with the digits that it was written with."""

    __slots__ = ("written",)

    def __new__(cls, written: str) -> Fraction:
        made = super().__new__(cls, written)
        made.written = written
        return made

    written: str


def at(value: object, *path: str | int) -> object:
    """What lies at a path of names and places in a JSON value; None where there is nothing. Never raises."""
    for step in path:
        if isinstance(value, dict) and isinstance(step, str):
            value = value.get(step)
        elif isinstance(value, list) and isinstance(step, int) and -len(value) <= step < len(value):
            value = value[step]
        else:
            return None
    return value


def text(value: object, *path: str | int) -> str:
    """The text there; "" for anything else."""
    found = at(value, *path)
    return found if isinstance(found, str) else ""


def count(value: object, *path: str | int) -> int:
    """The number there as one that can be counted with, 0 to `LARGEST`; 0 for anything else."""
    found = at(value, *path)
    if isinstance(found, bool) or not isinstance(found, int | float) or found != found:
        return 0
    return int(max(0, min(found, LARGEST)))


def items(value: object, *path: str | int) -> list[Any]:
    """The list there; an empty one for anything else."""
    found = at(value, *path)
    return found if isinstance(found, list) else []


def table(value: object, *path: str | int) -> dict[str, Any]:
    """The object there; an empty one for anything else."""
    found = at(value, *path)
    return found if isinstance(found, dict) else {}


def _integer(digits: str) -> int:
    # Python refuses to turn thousands of digits into a number; nothing is counted that far here.
    return LARGEST if len(digits) > 300 else int(digits)


def _no_such_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number of JSON")


_DECODER = json.JSONDecoder(
    parse_float=Fraction, parse_int=_integer, parse_constant=_no_such_number, strict=False
)
