"""Database files that are put out of the way (damaged ones, never overwritten or deleted) or copied."""

from __future__ import annotations

import logging
import os
import shutil
import sqlite3
import time
from pathlib import Path

from desktop.store.connection import companions, connect_for_reading

log = logging.getLogger(__name__)

BACKUPS_KEPT = 3


def set_aside(path: Path) -> Path:
    """Rename a damaged database and what belongs to it, bytes untouched. Returns where it is now."""
    kept = _free_name(path, f"corrupt-{_now()}")
    moves = [(path, kept), *zip(companions(path), companions(kept), strict=True)]
    for source, target in moves:
        if source.exists():
            source.rename(target)
    log.info("a damaged database was kept as %s", kept.name)
    return kept


def put_back(kept: Path, path: Path) -> None:
    """Undo `set_aside`, as no new database could be made in its place; what there is of the new one goes."""
    for unfinished in (path, *companions(path)):
        unfinished.unlink(missing_ok=True)
    for source, target in [
        (kept, path),
        *zip(companions(kept), companions(path), strict=True),
    ]:
        if source.exists():
            source.rename(target)


def has_log_without_database(path: Path) -> bool:
    """Messages wait in a write-ahead log whose database is gone or empty. SQLite would delete that log."""
    write_ahead_log = companions(path)[0]
    return _size(write_ahead_log) > 0 and _size(path) == 0


def copy_database(path: Path, folder: Path) -> Path:
    """A private copy, with the newest messages from the log, that can be opened and mended freely."""
    copy = folder / path.name
    shutil.copyfile(path, copy)
    # Not the -shm: it is rebuilt from the log.
    for source, target in zip(companions(path)[:2], companions(copy)[:2], strict=True):
        if source.exists():
            shutil.copyfile(source, target)
    return copy


def back_up(path: Path, why: str) -> Path:
    """Copy a healthy database to one file beside it before it is changed; keep the newest few of them.

    The copy has its final name only when it is whole and on the disk. Raises sqlite3.Error or OSError.
    """
    backup = _free_name(path, f"{why}-{_now()}")
    unfinished = backup.with_suffix(".unfinished")
    source = connect_for_reading(path)
    try:
        unfinished.unlink(missing_ok=True)
        os.close(os.open(unfinished, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        target = sqlite3.connect(unfinished)
        try:
            source.backup(target)
        finally:
            target.close()
        unfinished.rename(backup)
    finally:
        source.close()
        unfinished.unlink(missing_ok=True)
    log.info("backup before a change of the database: %s", backup.name)
    _forget_old_backups(path)
    return backup


def backups(path: Path) -> list[Path]:
    """Backups of this database, oldest first."""
    return sorted(
        path.parent.glob(f"{path.stem}.before-*{path.suffix}"),
        key=lambda found: found.stat().st_mtime_ns,
    )


def _forget_old_backups(path: Path) -> None:
    for old in backups(path)[:-BACKUPS_KEPT]:
        old.unlink(missing_ok=True)


def _now() -> str:
    return time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())


def _free_name(path: Path, label: str) -> Path:
    """`conversations.db` → `conversations.<label>.db`, numbered when that name is taken."""
    number = 1
    while True:
        suffix = "" if number == 1 else f"-{number}"
        name = path.with_name(f"{path.stem}.{label}{suffix}{path.suffix}")
        if not any(taken.exists() for taken in (name, *companions(name))):
            return name
        number += 1


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
