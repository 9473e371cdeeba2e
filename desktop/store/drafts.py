"""What was typed and not sent. Functions on a connection, in the caller's transaction."""

from __future__ import annotations

import sqlite3

from desktop.store.text import storable


def get_draft(connection: sqlite3.Connection, conversation_id: int | None) -> str:
    """What was typed and not sent, or nothing. None: for the conversation that does not exist yet."""
    row = connection.execute(
        "SELECT text FROM draft WHERE conversation_id IS ?", (conversation_id,)
    ).fetchone()
    return str(row[0]) if row else ""


def set_draft(connection: sqlite3.Connection, conversation_id: int | None, text: str) -> None:
    """Keep what is typed. For a conversation that was deleted meanwhile there is nothing to keep."""
    # No upsert: for the conversation that does not exist yet this is NULL, which conflicts with nothing.
    connection.execute("DELETE FROM draft WHERE conversation_id IS ?", (conversation_id,))
    if text:
        connection.execute(
            """
            INSERT INTO draft (conversation_id, text)
            SELECT ?1, ?2 WHERE ?1 IS NULL OR EXISTS (SELECT 1 FROM conversation WHERE id = ?1)
            """,
            (conversation_id, storable(text)),
        )
