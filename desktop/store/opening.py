"""From a path to a usable connection, whatever the file looks like.

Missing: created. Ours: checked, backed up if it must change, migrated. Newer than this Alcove: refused,
untouched. Damaged: set aside under another name, what can be read of it copied into a new file. Read-only:
opened for reading.
"""

from __future__ import annotations

import logging
import os
import sqlite3
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from desktop.store.aside import (
    back_up,
    copy_database,
    has_log_without_database,
    put_back,
    set_aside,
)
from desktop.store.connection import companions, connect, connect_for_reading
from desktop.store.diagnosis import fault_from, result_code
from desktop.store.faults import StoreFault, StoreFaultKind
from desktop.store.migrations import MIGRATIONS, Migration, applied, migrate, names
from desktop.store.records import OpeningKind, OpeningNotice
from desktop.store.salvage import salvage

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Opened:
    """A connection ready for use. `scratch` is a private copy's folder, to be removed after closing."""

    connection: sqlite3.Connection
    writable: bool = True
    notice: OpeningNotice | None = None
    scratch: tempfile.TemporaryDirectory[str] | None = None


def open_database(
    path: Path,
    *,
    repair: bool = False,
    read_only: bool = False,
    migrations: tuple[Migration, ...] = MIGRATIONS,
) -> Opened:
    """Open or create. Raises `StoreFault`; the file is then as it was.

    `repair`: a damaged file may be set aside. Only the process that holds the single-instance lock may do
    that; for others a damaged file is a fault. `read_only`: as if nothing could be written there.
    """
    try:
        if read_only or not _can_write(path):
            return _open_for_reading(path, migrations)
        _claim(path)
        if not has_log_without_database(path):
            try:
                connection = _connect_for_writing(path, migrations)
                return Opened(connection) if connection else _open_for_reading(path, migrations)
            except _Damaged as damage:
                log.info("the database is damaged: %s", damage)
                if not repair:
                    raise StoreFault(StoreFaultKind.CORRUPT, path, str(damage)) from damage
        elif not repair:
            raise StoreFault(StoreFaultKind.CORRUPT, path, "its newest part has lost the rest")
        return _begin_anew(path, migrations)
    except (sqlite3.Error, OSError, UnicodeDecodeError) as error:
        fault = fault_from(error, path)
        if fault is None:
            raise
        raise fault from error


class _Damaged(Exception):
    """This is not a whole database of ours."""


def _connect_for_writing(path: Path, migrations: tuple[Migration, ...]) -> sqlite3.Connection | None:
    """None when SQLite sees the file as read-only for a reason that is not in its permissions."""
    # First through a connection that can't write: opening a damaged file the ordinary way may change it.
    done = _examine_file(path, migrations) if path.stat().st_size else []
    pending = [name for name in names(migrations) if name not in done]
    if pending and done:
        back_up(path, f"before-{pending[0]}")
    connection = connect(path)
    try:
        if pending:
            migrate(connection, migrations)
        if _takes_writes(connection):
            return connection
    except BaseException:
        connection.close()
        raise
    connection.close()
    return None


def _begin_anew(path: Path, migrations: tuple[Migration, ...]) -> Opened:
    kept = set_aside(path)
    connection: sqlite3.Connection | None = None
    try:
        _claim(path)
        connection = _connect_for_writing(path, migrations)
        if connection is None:
            raise StoreFault(StoreFaultKind.READ_ONLY, path)
        conversations, messages = salvage(kept, connection)
    except BaseException:
        if connection is not None:
            connection.close()
        put_back(kept, path)
        raise
    notice = OpeningNotice(OpeningKind.SET_ASIDE, kept, conversations, messages)
    return Opened(connection, notice=notice)


def _open_for_reading(path: Path, migrations: tuple[Migration, ...]) -> Opened:
    if not path.exists():
        raise StoreFault(StoreFaultKind.READ_ONLY, path, "there is no file yet and none can be made")
    connection: sqlite3.Connection | None = None
    scratch: tempfile.TemporaryDirectory[str] | None = None
    try:
        connection, done = _connect_as_it_stands(path, migrations)
        if connection is None or done != names(migrations):
            if connection is not None:
                connection.close()
            scratch = tempfile.TemporaryDirectory(prefix="alcove-")
            connection = connect(copy_database(path, Path(scratch.name)))
            if _examine(connection, migrations, path) != names(migrations):
                migrate(connection, migrations)
            connection.execute("PRAGMA query_only = ON")
    except BaseException as error:
        if connection is not None:
            connection.close()
        if scratch is not None:
            scratch.cleanup()
        if isinstance(error, _Damaged):
            raise StoreFault(StoreFaultKind.CORRUPT, path, str(error)) from error
        raise
    return Opened(
        connection,
        writable=False,
        notice=OpeningNotice(OpeningKind.READ_ONLY),
        scratch=scratch,
    )


def _connect_as_it_stands(
    path: Path, migrations: tuple[Migration, ...]
) -> tuple[sqlite3.Connection | None, list[str]]:
    """A reading connection and the file's migrations; None if reading takes writing beside it first."""
    for immutable in (False, True):
        if immutable and any(companion.exists() for companion in companions(path)[:2]):
            break  # its log would be ignored, and with it the newest messages
        connection = connect_for_reading(path, immutable=immutable)
        try:
            return connection, _examine(connection, migrations, path)
        except sqlite3.OperationalError as error:
            connection.close()
            log.info("not readable in place (immutable=%s): %s", immutable, error)
        except BaseException:
            connection.close()
            raise
    return None, []


def _examine_file(path: Path, migrations: tuple[Migration, ...]) -> list[str]:
    connection = connect_for_reading(path)
    try:
        return _examine(connection, migrations, path)
    finally:
        connection.close()


def _examine(connection: sqlite3.Connection, migrations: tuple[Migration, ...], path: Path) -> list[str]:
    """The migrations the file has. Raises StoreFault(NEWER), `_Damaged`, or an error of the environment."""
    try:
        done = _applied_or_refuse(connection, migrations, path)
        problems = serious_problems(connection)
        if problems:
            raise _Damaged(problems[0])
        if not done and connection.execute("SELECT 1 FROM sqlite_master").fetchone():
            raise _Damaged("it is a database, but not one of Alcove's")
        if done == names(MIGRATIONS):
            for statement in _PROBES:
                connection.execute(statement)
        return done
    except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
        fault = fault_from(error, path)
        if fault is None or fault.kind is StoreFaultKind.CORRUPT:
            raise _Damaged(str(error)) from error
        raise


def _applied_or_refuse(
    connection: sqlite3.Connection, migrations: tuple[Migration, ...], path: Path
) -> list[str]:
    known = names(migrations)
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    try:
        done = applied(connection)
    except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
        # A newer schema may use words this SQLite does not know; the number in the header is readable then.
        if len(known) < version < len(known) + 1000:
            raise StoreFault(StoreFaultKind.NEWER, path, f"version {version}") from error
        raise
    newer = [name for name in done if name not in known]
    if newer:
        raise StoreFault(StoreFaultKind.NEWER, path, newer[-1])
    return done


def serious_problems(connection: sqlite3.Connection) -> list[str]:
    """What SQLite finds wrong with the file, a search index apart: that is made anew when it fails."""
    problems = [problem for (problem,) in connection.execute("PRAGMA quick_check")]
    # Newer SQLites check a search index, too.
    return [problem for problem in problems if problem != "ok" and "inverted index for FTS" not in problem]


_PROBES = (
    "SELECT id, title, created_at, updated_at, trashed_at, head_id, options FROM conversation LIMIT 0",
    "SELECT id, conversation_id, parent_id, role, text, reasoning, status, stop_reason FROM message LIMIT 0",
    "SELECT conversation_id, text FROM draft LIMIT 0",
    "SELECT conversation_id, message_id, place, kind, media_type, name, content FROM attachment LIMIT 0",
    "SELECT rowid FROM message_search LIMIT 0",
    "SELECT rowid FROM conversation_search LIMIT 0",
)
"""Fail where damage has changed the name of a table or a column, which `quick_check` does not notice."""


def _can_write(path: Path) -> bool:
    """Whether the file can be changed and files can be made beside it. A missing folder is another matter."""
    effective = os.access in os.supports_effective_ids
    for place in (path.parent, path):
        if place.exists() and not os.access(place, os.W_OK, effective_ids=effective):
            return False
    return True


def _takes_writes(connection: sqlite3.Connection) -> bool:
    """Ask SQLite. Nothing is written."""
    try:
        connection.execute("DELETE FROM draft WHERE 0")
    except sqlite3.OperationalError as error:
        if result_code(error) & 0xFF != sqlite3.SQLITE_READONLY:
            raise
        return False
    return True


def _claim(path: Path) -> None:
    """Make the folder and an empty file, for this person only; the files SQLite adds get the same mode."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
