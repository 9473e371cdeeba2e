"""Reading a ledger from its first byte to its last, and finding whatever is not as it was written."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from providers.gate.chain import LONGEST_LINE, NOTHING_BEFORE, TORN_MARK, Head, Row, is_torn, open_line

_MOST_STRANGE = 1024 * 1024


class Damage(StrEnum):
    """What is wrong at a place."""

    NOT_A_ROW = "not-a-row"  # changed, or written by something else
    CHAIN = "chain"  # a whole row that does not follow the one before: some were removed, added or moved
    TORN_END = "torn-end"  # the last line is not finished, and no row tells of it yet
    KEY_MISSING = "key-missing"  # its hash is made with a key that was not given
    KEY_DROPPED = "key-dropped"  # a row without the key after rows with it
    KEY_UNUSED = "key-unused"  # there is a key, and not one row is made with it
    ANCHOR = "anchor"  # the row that was noted elsewhere is not there, or is another
    UNREADABLE = "unreadable"  # the file itself


@dataclass(frozen=True, slots=True)
class Problem:
    damage: Damage
    line: int  # counted from 1; 0 for the file as a whole
    offset: int  # in bytes


@dataclass(slots=True)
class Verification:
    """What a reading came to. `intact` is what counts; without an anchor the newest rows can have been cut off."""

    rows: int = 0
    head: Head = field(default_factory=Head)
    problems: list[Problem] = field(default_factory=list)
    torn: int = 0  # unfinished rows that a later row tells of
    unkeyed: int = 0  # rows before there was a key
    unfinished: list[str] = field(default_factory=list)  # ids of requests that left and have no end

    @property
    def intact(self) -> bool:
        return not self.problems


def verify(path: Path, key: bytes | None = None, anchor: Head | None = None) -> Verification:
    """Read a whole ledger. Finds any changed byte, and any row removed, added or moved.

    Rows cut off at the end are found against an `anchor`, the head that was noted before. Never raises for what
    is in the file; one that can't be read is a problem as well. A file that is missing has no rows.
    """
    reading = _Reading(key, anchor)
    try:
        for line, offset, content in _lines(path):
            reading.take(line, offset, content)
    except FileNotFoundError:
        pass
    except OSError:
        reading.found(Damage.UNREADABLE, 0, 0)
    return reading.end()


def rows(path: Path, key: bytes | None = None) -> Iterator[Row]:
    """The rows that are whole, oldest first, whether the chain holds or not. Raises OSError."""
    for _, _, content in _lines(path):
        if content.endswith(b"\n") and (opened := open_line(content[:-1], key)) is not None:
            yield opened[0]


def _lines(path: Path) -> Iterator[tuple[int, int, bytes]]:
    """Number, offset and bytes of each line, its end included. A line longer than any row comes in pieces."""
    offset = number = 0
    with open(path, "rb") as file:
        while content := file.readline(LONGEST_LINE + 1):
            number += 1
            yield number, offset, content
            offset += len(content)


class _Reading:
    def __init__(self, key: bytes | None, anchor: Head | None) -> None:
        self._key = key
        self._anchor = anchor
        self._anchor_seen = anchor is None or anchor.number == 0
        self._result = Verification()
        self._keyed = False
        self._open: dict[str, None] = {}
        self._strange = bytearray()  # since the last whole row
        self._strange_line = self._strange_offset = 0

    def found(self, damage: Damage, line: int, offset: int) -> None:
        self._result.problems.append(Problem(damage, line, offset))

    def take(self, line: int, offset: int, content: bytes) -> None:
        opened = open_line(content[:-1], self._key) if content.endswith(b"\n") else None
        if opened is None:
            self._set_aside(line, offset, content)
            return
        row, head = opened
        self._judge_what_lies_before(row)
        self._follow(row, head, line, offset)
        self._count(row)

    def _set_aside(self, line: int, offset: int, content: bytes) -> None:
        if not self._strange:
            self._strange_line, self._strange_offset = line, offset
        if len(self._strange) <= _MOST_STRANGE:  # more than that no crash leaves
            self._strange += content

    def _judge_what_lies_before(self, row: Row) -> None:
        tells_of_it = row.get("kind") == "torn"
        if not self._strange:
            if tells_of_it:
                self.found(Damage.CHAIN, 0, 0)  # what it tells of has been taken away
            return
        strange = bytes(self._strange.removesuffix(TORN_MARK))
        same = row.get("bytes") == len(strange) and row.get("sha256") == hashlib.sha256(strange).hexdigest()
        if tells_of_it and same and is_torn(strange) and self._strange.endswith(TORN_MARK):
            self._result.torn += 1
        else:
            self.found(Damage.NOT_A_ROW, self._strange_line, self._strange_offset)
        self._strange.clear()

    def _follow(self, row: Row, head: Head, line: int, offset: int) -> None:
        before = self._result.head
        if (
            row["prev"] != (before.hash if before.number else NOTHING_BEFORE)
            or head.number != before.number + 1
        ):
            self.found(Damage.CHAIN, line, offset)
        if head.keyed and self._key is None:
            self.found(Damage.KEY_MISSING, line, offset)
        if self._keyed and not head.keyed:
            self.found(Damage.KEY_DROPPED, line, offset)
        self._keyed = self._keyed or head.keyed
        if self._anchor is not None and head.number == self._anchor.number:
            self._anchor_seen = head.hash == self._anchor.hash
        self._result.head = head
        self._result.rows += 1
        self._result.unkeyed += not head.keyed

    def _count(self, row: Row) -> None:
        if row.get("kind") == "request" and row.get("verdict") == "allowed":
            self._open[str(row.get("id"))] = None
        elif row.get("kind") == "end":
            self._open.pop(str(row.get("id")), None)

    def end(self) -> Verification:
        if self._key is not None and self._result.rows and not self._keyed:
            # A whole chain without the key is what somebody without it would put in the place of the real one.
            self.found(Damage.KEY_UNUSED, 0, 0)
        if self._strange:
            damage = Damage.TORN_END if is_torn(bytes(self._strange)) else Damage.NOT_A_ROW
            self.found(damage, self._strange_line, self._strange_offset)
        if not self._anchor_seen:
            self.found(Damage.ANCHOR, 0, 0)
        self._result.unfinished = list(self._open)
        return self._result
