"""How a connection to the file is made: the one place with pragmas."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from urllib.parse import quote

BUSY_SECONDS = 5.0
"""How long a statement waits for another process, such as `alcove ask` beside the window."""

# https://www.sqlite.org/pragma.html
_EVERYWHERE = (
    "PRAGMA foreign_keys = ON",
    "PRAGMA temp_store = MEMORY",  # no pieces of conversations in /tmp
    "PRAGMA cell_size_check = ON",  # notices damaged pages earlier
)
_FOR_WRITING = (
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",  # a commit that returned survives a power cut
    "PRAGMA fullfsync = ON",  # macOS: its plain fsync leaves data in the drive's cache
    "PRAGMA checkpoint_fullfsync = ON",
    "PRAGMA secure_delete = ON",  # what a person deletes is overwritten, not only unlinked
)


def connect(path: Path) -> sqlite3.Connection:
    """Open for reading and writing. Transactions are begun explicitly. Raises sqlite3.Error."""
    connection = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)
    return _configured(connection, _EVERYWHERE + _FOR_WRITING)


def connect_for_reading(path: Path, *, immutable: bool = False) -> sqlite3.Connection:
    """Open without any way to change the file: closing does not even fold the write-ahead log into it.

    `immutable`: take no locks and look for no log. Only for a file that nobody can be writing.
    """
    uri = _uri(path) + ("?mode=ro&immutable=1" if immutable else "?mode=ro")
    connection = sqlite3.connect(uri, uri=True, timeout=BUSY_SECONDS, isolation_level=None)
    return _configured(connection, _EVERYWHERE)


def companions(path: Path) -> tuple[Path, ...]:
    """The files that SQLite keeps beside the database; they may hold newer messages than it does."""
    return tuple(path.with_name(path.name + suffix) for suffix in ("-wal", "-journal", "-shm"))


def _configured(connection: sqlite3.Connection, pragmas: tuple[str, ...]) -> sqlite3.Connection:
    try:
        for pragma in pragmas:
            connection.execute(pragma)
    except BaseException:
        connection.close()
        raise
    return connection


def _uri(path: Path) -> str:
    """A URI as SQLite wants it: a drive letter or a network share (`//host/share`) follows an empty host."""
    name = path.absolute().as_posix()
    return "file://" + quote(os.fsencode(name if name.startswith("/") else f"/{name}"))
