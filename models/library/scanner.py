"""The scanner: the child process that looks for models and reads their headers. Locked before this is imported.

Two threads. The reader takes commands from the parent and ends the process when the parent has gone; a scan is
stopped by ending the process. The main thread does one command after another.
"""

from __future__ import annotations

import hashlib
import os
import queue
import sys
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import replace
from typing import NoReturn, assert_never

from models.gguf_texts import SeenLists
from models.library.candidates import Candidate, Place, Unreadable
from models.library.describe import bare_entry, describe, look_at
from models.library.entry import LibraryEntry, ModelFile
from models.library.messages import (
    Command,
    Entering,
    Failed,
    Finished,
    Found,
    Hashed,
    Hashing,
    Looking,
    Reading,
    Ready,
    Remember,
    Report,
    Scan,
    Unchanged,
    Verify,
    decode_command,
    encode,
)
from models.library.places import look
from models.runtime.faults import Fault
from models.runtime.link import ChildSide

_SIGN_OF_LIFE = 0.25  # seconds
_BLOCK = 1 << 22  # bytes hashed at once
_DETAIL = 2_000

Send = Callable[[Report], None]


def main(channel: ChildSide, lock_summary: str, locked: bool) -> NoReturn:
    """Serve the parent until it goes away. `lock_summary`: what the lock of this process came to, in words."""
    scanner = _Scanner(channel)
    scanner.send(Ready(lock_summary, locked))
    threading.Thread(target=scanner.read, name="reader", daemon=True).start()
    scanner.serve()


class _Scanner:
    def __init__(self, channel: ChildSide) -> None:
        self._channel = channel
        self._commands: queue.SimpleQueue[Command] = queue.SimpleQueue()
        self._known: dict[str, tuple[tuple[str, int, int], ...]] = {}
        self._lists = SeenLists()
        self._told = 0.0

    def send(self, report: Report) -> None:
        self._channel.send(encode(report))

    def read(self) -> NoReturn:
        """The reader thread. Ends the process whatever happens: without it nobody could stop the scanner."""
        try:
            while (record := self._channel.receive()) is not None:
                self._commands.put(decode_command(record))
        except BaseException:  # the end of a thread, and of the process: a bug of the parent, told on stderr
            traceback.print_exc(file=sys.stderr)
            os._exit(1)
        os._exit(0)

    def serve(self) -> NoReturn:
        """The main loop."""
        while True:
            match command := self._commands.get():
                case Remember(models):
                    for model in models:
                        self._known[model.files[0].path] = tuple(file.stamp for file in model.files)
                    self.send(Looking(0))  # hundreds of thousands take their time
                case Scan(places):
                    _Search(self._known, self._lists, self.send).run(places)
                case Verify(files):
                    self._verify(files)
                case _:
                    assert_never(command)

    def _verify(self, files: tuple[ModelFile, ...]) -> None:
        total, done = sum(file.size for file in files), 0
        for file in files:
            try:
                hashed = self._hash(file, done, total)
            except OSError as error:
                missing = isinstance(error, FileNotFoundError)
                fault = Fault.FILE_MISSING if missing else Fault.FILE_UNREADABLE
                self.send(Failed(file.path, fault, str(error)[:_DETAIL]))
                return
            done += hashed.size
            self.send(Hashed(hashed))
        self.send(Finished(len(files), len(files)))

    def _hash(self, file: ModelFile, done: int, total: int) -> ModelFile:
        descriptor = os.open(
            file.path, os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0)
        )
        digest, block = hashlib.sha256(), bytearray(_BLOCK)
        with open(descriptor, "rb", buffering=0) as stream:
            before = os.fstat(descriptor)
            while size := stream.readinto(block):
                digest.update(memoryview(block)[:size])
                done += size
                self._sign_of_life(Hashing(done, max(done, total)))
            after = os.fstat(descriptor)
        if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
            raise OSError("the file changed while it was read")
        return replace(file, size=after.st_size, mtime_ns=after.st_mtime_ns, sha256=digest.hexdigest())

    def _sign_of_life(self, report: Report) -> None:
        if time.monotonic() - self._told >= _SIGN_OF_LIFE:
            self._told = time.monotonic()
            self.send(report)


class _Search:
    """One scan."""

    def __init__(
        self, known: dict[str, tuple[tuple[str, int, int], ...]], lists: SeenLists, send: Send
    ) -> None:
        self._known = known
        self._lists = lists
        self._send = send
        self._models = 0
        self._opened = 0
        self._seen: set[tuple[int, int]] = set()  # files by their identity: one model may have many names
        self._told = time.monotonic()

    def run(self, places: tuple[Place, ...]) -> None:
        for place in places:
            self._send(Entering(place))
            for seen in look(place):
                match seen:
                    case Candidate():
                        self._take(seen)
                    case Unreadable():
                        self._send(seen)
                    case None:
                        pass
                if time.monotonic() - self._told >= _SIGN_OF_LIFE:
                    self._told = time.monotonic()
                    self._send(Looking(self._models))
        self._send(Finished(self._models, self._opened))

    def _take(self, candidate: Candidate) -> None:
        if self._seen_before(candidate.paths[0]):
            return
        self._models += 1
        files = look_at(candidate)
        if self._known.get(files[0].path) == tuple(file.stamp for file in files):
            self._send(Unchanged(files[0].path))
            return
        self._send(Reading(candidate, files))
        self._opened += len(files)
        self._send(Found(self._described(candidate, files)))

    def _seen_before(self, path: str) -> bool:
        try:
            status = os.stat(path)
        except (OSError, ValueError):
            return False  # listed once for each name, with that as its reason
        identity = (status.st_dev, status.st_ino)
        if identity in self._seen:
            return True
        self._seen.add(identity)
        return False

    def _described(self, candidate: Candidate, files: tuple[ModelFile, ...]) -> LibraryEntry:
        try:
            return describe(candidate, files, self._lists)
        except Exception:  # the one place where a bug in reading costs one file instead of the scan
            detail = traceback.format_exc()
            print(detail, file=sys.stderr)
            return bare_entry(candidate, files, Fault.DAMAGED, detail[-_DETAIL:])
