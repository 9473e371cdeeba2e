"""Conversations: the list, their titles, the trash. Functions on a connection, in the caller's transaction.

A conversation is made with its first message (`messages.add_turn`), so an empty one never exists.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from desktop.store.records import Conversation, Option
from desktop.store.text import storable

_COLUMNS = "id, title, created_at, updated_at, trashed_at, head_id, options"
_TITLE_LENGTH = 60  # characters


def conversation(connection: sqlite3.Connection, conversation_id: int) -> Conversation:
    """Raises LookupError when there is none with this id."""
    row = connection.execute(
        f"SELECT {_COLUMNS} FROM conversation WHERE id = ?", (conversation_id,)
    ).fetchone()
    if row is None:
        raise LookupError(f"no conversation {conversation_id}")
    return _made(row)


def conversations(connection: sqlite3.Connection) -> list[Conversation]:
    """All that are not in the trash; the one with the newest message first."""
    return _listed(connection, "trashed_at IS NULL", "updated_at")


def trashed_conversations(connection: sqlite3.Connection) -> list[Conversation]:
    """The trash, trashed last first."""
    return _listed(connection, "trashed_at NOTNULL", "trashed_at")


def _listed(connection: sqlite3.Connection, which: str, newest_by: str) -> list[Conversation]:
    rows = connection.execute(
        f"SELECT {_COLUMNS} FROM conversation WHERE {which} ORDER BY {newest_by} DESC, id DESC"
    )
    return [_made(row) for row in rows]


def _made(row: Sequence[Any]) -> Conversation:
    made = Conversation(*row[:-1])
    return replace(made, options=_read_options(row[-1])) if row[-1] else made


def _read_options(text: object) -> dict[str, Option]:
    """What was chosen. Damaged: nothing was."""
    try:
        found = json.loads(text) if isinstance(text, str) and text else {}
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def create_conversation(connection: sqlite3.Connection, title: str, now: float) -> int:
    """The id of a new conversation. The caller adds its first message in the same transaction."""
    created = connection.execute(
        "INSERT INTO conversation (title, created_at, updated_at) VALUES (?, ?, ?)",
        (title, now, now),
    )
    assert created.lastrowid is not None
    return created.lastrowid


def rename(connection: sqlite3.Connection, conversation_id: int, title: str) -> Conversation:
    """Give it another title; its place in the list stays."""
    connection.execute(
        "UPDATE conversation SET title = ? WHERE id = ?",
        (storable(title), conversation_id),
    )
    return conversation(connection, conversation_id)


def trash(connection: sqlite3.Connection, conversation_id: int) -> Conversation:
    """Put it into the trash. Nothing of it is deleted."""
    connection.execute(
        "UPDATE conversation SET trashed_at = ? WHERE id = ?",
        (time.time(), conversation_id),
    )
    return conversation(connection, conversation_id)


def restore(connection: sqlite3.Connection, conversation_id: int) -> Conversation:
    """Take it out of the trash, to where it was in the list."""
    connection.execute("UPDATE conversation SET trashed_at = NULL WHERE id = ?", (conversation_id,))
    return conversation(connection, conversation_id)


def purge_trash(connection: sqlite3.Connection, trashed_before: float) -> int:
    """Delete for good what went into the trash before this time (seconds since 1970). Returns how many."""
    deleted = connection.execute("DELETE FROM conversation WHERE trashed_at < ?", (trashed_before,)).rowcount
    if deleted:
        # The index keeps deleted words in older parts of itself until it is merged into one.
        for index in ("message_search", "conversation_search"):
            connection.execute(f"INSERT INTO {index} ({index}) VALUES ('optimize')")
    return deleted


def options(connection: sqlite3.Connection, conversation_id: int) -> dict[str, Option]:
    """What was chosen for this conversation, by name. Damaged: nothing was. Raises LookupError."""
    row = connection.execute("SELECT options FROM conversation WHERE id = ?", (conversation_id,)).fetchone()
    if row is None:
        raise LookupError(f"no conversation {conversation_id}")
    return _read_options(row[0])


def set_option(connection: sqlite3.Connection, conversation_id: int, name: str, value: Option) -> None:
    """Choose one thing for this conversation and leave the others; None takes the choice back.

    Raises LookupError, and ValueError for a number that JSON has not (NaN, infinity).
    """
    chosen = options(connection, conversation_id)
    chosen.pop(name, None)
    if value is not None:
        chosen[name] = value
    text = storable(json.dumps(chosen, ensure_ascii=False, allow_nan=False)) if chosen else ""
    connection.execute("UPDATE conversation SET options = ? WHERE id = ?", (text, conversation_id))


def title_from(text: str) -> str:
    """A title out of a question's first words, on one line."""
    words = " ".join(text[: _TITLE_LENGTH * 4].split())
    if len(words) <= _TITLE_LENGTH:
        return words
    cut = words[:_TITLE_LENGTH]
    at_a_word = cut.rpartition(" ")[0]
    return (at_a_word or cut).rstrip(" ,;:.-") + "…"
