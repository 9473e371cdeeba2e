"""One JSON object per line: how a record becomes bytes and comes back, whatever is in it, however it is cut.

Lines end at the byte 0x0A and nowhere else (`str.splitlines` would also cut at U+2028 and its like).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import NoReturn

MAX_LINE_BYTES = 64 * 1024 * 1024


class BadRecord(ValueError):
    """Bytes that are not one record of the protocol, or an object that cannot be one."""


def encode_line(record: Mapping[str, object]) -> bytes:
    """The record as one line. Raises TypeError for a value JSON cannot hold, `BadRecord` when it is too long.

    Pure ASCII: any text survives, a lone half of a surrogate pair from a damaged paste included.
    """
    line = _ENCODER.encode(dict(record)).encode("ascii") + b"\n"
    if len(line) > MAX_LINE_BYTES:
        raise BadRecord(f"a record of {len(line)} bytes is too long")
    return line


def decode_line(line: bytes) -> dict[str, object]:
    """The record in a line. Raises `BadRecord` for anything else, however odd, and no other error."""
    try:
        record = _DECODER.decode(line.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise BadRecord(f"not JSON: {error}") from error
    if not isinstance(record, dict):
        raise BadRecord(f"not an object but {type(record).__name__}")
    return record


def _no_such_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")


# Made once: `json.dumps` and `json.loads` make them anew for each line.
_ENCODER = json.JSONEncoder(allow_nan=False, separators=(",", ":"))
_DECODER = json.JSONDecoder(parse_constant=_no_such_number)


class LineSplitter:
    """Cuts a stream of bytes, arriving in any pieces, into lines."""

    def __init__(self, max_line_bytes: int = MAX_LINE_BYTES) -> None:
        self._max = max_line_bytes
        self._pieces: list[bytes] = []  # of the line that has not ended yet; joined once, when it does
        self._size = 0

    def feed(self, data: bytes) -> list[bytes]:
        """The lines that `data` completes, without their ends. Raises `BadRecord` once a line is too long."""
        first, *others = data.split(b"\n")
        self._keep(first)
        if not others:
            return []
        *whole, rest = others
        lines = [b"".join(self._pieces), *whole]
        self._pieces, self._size = [], 0
        self._keep(rest)
        return lines

    def _keep(self, piece: bytes) -> None:
        self._size += len(piece)
        if self._size > self._max:
            raise BadRecord(f"a line is longer than {self._max} bytes")
        if piece:
            self._pieces.append(piece)
