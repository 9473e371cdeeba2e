"""The one connection to the conversations, and what every use of it has: a transaction, faults, mending.

Synchronous. Use it from one thread; `store.Store` gives it that thread.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

from desktop.store.diagnosis import fault_from, is_undecodable, result_code
from desktop.store.faults import StoreFault, StoreFaultKind
from desktop.store.migrations import MIGRATIONS, Migration
from desktop.store.opening import open_database, serious_problems
from desktop.store.records import Examination
from desktop.store.search import rebuild_search

log = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")


def _examination(connection: sqlite3.Connection) -> Examination:
    (conversations,) = connection.execute("SELECT count(*) FROM conversation").fetchone()
    (messages,) = connection.execute("SELECT count(*) FROM message").fetchone()
    problems = [problem for (problem,) in connection.execute("PRAGMA integrity_check") if problem != "ok"]
    return Examination(conversations, messages, tuple(problems))


class Database:
    """Runs functions on the connection, each in its own transaction: all of it is on the disk, or nothing."""

    def __init__(
        self,
        path: Path,
        *,
        repair: bool = False,
        read_only: bool = False,
        migrations: tuple[Migration, ...] = MIGRATIONS,
    ) -> None:
        """Open or create; see `opening.open_database`. Raises StoreFault."""
        opened = open_database(path, repair=repair, read_only=read_only, migrations=migrations)
        self.path = path
        self.connection = opened.connection
        self.writable = opened.writable
        self.notice = opened.notice
        self._scratch = opened.scratch

    def read(
        self,
        function: Callable[Concatenate[sqlite3.Connection, P], T],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """Call `function(connection, …)` on one unchanging state of the database. Raises StoreFault."""
        return self._run("BEGIN", lambda: function(self.connection, *args, **kwargs))

    def write(
        self,
        function: Callable[Concatenate[sqlite3.Connection, P], T],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """Call `function(connection, …)` and commit; it then survives a power cut. Raises StoreFault."""
        if not self.writable:
            raise StoreFault(StoreFaultKind.READ_ONLY, self.path)
        return self._run("BEGIN IMMEDIATE", lambda: function(self.connection, *args, **kwargs))

    def examine(self) -> Examination:
        """Count what there is and check all of it. Takes some seconds per gigabyte. Raises StoreFault."""
        return self.read(_examination)

    def close(self) -> None:
        """Fold the write-ahead log into the file and close. Harmless when closed."""
        try:
            if self.writable:
                self.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        except sqlite3.Error as error:
            log.info("the log stays beside the database, where it is safe: %s", error)
        finally:
            self.connection.close()
            if self._scratch is not None:
                self._scratch.cleanup()

    def _run(self, begin: str, work: Callable[[], T]) -> T:
        try:
            try:
                return self._transaction(begin, work)
            except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
                if not self._mend(error):
                    raise
                return self._transaction(begin, work)
        except (sqlite3.Error, UnicodeDecodeError) as error:
            fault = fault_from(error, self.path)
            if fault is None:
                raise
            raise fault from error

    def _transaction(self, begin: str, work: Callable[[], T]) -> T:
        self.connection.execute(begin)
        try:
            result = work()
            self.connection.execute("COMMIT")
            return result
        except BaseException:
            self._roll_back()
            raise

    def _roll_back(self) -> None:
        try:
            if self.connection.in_transaction:  # SQLite has already rolled back after some errors
                self.connection.execute("ROLLBACK")
        except sqlite3.Error as error:
            log.info("rolling back failed after another error: %s", error)

    def _mend(self, error: Exception) -> bool:
        """Mend damage that costs no conversation; True when the work is worth a second try."""
        if is_undecodable(error):
            # One text of many has a damaged byte: show it with a replacement sign, not nothing at all.
            self.connection.text_factory = lambda stored: str(stored, "utf-8", "replace")
            return True
        corrupt = result_code(error) & 0xFF == sqlite3.SQLITE_CORRUPT
        if corrupt and self.writable and not serious_problems(self.connection):
            log.info("the search index is damaged and is made anew: %s", error)
            self._transaction("BEGIN IMMEDIATE", lambda: rebuild_search(self.connection))
            return True
        return False
