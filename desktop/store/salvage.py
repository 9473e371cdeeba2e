"""What can still be read of a damaged database, copied into a new one.

The damaged file itself is not opened, only a copy of it. Rows are asked for one by one: what is on a damaged page
fails alone and takes nothing else with it.
"""

from __future__ import annotations

import logging
import sqlite3
import sys
import tempfile
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from desktop.store.aside import copy_database
from desktop.store.connection import connect_for_reading
from desktop.store.conversations import title_from

log = logging.getLogger(__name__)

Value = str | int | float | bytes | None
Row = dict[str, Value]


def salvage(damaged: Path, into: sqlite3.Connection) -> tuple[int, int]:
    """Copy every readable conversation and message, all or nothing. Returns how many of each.

    The state of the damaged file raises nothing: nothing readable is (0, 0). The disk may raise OSError or
    sqlite3.Error.
    """
    with tempfile.TemporaryDirectory(prefix="salvage-", dir=damaged.parent) as folder:
        copy = copy_database(damaged, Path(folder))
        conversations, messages = _read(copy)
        if not messages:
            _renew_header(copy)
            conversations, messages = _read(copy)
        _make_whole(conversations, messages)
        try:
            with closing(_attachments(copy, messages)) as attachments:
                _store(conversations, messages, attachments, into)
        except sqlite3.IntegrityError as error:  # damage of a kind that `_make_whole` does not know
            log.info("what was read from the damaged database does not fit together: %s", error)
            return 0, 0
    return len(conversations), len(messages)


@dataclass(frozen=True, slots=True)
class _Column:
    """What a column must hold. Else `default` stands in for it; without a default the row is lost."""

    kind: type
    default: Value = None
    nullable: bool = False


_CONVERSATION = {
    "id": _Column(int),
    "title": _Column(str, ""),
    "created_at": _Column(float, 0.0),
    "updated_at": _Column(float, 0.0),
    "trashed_at": _Column(float, nullable=True),
    "head_id": _Column(int, nullable=True),
    "options": _Column(str, ""),
}
_MESSAGE = {
    "id": _Column(int),
    "conversation_id": _Column(int),
    "parent_id": _Column(int, nullable=True),
    "role": _Column(str),
    "text": _Column(str),
    "reasoning": _Column(str, ""),
    "status": _Column(str, "complete"),
    "created_at": _Column(float, 0.0),
    "finished_at": _Column(float, nullable=True),
    "model": _Column(str, ""),
    "fault": _Column(str, ""),
    "fault_detail": _Column(str, ""),
    "fault_facts": _Column(str, ""),
    "prompt_tokens": _Column(int, 0),
    "reused_tokens": _Column(int, 0),
    "generated_tokens": _Column(int, 0),
    "context_tokens": _Column(int, 0),
    "omitted_turns": _Column(int, 0),
    "first_token_ms": _Column(float, 0.0),
    "prompt_ms": _Column(float, 0.0),
    "generate_ms": _Column(float, 0.0),
    "reasoning_ms": _Column(float, 0.0),
    "stop_reason": _Column(str, ""),
    "provider": _Column(str, ""),
    "cost": _Column(str, ""),
    "currency": _Column(str, ""),
    "cost_basis": _Column(str, ""),
    "priced_on": _Column(str, ""),
}
_ATTACHMENT = {
    "id": _Column(int),
    "conversation_id": _Column(int),
    "message_id": _Column(int),
    "place": _Column(int, 0),
    "kind": _Column(str),
    "media_type": _Column(str),
    "name": _Column(str, ""),
    "width": _Column(int, 0),
    "height": _Column(int, 0),
    "content": _Column(bytes),
}


def _read(copy: Path) -> tuple[dict[Value, Row], dict[Value, Row]]:
    """Conversations and messages by id, with rising ids."""
    with closing(connect_for_reading(copy)) as connection:
        connection.text_factory = lambda stored: str(stored, "utf-8", "replace")
        messages = {row["id"]: row for row in _rows(connection, "message", _MESSAGE)}
        conversations = {row["id"]: row for row in _rows(connection, "conversation", _CONVERSATION)}
    return conversations, messages


def _attachments(copy: Path, messages: dict[Value, Row]) -> Generator[Row, None, None]:
    """Every readable attachment of a message that was read, one at a time: together they may be large."""
    if not messages:
        return
    with closing(connect_for_reading(copy)) as connection:
        connection.text_factory = lambda stored: str(stored, "utf-8", "replace")
        for row in _rows(connection, "attachment", _ATTACHMENT):
            message = messages.get(row["message_id"])
            if message is not None:
                yield row | {"conversation_id": message["conversation_id"]}


def _rows(connection: sqlite3.Connection, table: str, columns: dict[str, _Column]) -> Iterator[Row]:
    """Every readable row, by rising id. A damaged page is passed by asking for what follows the next id."""
    if _ask(connection, f"SELECT ? FROM {table} LIMIT 0", 0) is _UNREADABLE:
        return  # the file's table of contents is lost, or the file is older than the table
    columns = {name: column for name, column in columns.items() if _has(connection, table, name)}
    query = f"SELECT {', '.join(columns)} FROM {table} WHERE id > ? ORDER BY id LIMIT 1"
    highest = _highest_id(connection, table)
    last = failures = 0
    while failures < _PATIENCE:
        found = _ask(connection, query, last)
        if not found:
            return
        row_id = found[0]
        if isinstance(row_id, int) and last < row_id <= highest:
            last, failures = row_id, 0
            row = _whole(found, columns)
            if row is not None:
                yield row
        else:
            last += 1
            failures += 1


def _has(connection: sqlite3.Connection, table: str, column: str) -> bool:
    """A file from an earlier version lacks the newest columns."""
    return _ask(connection, f"SELECT {column} FROM {table} WHERE ? LIMIT 0", 0) is not _UNREADABLE


def _highest_id(connection: sqlite3.Connection, table: str) -> int:
    """The highest id ever given, so that one that damage made up does not end the reading."""
    found = _ask(connection, "SELECT seq FROM sqlite_sequence WHERE name = ?", table)
    return found[0] if found and isinstance(found[0], int) and found[0] > 0 else sys.maxsize


def _ask(connection: sqlite3.Connection, query: str, parameter: Value) -> Found:
    """One row, an empty tuple when there is none, `_UNREADABLE` when damage is in the way."""
    try:
        return connection.execute(query, (parameter,)).fetchone() or ()
    except (sqlite3.Error, UnicodeDecodeError):
        return _UNREADABLE


Found = tuple[Value, ...]
_UNREADABLE: Found = (None,)
_PATIENCE = 1_000
"""Failures in a row after which the rest of a table is given up. A page of 4 KiB holds some 60 rows at most."""


def _renew_header(copy: Path) -> None:
    """Without its first bytes a file is no database at all; they are the same in every database of ours.

    https://www.sqlite.org/fileformat2.html#the_database_header
    """
    other = copy.with_name("other.db")
    with closing(sqlite3.connect(other)) as connection:
        connection.execute("CREATE TABLE anything (id INTEGER)")
        (page_size,) = connection.execute("PRAGMA page_size").fetchone()
    header = bytearray(other.read_bytes()[:_HEADER])
    header[18:20] = b"\x02\x02"  # with a write-ahead log
    header[28:32] = (copy.stat().st_size // page_size).to_bytes(4, "big")
    with copy.open("r+b") as file:
        file.write(header)


_HEADER = 100  # bytes


def _whole(found: Found, columns: dict[str, _Column]) -> Row | None:
    row: Row = {}
    for (name, column), value in zip(columns.items(), found, strict=True):
        if isinstance(value, column.kind) and _plausible(value):
            row[name] = value
        elif column.default is not None or column.nullable:
            row[name] = column.default
        else:
            return None
    return row


def _plausible(value: Value) -> bool:
    """Not a number that damage made up: a time in the year 10^300 would end the program that prints it."""
    return isinstance(value, str | bytes) or (value is not None and 0 <= value < 1e12)


def _store(
    conversations: dict[Value, Row],
    messages: dict[Value, Row],
    attachments: Iterator[Row],
    into: sqlite3.Connection,
) -> None:
    into.execute("BEGIN IMMEDIATE")
    try:
        tables = (("conversation", conversations.values()), ("message", messages.values()))
        for table, rows in (*tables, ("attachment", attachments)):
            for row in rows:
                places = ", ".join("?" * len(row))
                into.execute(
                    f"INSERT INTO {table} ({', '.join(row)}) VALUES ({places})",
                    tuple(row.values()),
                )
        into.execute("COMMIT")
    except BaseException:
        if into.in_transaction:
            into.execute("ROLLBACK")
        raise


def _make_whole(conversations: dict[Value, Row], messages: dict[Value, Row]) -> None:
    """Make a forest of what is left: a message whose parent is lost follows the one before it."""
    newest: dict[Value, Value] = {}  # in each conversation, so far
    for message_id, message in messages.items():
        owner = message["conversation_id"]
        message["role"] = "user" if message["role"] == "user" else "assistant"
        if owner not in conversations:
            conversations[owner] = _stand_in(message)
        parent = messages.get(message["parent_id"])
        lost = message["parent_id"] is not None and (
            parent is None or parent["conversation_id"] != owner or not _before(parent, message)
        )
        if lost:
            message["parent_id"] = newest.get(owner)
        newest[owner] = message_id
    for conversation_id in [found for found in conversations if found not in newest]:
        del conversations[conversation_id]
    for conversation_id, conversation in conversations.items():
        head = messages.get(conversation["head_id"])
        if head is None or head["conversation_id"] != conversation_id:
            conversation["head_id"] = newest[conversation_id]


def _before(parent: Row, message: Row) -> bool:
    one, other = parent["id"], message["id"]
    return isinstance(one, int) and isinstance(other, int) and one < other


def _stand_in(message: Row) -> Row:
    """A conversation for messages whose own is lost."""
    return {
        "id": message["conversation_id"],
        "title": title_from(str(message["text"])),
        "created_at": message["created_at"],
        "updated_at": message["created_at"],
        "trashed_at": None,
        "head_id": None,
    }
