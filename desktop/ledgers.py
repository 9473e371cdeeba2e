"""The ledger for people: requests with their ends, as they are listed and exported, and whether it is as written.

Reads the file and nothing else; the key of the ledger comes from the keychain when somebody verifies. No Qt.
"""

from __future__ import annotations

import csv
import io
import json
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from desktop.i18n import tr
from providers.gate.chain import Head, Row, open_line
from providers.gate.ledger_key import read_key
from providers.gate.verification import Damage, Verification, rows, verify
from providers.keychain import KeychainFault

COLUMNS = (
    *("time", "id", "purpose", "verdict", "rule", "method", "scheme", "host", "port", "path", "via", "hop"),
    *("provider", "model", "conversation", "body_bytes", "body_sha256", "redacted", "outcome", "status"),
    *("bytes_out", "bytes_in", "tokens_in", "tokens_out", "cost", "currency"),
)
"""Of an export, in this order: a request and its end in one line."""
_BLOCK = 1 << 20
_TEXTS = ("id", "time", "purpose", "verdict", "rule", "method", "scheme", "host", "path")


class Follower:
    """Reads what a ledger gets, in portions: each call the rows that are new since the last."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read = 0
        self._rest = b""
        self._file = (0, 0)  # device and number: another file can be as long

    def new_rows(self, most: int = 64 * _BLOCK) -> tuple[bool, list[Row]]:
        """Whether it is another file than before, and the rows that came, of at most so many bytes. Raises OSError."""
        try:
            there = self._path.stat()
            size, file_is = there.st_size, (there.st_dev, there.st_ino)
        except FileNotFoundError:
            size, file_is = 0, (0, 0)
        is_other = bool(self._read) and (size < self._read or file_is != self._file)
        self._file = file_is
        if is_other:
            self._read, self._rest = 0, b""
        if size == self._read:
            return is_other, []
        with open(self._path, "rb") as file:
            file.seek(self._read)
            data = file.read(most)
        self._read += len(data)
        *lines, self._rest = (self._rest + data).split(b"\n")
        return is_other, [found[0] for line in lines if (found := open_line(line, None)) is not None]


class Requests:
    """Requests, each with what its end says; oldest first. One that was cut off has no "outcome"."""

    def __init__(self) -> None:
        self._found: dict[object, Row] = {}

    def take(self, listed: Iterable[Row]) -> None:
        for row in listed:
            if row.get("kind") == "request" and _is_request(row):
                self._found[row["id"]] = {name: row[name] for name in COLUMNS if name in row}
            elif row.get("kind") == "end" and isinstance(row.get("id"), str) and row["id"] in self._found:
                end = {name: row[name] for name in _OF_AN_END if name in row}
                self._found[row["id"]].update(end)

    def all(self) -> list[Row]:
        return list(self._found.values())


_OF_AN_END = ("outcome", "status", "bytes_out", "bytes_in", "tokens_in", "tokens_out", "cost", "currency")


def _is_request(row: Row) -> bool:
    """Whether it has what a request has. Anybody who can write the file can put other rows there: verifying tells."""
    return all(isinstance(row.get(name), str) for name in _TEXTS) and type(row.get("port")) is int


def requests(path: Path) -> list[Row]:
    """All requests of a ledger. Raises OSError."""
    found = Requests()
    if path.exists():
        found.take(rows(path))
    return found.all()


def to_csv(listed: Iterable[Mapping[str, object]]) -> str:
    """Comma-separated (RFC 4180), a header line first. Nothing in it is a formula to a spreadsheet."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    for row in listed:
        writer.writerow([_cell(row.get(name, "")) for name in COLUMNS])
    return out.getvalue()


def to_json(listed: list[Row]) -> str:
    return json.dumps(listed, indent=2) + "\n"


def write_export(target: Path, content: str) -> None:
    """The whole file or none of it, instead of what is there: who calls has asked. Raises OSError."""
    with whole_file(target) as fresh, open(fresh, "w", encoding="utf-8", newline="") as file:
        file.write(content)


@contextmanager
def whole_file(target: Path) -> Iterator[Path]:
    """A new file beside the target, with a name that nobody has, to be written; it takes the target's place after."""
    descriptor, name = tempfile.mkstemp(prefix=".alcove-", suffix=target.suffix, dir=target.parent)
    os.close(descriptor)
    fresh = Path(name)
    try:
        yield fresh
        with open(fresh, "rb+") as file:
            os.fsync(file.fileno())
        os.replace(fresh, target)
    finally:
        fresh.unlink(missing_ok=True)


def checked(path: Path, anchor: Head | None = None) -> Verification:
    """Read a whole ledger, with its key if the keychain gives it. May take seconds."""
    try:
        key = read_key()
    except KeychainFault:
        key = None
    return verify(path, key, anchor)


def head_text(head: Head) -> str:
    """The newest row, as it is noted somewhere else."""
    return f"{head.number}:{head.hash}"


def sentences(found: Verification) -> list[str]:
    """What a verification came to, in sentences."""
    if not found.rows and found.intact:
        return [tr("The ledger is empty: nothing has left this computer.")]
    told = [
        tr("{rows} rows; the newest is {head}", rows=found.rows, head=head_text(found.head)),
        *_problems(found),
    ]
    if found.torn:
        told.append(tr("{count} rows were cut off by a crash, and the ledger says so.", count=found.torn))
    if found.unfinished:
        told.append(tr("{count} requests were cut off before their end.", count=len(found.unfinished)))
    if found.intact:
        told.append(tr("Every row is as it was written."))
        if found.unkeyed:
            told.append(
                tr(
                    "{count} rows are made without a key: whoever can write the file could also have made a "
                    "new one. Note the newest row somewhere else, and check against it with --anchor.",
                    count=found.unkeyed,
                )
            )
    return told


_MOST_PROBLEMS = 20


def _problems(found: Verification) -> list[str]:
    keyless = [problem for problem in found.problems if problem.damage is Damage.KEY_MISSING]
    others = [problem for problem in found.problems if problem.damage is not Damage.KEY_MISSING]
    told = [_problem(problem.damage, problem.line) for problem in others[:_MOST_PROBLEMS]]
    if len(others) > _MOST_PROBLEMS:
        told.append(tr("There are {count} more such places.", count=len(others) - _MOST_PROBLEMS))
    if keyless:
        told.append(
            tr(
                "{count} rows can't be checked without the ledger's key, which the keychain did not give. Unlock it "
                "and check again.",
                count=len(keyless),
            )
        )
    return told


def _problem(damage: Damage, line: int) -> str:
    match damage:
        case Damage.NOT_A_ROW:
            return tr("Line {line} was changed, or was not written by Alcove.", line=line)
        case Damage.CHAIN:
            return tr("Before line {line} rows were removed, added or moved.", line=line)
        case Damage.TORN_END:
            return tr(
                "Line {line}, the last one, is not complete. The next request will note this.", line=line
            )
        case Damage.KEY_MISSING:
            return tr("Line {line} can't be checked without the ledger's key.", line=line)
        case Damage.KEY_DROPPED:
            return tr("Line {line} was made without the ledger's key.", line=line)
        case Damage.KEY_UNUSED:
            return tr(
                "No row is made with the ledger's key, though the keychain has one: the whole file may have been "
                "replaced. Compare the newest row with one that you noted. If this ledger was begun while the keychain "
                "was locked, the next request will be made with the key."
            )
        case Damage.ANCHOR:
            return tr(
                "The row that you noted is not there, or is another one: the newest rows may be missing."
            )
        case Damage.UNREADABLE:
            return tr("The ledger can't be read.")


def _cell(value: object) -> str:
    if value is None:
        return ""
    text = json.dumps(value, sort_keys=True) if isinstance(value, dict) else str(value)
    return "'" + text if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text
