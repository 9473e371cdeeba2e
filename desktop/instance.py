"""One window for one home: the second Alcove asks the first to show its window, and ends.

A lock on a file says who is first; the system gives it back when a process dies, however it dies. The request
is a touched file that the first one watches: no socket, and only who may write the home can ask.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import IO


class Instance:
    """The right to show the window of one home."""

    def __init__(self, lock_file: Path) -> None:
        self._lock_file = lock_file
        self._held: IO[bytes] | None = None
        self.request_file = lock_file.with_suffix(".show")
        """Changes whenever another Alcove wants this one's window shown. Exists once the right is held."""

    def acquire(self) -> bool:
        """Become the first. False when another process is. Raises OSError when the file can't be made."""
        self._lock_file.parent.mkdir(parents=True, exist_ok=True)
        held = open(self._lock_file, "ab")  # noqa: SIM115  # stays open: its lock lasts as long
        try:
            _lock(held)
        except OSError:
            held.close()
            return False
        self._held = held
        self.request_file.touch()
        return True

    def ask_to_show(self) -> None:
        """Ask the first one to show its window. Raises OSError when that can't be written."""
        self.request_file.write_text(f"{time.time_ns()}\n", "ascii")

    def release(self) -> None:
        if self._held is not None:
            self._held.close()
            self._held = None


if sys.platform == "win32":
    import msvcrt

    def _lock(file: IO[bytes]) -> None:
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _lock(file: IO[bytes]) -> None:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
