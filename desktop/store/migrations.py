"""How the file's shape changed from version to version. A migration that was released is never edited.

The order of `MIGRATIONS` is the order in which they run. sqlite-utils keeps the names of those that ran in
the file (table `_sqlite_migrations`). It is imported only when there is something to do: that takes 0.3 s,
which a normal start does not pay.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlite_utils import Database

Migration = Callable[["Database"], None]

_SET = "alcove"


def m001_create(db: Database) -> None:
    """Conversations as trees of messages, drafts, and the index for searching."""
    for statement in (*_M001_TABLES, *_M001_SEARCH):
        db.execute(statement)


# Ids are never used twice (AUTOINCREMENT): an id that somebody still holds can't come to mean something else.
# parent_id and head_id have no ON DELETE: a conversation goes as a whole, and a cascade along a thread of
# 10,000 messages is deeper than SQLite follows (1,000). They are checked at the commit instead (DEFERRED).
_M001_TABLES = (
    """
    CREATE TABLE conversation (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        title TEXT NOT NULL,
        created_at REAL NOT NULL,
        updated_at REAL NOT NULL,
        trashed_at REAL,
        head_id INTEGER REFERENCES message (id) DEFERRABLE INITIALLY DEFERRED
    )
    """,
    "CREATE INDEX conversation_by_head ON conversation (head_id)",
    """
    CREATE TABLE message (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        conversation_id INTEGER NOT NULL REFERENCES conversation (id) ON DELETE CASCADE,
        parent_id INTEGER REFERENCES message (id) DEFERRABLE INITIALLY DEFERRED,
        role TEXT NOT NULL,
        text TEXT NOT NULL,
        reasoning TEXT NOT NULL DEFAULT '',
        status TEXT NOT NULL,
        created_at REAL NOT NULL,
        finished_at REAL,
        model TEXT NOT NULL DEFAULT '',
        fault TEXT NOT NULL DEFAULT '',
        fault_detail TEXT NOT NULL DEFAULT '',
        fault_facts TEXT NOT NULL DEFAULT '',
        prompt_tokens INTEGER NOT NULL DEFAULT 0,
        reused_tokens INTEGER NOT NULL DEFAULT 0,
        generated_tokens INTEGER NOT NULL DEFAULT 0,
        context_tokens INTEGER NOT NULL DEFAULT 0,
        omitted_turns INTEGER NOT NULL DEFAULT 0,
        first_token_ms REAL NOT NULL DEFAULT 0,
        prompt_ms REAL NOT NULL DEFAULT 0,
        generate_ms REAL NOT NULL DEFAULT 0,
        reasoning_ms REAL NOT NULL DEFAULT 0,
        stop_reason TEXT NOT NULL DEFAULT ''
    )
    """,
    "CREATE INDEX message_by_conversation ON message (conversation_id, role)",
    "CREATE INDEX message_by_parent ON message (parent_id)",
    "CREATE INDEX message_streaming ON message (id) WHERE status = 'streaming'",
    """
    CREATE TABLE draft (
        conversation_id INTEGER UNIQUE REFERENCES conversation (id) ON DELETE CASCADE,
        text TEXT NOT NULL
    )
    """,
)

# External content: the index holds no second copy of the texts. What it is told to forget must be exactly
# what it was told to learn (https://www.sqlite.org/fts5.html#external_content_tables), hence triggers.
_M001_SEARCH = (
    """
    CREATE VIRTUAL TABLE message_search USING fts5 (
        text, content = 'message', content_rowid = 'id', tokenize = 'unicode61 remove_diacritics 2'
    )
    """,
    """
    CREATE TRIGGER message_search_insert AFTER INSERT ON message BEGIN
        INSERT INTO message_search (rowid, text) VALUES (new.id, new.text);
    END
    """,
    """
    CREATE TRIGGER message_search_delete AFTER DELETE ON message BEGIN
        INSERT INTO message_search (message_search, rowid, text)
            VALUES ('delete', old.id, old.text);
    END
    """,
    """
    CREATE TRIGGER message_search_update AFTER UPDATE OF text ON message BEGIN
        INSERT INTO message_search (message_search, rowid, text)
            VALUES ('delete', old.id, old.text);
        INSERT INTO message_search (rowid, text) VALUES (new.id, new.text);
    END
    """,
    """
    CREATE VIRTUAL TABLE conversation_search USING fts5 (
        title, content = 'conversation', content_rowid = 'id', tokenize = 'unicode61 remove_diacritics 2'
    )
    """,
    """
    CREATE TRIGGER conversation_search_insert AFTER INSERT ON conversation BEGIN
        INSERT INTO conversation_search (rowid, title) VALUES (new.id, new.title);
    END
    """,
    """
    CREATE TRIGGER conversation_search_delete AFTER DELETE ON conversation BEGIN
        INSERT INTO conversation_search (conversation_search, rowid, title)
            VALUES ('delete', old.id, old.title);
    END
    """,
    """
    CREATE TRIGGER conversation_search_update AFTER UPDATE OF title ON conversation BEGIN
        INSERT INTO conversation_search (conversation_search, rowid, title)
            VALUES ('delete', old.id, old.title);
        INSERT INTO conversation_search (rowid, title) VALUES (new.id, new.title);
    END
    """,
)


def m002_add_attachments(db: Database) -> None:
    """Images that belong to a question or to a draft, and what was chosen for one conversation."""
    for statement in _M002:
        db.execute(statement)


# The content is in the database: conversations stay one file, private, backed up and salvaged as one. It is the last
# column, so that reading the others touches none of its pages. Without a message it belongs to a draft: that of
# the conversation, or of the one that does not exist yet. `options` is a JSON object, or nothing.
_M002 = (
    """
    CREATE TABLE attachment (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        conversation_id INTEGER REFERENCES conversation (id) ON DELETE CASCADE,
        message_id INTEGER REFERENCES message (id) ON DELETE CASCADE,
        place INTEGER NOT NULL,
        kind TEXT NOT NULL,
        media_type TEXT NOT NULL,
        name TEXT NOT NULL DEFAULT '',
        width INTEGER NOT NULL DEFAULT 0,
        height INTEGER NOT NULL DEFAULT 0,
        content BLOB NOT NULL
    )
    """,
    "CREATE INDEX attachment_by_conversation ON attachment (conversation_id, message_id, place)",
    "CREATE INDEX attachment_by_message ON attachment (message_id)",
    "ALTER TABLE conversation ADD COLUMN options TEXT NOT NULL DEFAULT ''",
)


def m003_add_origin_and_cost(db: Database) -> None:
    """Where an answer was made, and what it cost. Money is decimal text: it has one form, and no rounding."""
    for column in ("provider", "cost", "currency", "cost_basis", "priced_on"):
        db.execute(f"ALTER TABLE message ADD COLUMN {column} TEXT NOT NULL DEFAULT ''")


MIGRATIONS: tuple[Migration, ...] = (m001_create, m002_add_attachments, m003_add_origin_and_cost)


def names(migrations: tuple[Migration, ...]) -> list[str]:
    return [migration.__name__ for migration in migrations]


def applied(connection: sqlite3.Connection) -> list[str]:
    """The names of the migrations that made this file, oldest first. Empty for a file without any table."""
    if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = '_sqlite_migrations'").fetchone():
        return []
    rows = connection.execute(
        "SELECT name FROM _sqlite_migrations WHERE migration_set = ? ORDER BY rowid",
        (_SET,),
    )
    return [name for (name,) in rows]


def migrate(connection: sqlite3.Connection, migrations: tuple[Migration, ...] = MIGRATIONS) -> None:
    """Run what has not run yet: all of it or, when any of it fails, nothing.

    Two processes may do this at once on the same file: the second waits and then finds nothing to do.
    """
    from sqlite_utils import Database, Migrations

    runner = Migrations(_SET)
    for migration in migrations:
        runner(name=migration.__name__)(migration)
    db = Database(connection, recursive_triggers=False, execute_plugins=False)
    connection.execute("PRAGMA foreign_keys = OFF")  # so that a table can be rebuilt under its name
    connection.execute("BEGIN IMMEDIATE")
    try:
        runner.apply(db)
        if connection.execute("PRAGMA foreign_key_check").fetchone():
            raise AssertionError("a migration left references to rows that are gone")
        # Also readable where a newer SQLite's schema can't be: the number of migrations.
        connection.execute(f"PRAGMA user_version = {len(migrations)}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    finally:
        connection.execute("PRAGMA foreign_keys = ON")
