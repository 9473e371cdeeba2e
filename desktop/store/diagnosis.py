"""From what SQLite and the operating system raise to the `StoreFault` that it stands for."""

from __future__ import annotations

import errno
import shutil
import sqlite3
from pathlib import Path

from desktop.store.faults import StoreFault, StoreFaultKind

StorageError = sqlite3.Error | OSError | UnicodeDecodeError
"""What the libraries raise when the disk is to blame. It may also be a mistake of ours: see `fault_from`."""

# By primary result code: https://www.sqlite.org/rescode.html
_KINDS = {
    sqlite3.SQLITE_FULL: StoreFaultKind.DISK_FULL,
    sqlite3.SQLITE_READONLY: StoreFaultKind.READ_ONLY,
    sqlite3.SQLITE_PERM: StoreFaultKind.READ_ONLY,
    sqlite3.SQLITE_CORRUPT: StoreFaultKind.CORRUPT,
    sqlite3.SQLITE_NOTADB: StoreFaultKind.CORRUPT,
    sqlite3.SQLITE_BUSY: StoreFaultKind.BUSY,
    sqlite3.SQLITE_LOCKED: StoreFaultKind.BUSY,
    sqlite3.SQLITE_PROTOCOL: StoreFaultKind.BUSY,
    sqlite3.SQLITE_IOERR: StoreFaultKind.IO,
    sqlite3.SQLITE_CANTOPEN: StoreFaultKind.IO,
}
_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_NOT_ALLOWED = {errno.EROFS, errno.EACCES, errno.EPERM}
_FULL_BELOW = 256 * 1024  # bytes


def fault_from(error: StorageError, path: Path) -> StoreFault | None:
    """The fault of the environment that `error` stands for; None when it is a mistake in Alcove."""
    if is_undecodable(error):
        return StoreFault(StoreFaultKind.CORRUPT, path, str(error))
    if isinstance(error, OSError):
        if error.errno in _NO_ROOM:
            kind = StoreFaultKind.DISK_FULL
        elif error.errno in _NOT_ALLOWED:
            kind = StoreFaultKind.READ_ONLY
        else:
            kind = StoreFaultKind.IO
        return StoreFault(kind, path, str(error))
    found = _KINDS.get(result_code(error) & 0xFF)
    if found is None:
        return None
    # SQLite reports a full disk as an input/output error where it is not writing a page: the shared memory
    # next to the file, for instance.
    if found is StoreFaultKind.IO and _is_full(path):
        found = StoreFaultKind.DISK_FULL
    return StoreFault(found, path, str(error))


def result_code(error: Exception) -> int:
    """SQLite's extended result code; 0 when the error did not come from SQLite itself."""
    return getattr(error, "sqlite_errorcode", None) or 0


def is_undecodable(error: Exception) -> bool:
    """A stored text is not UTF-8 any more: the disk changed it, because only UTF-8 is ever stored.

    UnicodeDecodeError is what Python raises when SQLite's message about damage quotes the damage.
    """
    return isinstance(error, UnicodeDecodeError) or (
        isinstance(error, sqlite3.OperationalError) and "Could not decode to UTF-8" in str(error)
    )


def _is_full(path: Path) -> bool:
    try:
        return shutil.disk_usage(path.parent).free < _FULL_BELOW
    except OSError:
        return False
