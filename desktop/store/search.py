"""Finding words in messages and titles. Functions on a connection, in the caller's transaction."""

from __future__ import annotations

import sqlite3

from desktop.store.records import SearchHit
from desktop.store.text import storable

_SNIPPET_WORDS = 12


def search(connection: sqlite3.Connection, query: str, limit: int = 50) -> list[SearchHit]:
    """Titles, then messages, that hold every word of `query`, best first; the last word may be a beginning.

    Any text is a valid query: its signs mean nothing. The trash is not searched.
    """
    match = _match(query)
    if not match:
        return []
    titles = connection.execute(
        """
        SELECT conversation.id, NULL, conversation.title, conversation.title
        FROM conversation_search JOIN conversation ON conversation.id = conversation_search.rowid
        WHERE conversation_search MATCH ? AND conversation.trashed_at IS NULL
        ORDER BY conversation_search.rank LIMIT ?
        """,
        (match, limit),
    ).fetchall()
    messages = connection.execute(
        """
        SELECT conversation.id, message.id, conversation.title,
            snippet(message_search, 0, '', '', '…', ?)
        FROM message_search
            JOIN message ON message.id = message_search.rowid
            JOIN conversation ON conversation.id = message.conversation_id
        WHERE message_search MATCH ? AND conversation.trashed_at IS NULL
        ORDER BY message_search.rank LIMIT ?
        """,
        (_SNIPPET_WORDS, match, limit - len(titles)),
    ).fetchall()
    return [SearchHit(*row) for row in titles + messages]


def rebuild_search(connection: sqlite3.Connection) -> None:
    """Make both indexes anew from the texts. They hold nothing of their own, so nothing can be lost."""
    for index in ("message_search", "conversation_search"):
        connection.execute(f"INSERT INTO {index} ({index}) VALUES ('rebuild')")


def _match(query: str) -> str:
    """The query in FTS5's language: each word a quoted string, in which only the quote has a meaning."""
    words = storable(query).replace("\0", " ").split()
    quoted = ['"' + word.replace('"', '""') + '"' for word in words if any(sign.isalnum() for sign in word)]
    return " ".join(quoted) + " *" if quoted else ""
