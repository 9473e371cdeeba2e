"""How a row of the ledger becomes a line, and how a line proves what stands before it.

A line is the row's JSON in one fixed form (names sorted, ASCII, no blanks, no fractions) with two more fields:
"prev", the hash of the row before (64 zeros for the first), and "hash", over "prev" and the row without "hash":

    hash = SHA-256(prev + form(row))             "alg": "sha256"
    hash = HMAC-SHA-256(key, prev + form(row))   "alg": "hmac-sha256", once there is a key

Without a key, whoever can write the file can also compute a new chain: the hashes then show damage and careless
changes, and a forgery only against a head that was noted elsewhere. docs/ledger.md says the same to auditors.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NoReturn

PLAIN, KEYED = "sha256", "hmac-sha256"
NOTHING_BEFORE = "0" * 64
LONGEST_LINE = 64 * 1024

# Ends a torn row. No row holds it, and no change of one byte makes it out of a row.
TORN_MARK = b"\x18\x18\n"

Row = dict[str, object]


@dataclass(frozen=True, slots=True)
class Head:
    """The newest row: its number, counted from 1, and its hash. To be noted somewhere else as an anchor."""

    number: int = 0
    hash: str = NOTHING_BEFORE
    keyed: bool = False


def form(row: Mapping[str, object]) -> str:
    """The one way to write a row. Raises ValueError or TypeError for what a row can't hold."""
    return json.dumps(row, sort_keys=True, ensure_ascii=True, allow_nan=False, separators=(",", ":"))


def seal(row: Mapping[str, object], before: Head, key: bytes | None) -> tuple[bytes, Head]:
    """The line of a row that follows `before`, and the head that it is then."""
    whole: Row = {
        **row,
        "number": before.number + 1,
        "prev": before.hash,
        "alg": PLAIN if key is None else KEYED,
    }
    whole["hash"] = _hash(whole, key)
    line = form(whole).encode("ascii") + b"\n"
    if len(line) > LONGEST_LINE:
        raise ValueError("a row is too long")
    return line, Head(before.number + 1, str(whole["hash"]), key is not None)


def open_line(line: bytes, key: bytes | None) -> tuple[Row, Head] | None:
    """The row of a line without its end, and the head it is; None when it is not what it says it is.

    Proves the line itself; whether "prev" is really the row before, the caller compares. Without the key of a
    keyed line only its form can be looked at.
    """
    try:
        row = json.loads(line.decode("ascii"), parse_float=_no_fractions, parse_constant=_no_fractions)
        if type(row) is not dict or form(row).encode("ascii") != line:
            return None
        head = Head(row["number"], row["hash"], row["alg"] == KEYED)
        if type(head.number) is not int or head.number < 1 or row["alg"] not in (PLAIN, KEYED):
            return None
        if not _is_hash(row["prev"]) or not _is_hash(head.hash):
            return None
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    if head.keyed and key is None:
        return row, head
    right = hmac.compare_digest(_hash(row, key if head.keyed else None), head.hash)
    return (row, head) if right else None


def is_torn(data: bytes) -> bool:
    """Whether bytes at the end can be what a crash left of rows: beginnings, each marked but for the newest.

    A row that was whole and then changed is not: it still has its line end, or something stands behind it.
    """
    pieces = data.split(TORN_MARK)
    return len(data) > 0 and all(b"\n" not in piece and not _is_more_than_a_row(piece) for piece in pieces)


def _is_more_than_a_row(piece: bytes) -> bool:
    try:
        _, end = json.JSONDecoder().raw_decode(piece.decode("latin-1"))
    except (ValueError, RecursionError):
        return False
    return end < len(piece)


def _hash(row: Mapping[str, object], key: bytes | None) -> str:
    rest = {name: value for name, value in row.items() if name != "hash"}
    content = (str(row["prev"]) + form(rest)).encode("ascii")
    if key is None:
        return hashlib.sha256(content).hexdigest()
    return hmac.new(key, content, hashlib.sha256).hexdigest()


def _is_hash(value: object) -> bool:
    return isinstance(value, str) and len(value) == 64 and set(value) <= set("0123456789abcdef")


def _no_fractions(text: str) -> NoReturn:
    raise ValueError(f"{text} has no fixed form")
