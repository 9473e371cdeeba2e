"""Database files for the store's tests: filled ones, small disks, folders that can't be written."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

from desktop.store import messages
from desktop.store.database import Database
from desktop.store.records import Message, Status

NOBODY = 65534


def ended(answer: Message, text: str, status: Status = Status.COMPLETE) -> Message:
    return replace(answer, text=text, status=status)


def fill(database: Database, conversations: int = 3, turns: int = 6) -> None:
    """Conversations with known texts: turn `t` of conversation `c` begins "question c.t", "answer c.t"."""
    for c in range(conversations):
        conversation_id: int | None = None
        parent_id: int | None = None
        for t in range(turns):
            conversation, _, answer = database.write(
                messages.add_turn,
                conversation_id,
                parent_id,
                f"question {c}.{t} " + "about this " * 40,
                "a model",
            )
            database.write(messages.finish, ended(answer, f"answer {c}.{t} " + "it is like this " * 60))
            conversation_id, parent_id = conversation.id, answer.id


def texts(database: Database) -> list[str]:
    """Every message's text, oldest first."""
    rows = database.read(
        lambda connection: connection.execute("SELECT text FROM message ORDER BY id").fetchall()
    )
    return [text for (text,) in rows]


def schema(connection: sqlite3.Connection) -> list[tuple[str, str, str]]:
    """Everything the file declares, in an order of its own."""
    rows = connection.execute("SELECT type, name, coalesce(sql, '') FROM sqlite_master").fetchall()
    return sorted((kind, name, " ".join(sql.split())) for kind, name, sql in rows)


def integrity(path: Path) -> list[str]:
    """What SQLite finds wrong with a file and with its search indexes, seen by a connection of our own."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        problems = [row for (row,) in connection.execute("PRAGMA integrity_check") if row != "ok"]
        problems += [str(row) for row in connection.execute("PRAGMA foreign_key_check")]
        for index in ("message_search", "conversation_search"):
            try:  # rank 1: compare with the texts, too (https://www.sqlite.org/fts5.html, integrity-check)
                connection.execute(f"INSERT INTO {index} ({index}, rank) VALUES ('integrity-check', 1)")
            except sqlite3.DatabaseError as error:
                problems.append(f"{index}: {error}")
    return problems


@contextmanager
def ordinary_person() -> Iterator[Path]:
    """A folder of somebody for whom permissions count, and this process being that somebody. Root is not."""
    home = Path(tempfile.mkdtemp(prefix="alcove-test-"))
    is_root = sys.platform != "win32" and os.geteuid() == 0
    if is_root:
        os.chown(home, NOBODY, NOBODY)
        os.seteuid(NOBODY)
    try:
        yield home
    finally:
        if is_root:
            os.seteuid(0)
        for place in (home, *home.rglob("*")):
            place.chmod(0o700)
        shutil.rmtree(home)


@contextmanager
def small_disk(folder: Path, kilobytes: int) -> Iterator[bool]:
    """A file system of this size at `folder`. Yields False where this process may not mount one."""
    mount = ["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", str(folder)]
    try:
        mounted = subprocess.run(mount, capture_output=True).returncode == 0
    except FileNotFoundError:
        mounted = False
    try:
        yield mounted
    finally:
        if mounted:
            subprocess.run(["umount", "-l", str(folder)], check=True)
