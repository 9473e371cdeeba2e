"""The partial file of a download: what is written to it is hashed on the way, and is on the disk at the end."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import queue
import threading
import time
from pathlib import Path

_BATCH = 1 << 20
_BATCH_SECONDS = 1.0
"""What a process that is killed loses of a slow download: at most so many bytes, and no more than came in so long."""

_BATCHES_WAITING = 8
_SYNC_EVERY = 32 << 20


class Stopped(Exception):
    """The person, or the program's end, stopped it."""


class Sink:
    """A partial file that hashes what is written to it, in a thread of its own and with 9 MB waiting at most.

    The thread makes room for the network: hashing takes as long as fetching does.
    """

    def __init__(self, path: Path) -> None:
        path.touch()
        self._file = path.open("r+b", buffering=0)
        self.size = self._file.seek(0, os.SEEK_END)
        self._hash = hashlib.sha256()
        self._batch: list[bytes] = []
        self._batched = 0
        self._handed_over = time.monotonic()
        self._waiting: queue.Queue[list[bytes] | None] = queue.Queue(_BATCHES_WAITING)
        self._error: OSError | None = None
        self._thread: threading.Thread | None = None
        self._syncing: threading.Thread | None = None
        self._unsynced = 0

    def __enter__(self) -> Sink:
        return self

    def __exit__(self, *_: object) -> None:
        """What was written reaches the disk in any case: it is what the next attempt goes on from."""
        try:
            with contextlib.suppress(OSError):  # a fault is told by `write` and `finish`
                self._settle()
            with contextlib.suppress(OSError):
                self._sync()
        finally:
            self._file.close()

    def hash_what_is_there(self, stop: threading.Event) -> None:
        """Raises `Stopped` and OSError."""
        self._file.seek(0)
        left = self.size
        while left:
            piece = self._file.read(min(_BATCH, left))
            if not piece:
                raise OSError(errno.EIO, "the partial file became shorter")
            self._hash.update(piece)
            left -= len(piece)
            if stop.is_set():
                raise Stopped

    def reset(self) -> None:
        """Empty again."""
        self._settle()
        self._file.seek(0)
        self._file.truncate()
        self.size = 0
        self._hash = hashlib.sha256()

    def write(self, piece: bytes) -> None:
        """Raises OSError, for this piece or an earlier one."""
        self._batch.append(piece)
        self._batched += len(piece)
        self.size += len(piece)
        if self._error is not None:
            raise self._error
        if self._batched >= _BATCH or time.monotonic() - self._handed_over > _BATCH_SECONDS:
            self._hand_over()

    def finish(self) -> str:
        """The SHA-256 of the file, in hexadecimal digits, once everything is on the disk. Raises OSError."""
        self._settle()
        self._sync()
        return self._hash.hexdigest()

    def _hand_over(self) -> None:
        if self._thread is None:
            self._file.seek(0, os.SEEK_END)
            self._thread = threading.Thread(target=self._work, name="download-sink", daemon=True)
            self._thread.start()
        self._waiting.put(self._batch)
        self._batch, self._batched, self._handed_over = [], 0, time.monotonic()

    def _settle(self) -> None:
        """Everything handed over is written and hashed, and the thread has ended."""
        if self._batch:
            self._hand_over()
        if self._thread is not None:
            self._waiting.put(None)
            self._thread.join()
            self._thread = None
        if self._error is not None:
            raise self._error

    def _work(self) -> None:
        while (batch := self._waiting.get()) is not None:
            if self._error is not None:
                continue  # only to let the other thread go on until it looks
            data = memoryview(b"".join(batch))
            try:
                written = 0
                while written < len(data):
                    written += self._file.write(data[written:]) or 0
            except OSError as error:
                self._error = error
                continue
            self._hash.update(data)
            self._sync_along(len(data))

    def _sync_along(self, written: int) -> None:
        """Start what was written on its way to the disk, so that little is left to wait for at the end."""
        self._unsynced += written
        if self._unsynced < _SYNC_EVERY or (self._syncing is not None and self._syncing.is_alive()):
            return
        self._unsynced = 0
        self._syncing = threading.Thread(target=self._sync_now, daemon=True)
        self._syncing.start()

    def _sync(self) -> None:
        if self._syncing is not None:
            self._syncing.join()
            self._syncing = None
        self._sync_now()
        if self._error is not None:
            raise self._error

    def _sync_now(self) -> None:
        try:
            os.fsync(self._file.fileno())
        except OSError as error:  # the system tells it once only
            self._error = error
