"""One set-up of a checkout at a time: a second run.py waits for the first."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

if sys.platform == "win32":
    import msvcrt

    def _take(descriptor: int) -> bool:
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:
    import fcntl

    def _take(descriptor: int) -> bool:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


@contextlib.contextmanager
def alone(file: Path, waiting: Callable[[], None]) -> Iterator[int]:
    """Holds the lock for the block, after calling `waiting` once if another has it. Yields the file descriptor.

    On Linux and macOS programs that inherit the descriptor keep the lock too: when run.py is killed while a
    compiler still works, the next one waits for it instead of pulling the folder from under its feet.
    """
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        if not _take(descriptor):
            waiting()
            while not _take(descriptor):
                time.sleep(0.2)
        yield descriptor
    finally:
        os.close(descriptor)
