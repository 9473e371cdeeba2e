"""The parent's end of a child that was started before there was an event loop: the broker.

Threads read and write its pipes, because a pipe made by `subprocess` can't be given to every system's event loop.
The same rules hold as for other children (`desktop.processes.child`): one JSON object a line, and a child that
breaks them is ended.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import IO

from desktop.processes.framing import BadRecord, LineSplitter, decode_line, encode_line
from desktop.processes.way_out import BrokerProcess

_LAST_WORDS = 4_000  # characters
_READ_BYTES = 256 * 1024
_MOST_UNREAD = 1024 * 1024  # bytes; beyond these the child has to wait


class AdoptedProcess:
    """A running child with three pipes. All methods belong to the loop it is adopted on."""

    def __init__(self, process: BrokerProcess) -> None:
        assert process.stdin is not None and process.stdout is not None and process.stderr is not None
        self._process = process
        self._loop = asyncio.get_running_loop()
        self._to_send: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._lines: deque[bytes] = deque()
        self._unread = 0
        self._room = threading.Event()
        self._room.set()
        self._ended = False
        self._arrived = asyncio.Event()
        self._status: asyncio.Future[int] = self._loop.create_future()
        self._stderr = bytearray()
        self._complaint = ""
        for work, pipe in (
            (self._read, process.stdout),
            (self._write, process.stdin),
            (self._listen, process.stderr),
        ):
            threading.Thread(target=work, args=(pipe,), name="broker pipe", daemon=True).start()

    # What the rest of Alcove calls.

    @property
    def pid(self) -> int:
        return self._process.pid

    def send(self, record: Mapping[str, object]) -> None:
        """Queue one record for the child. Never blocks; silently does nothing once the child has gone."""
        self._to_send.put(encode_line(record))

    async def receive(self) -> dict[str, object] | None:
        """The next record, or None once the child has closed its end. Cancelling loses nothing."""
        while not self._lines:
            if self._ended:
                return None
            self._arrived.clear()
            await self._arrived.wait()
        line = self._lines.popleft()
        self._unread -= len(line)
        if self._unread < _MOST_UNREAD:
            self._room.set()
        try:
            return decode_line(line)
        except BadRecord as error:
            self._break_off(str(error))
            return None

    async def wait(self) -> int:
        """The exit status: a code, or minus the signal's number."""
        return await asyncio.shield(self._status)

    def hang_up(self) -> None:
        """End the child's input: it finishes what must be finished and ends by itself."""
        self._to_send.put(None)

    def kill(self) -> None:
        """End the child at once. Harmless when it has already gone."""
        with suppress(ProcessLookupError):
            self._process.kill()

    @property
    def last_words(self) -> str:
        """The end of what the child wrote to stderr and, if it was ended, why; at most 4,000 characters."""
        words = bytes(self._stderr).decode("utf-8", errors="replace")
        return (words + self._complaint)[-_LAST_WORDS:]

    # The threads.

    def _read(self, pipe: IO[bytes]) -> None:
        splitter = LineSplitter()
        problem = ""
        try:
            while data := pipe.read(_READ_BYTES):
                lines = splitter.feed(data)
                if lines:
                    self._tell(self._take, lines)
                self._room.wait()
        except BadRecord as error:
            problem = str(error)
        except (OSError, ValueError):  # closed from the other side, or from ours
            pass
        if problem:
            self._tell(self._break_off, problem)
        self._tell(self._end)
        status = self._process.wait()
        pipe.close()
        self._tell(self._exited, status)

    def _write(self, pipe: IO[bytes]) -> None:
        with suppress(OSError, ValueError):
            while (line := self._to_send.get()) is not None:
                rest = memoryview(line)
                while rest:
                    rest = rest[pipe.write(rest) :]
        with suppress(OSError):
            pipe.close()

    def _listen(self, pipe: IO[bytes]) -> None:
        with suppress(OSError, ValueError):
            while data := pipe.read(4096):
                self._stderr += data
                del self._stderr[: -4 * _LAST_WORDS]
            pipe.close()

    def _tell(self, what: Callable[..., None], *arguments: object) -> None:
        with suppress(RuntimeError):  # the loop has been closed: nobody is left to be told
            self._loop.call_soon_threadsafe(what, *arguments)

    # On the loop.

    def _take(self, lines: list[bytes]) -> None:
        if self._ended:
            return
        self._lines.extend(lines)
        self._unread += sum(map(len, lines))
        if self._unread >= _MOST_UNREAD:
            self._room.clear()
        self._arrived.set()

    def _break_off(self, problem: str) -> None:
        """The child does not keep to the protocol: end it, and believe nothing more of it."""
        self._complaint = f"\nEnded because it sent something that is not a record: {problem}\n"
        self._lines.clear()
        self._unread = 0
        self._end()
        self.kill()

    def _end(self) -> None:
        self._ended = True
        self._room.set()
        self._arrived.set()

    def _exited(self, status: int) -> None:
        if not self._status.done():
            self._status.set_result(status)
