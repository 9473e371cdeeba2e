"""The parent's end of a child process: starting it, one JSON object per line both ways, and its end.

A child is not trusted: it opens files from strangers. What it sends that is not a record ends it, and it
cannot make the parent hold more than one line's limit plus a little.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import cast

from desktop.processes.environment import child_environment
from desktop.processes.framing import BadRecord, LineSplitter, decode_line, encode_line
from desktop.processes.roles import Network, Role, allowed_network, command_line

_STDIN, _STDOUT, _STDERR = 0, 1, 2
_LAST_WORDS = 4_000  # characters
_LAST_WORDS_BYTES = 4 * _LAST_WORDS  # no character of UTF-8 is longer
_QUEUE_BYTES = 1024 * 1024  # unread lines beyond this make the child wait
_STDERR_PATIENCE = 1.0  # seconds for the last words of a child that has exited; normally they are there


async def spawn(
    role: Role,
    *,
    network: Network | None = None,
    environ: Mapping[str, str] | None = None,
    files: Sequence[int] = (),
    folder: str = "",
) -> ChildProcess:
    """Start this programme again in another role. It locks itself before it does anything else.

    `network`: None for the role's own policy, or the weaker one it may have (ValueError for any other).
    `files`: descriptors that the child gets under the same numbers (not on Windows): what its lock would not let it
    open. They stay open here too. `folder`: for a role that may write in one.
    `environ`: where the child's few variables are taken from; None for this process's own.
    Raises OSError when no process can be started. The child's current folder is the root folder, where no
    module or library can be put in its way: paths sent to it must be absolute.
    """
    allowed_network(role, network)
    interpreter = [sys.executable, "-X", "utf8", "-P", "-m", "desktop"]
    return await launch([*interpreter, *command_line(role, network, folder)], environ, files)


async def launch(
    command: Sequence[str], environ: Mapping[str, str] | None = None, files: Sequence[int] = ()
) -> ChildProcess:
    """Start any program that speaks the protocol, as `spawn` does. The child belongs to the running loop."""
    loop = asyncio.get_running_loop()
    _, protocol = await loop.subprocess_exec(
        ChildProcess,
        *command,
        cwd=Path(sys.executable).anchor,
        env=child_environment(os.environ if environ is None else environ),
        # Ctrl+C in a terminal is for the parent, which ends its children in good order.
        start_new_session=True,
        creationflags=_creation_flags(),
        pass_fds=tuple(files),
    )
    protocol._files = tuple(files)
    return protocol


def _creation_flags() -> int:
    """Windows: no console window flashes up, and the child yields to the window. Nothing elsewhere."""
    if sys.platform == "win32":
        return subprocess.CREATE_NO_WINDOW | subprocess.BELOW_NORMAL_PRIORITY_CLASS
    return 0


class ChildProcess(asyncio.SubprocessProtocol):
    """A running child. Made by `spawn` or `launch`; all methods belong to the loop it was started on."""

    def __init__(self) -> None:
        self._transport: asyncio.SubprocessTransport
        self._splitter = LineSplitter()
        self._lines: deque[bytes] = deque()
        self._queued = 0  # bytes in `_lines`
        self._paused = False
        self._ended = False  # nothing more will be added to `_lines`
        self._arrived = asyncio.Event()  # a line, or the end
        self._exited: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._stderr = bytearray()
        self._stderr_ended = asyncio.Event()
        self._files: Sequence[int] = ()
        self._complaint = ""  # why the parent ended it, if the parent did

    # What the rest of Alcove calls.

    @property
    def pid(self) -> int:
        return self._transport.get_pid()

    @property
    def files(self) -> Sequence[int]:
        """Descriptors it was given besides its pipes."""
        return self._files

    def send(self, record: Mapping[str, object]) -> None:
        """Queue one record for the child. Never blocks; silently does nothing once the child has gone."""
        line = encode_line(record)
        pipe = cast("asyncio.WriteTransport | None", self._transport.get_pipe_transport(_STDIN))
        if pipe is not None and not pipe.is_closing():
            pipe.write(line)

    async def receive(self) -> dict[str, object] | None:
        """The next record, or None once the child has closed its end. Cancelling loses nothing."""
        while not self._lines:
            if self._ended:
                return None
            self._arrived.clear()
            await self._arrived.wait()
        line = self._lines.popleft()
        self._queued -= len(line)
        self._read_on_or_wait()
        try:
            return decode_line(line)
        except BadRecord as error:
            self._break_off(error)
            return None

    async def wait(self) -> int:
        """The exit status: a code, or minus the signal's number (as `subprocess` counts).

        `last_words` is whole then.
        """
        status = await asyncio.shield(self._exited)
        with suppress(TimeoutError):
            await asyncio.wait_for(self._stderr_ended.wait(), _STDERR_PATIENCE)
        return status

    def kill(self) -> None:
        """End the child at once. Harmless when it has already gone."""
        with suppress(ProcessLookupError):
            self._transport.kill()

    @property
    def last_words(self) -> str:
        """The end of what the child wrote to stderr and, if it was ended, why; at most 4,000 characters."""
        words = self._stderr.decode("utf-8", errors="replace")
        return (words + self._complaint)[-_LAST_WORDS:]

    # What asyncio calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.SubprocessTransport", transport)

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        if fd == _STDERR:
            self._stderr += data
            del self._stderr[:-_LAST_WORDS_BYTES]
            return
        if self._ended:
            return
        try:
            lines = self._splitter.feed(data)
        except BadRecord as error:
            self._break_off(error)
            return
        if lines:
            self._lines.extend(lines)
            self._queued += sum(map(len, lines))
            self._read_on_or_wait()
            self._arrived.set()

    def pipe_connection_lost(self, fd: int, exc: Exception | None) -> None:
        if fd == _STDOUT:
            self._end()
        elif fd == _STDERR:
            self._stderr_ended.set()

    def process_exited(self) -> None:
        status = self._transport.get_returncode()
        if not self._exited.done():
            self._exited.set_result(-1 if status is None else status)
        self._read_on_or_wait()

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport.close()  # it has exited and its pipes are closed: nothing more than saying so

    # What happens in between.

    def _read_on_or_wait(self) -> None:
        """Stop reading the child's pipe while too much of it lies unread, which blocks the child's writes.

        Once it has exited the rest is small, and must be read for the pipe to be closed.
        """
        pause = self._queued >= _QUEUE_BYTES and not self._exited.done()
        pipe = cast("asyncio.ReadTransport | None", self._transport.get_pipe_transport(_STDOUT))
        if pause is self._paused or pipe is None or pipe.is_closing():
            return
        self._paused = pause
        if pause:
            pipe.pause_reading()
        else:
            pipe.resume_reading()

    def _break_off(self, error: BadRecord) -> None:
        """The child does not keep to the protocol: end it, and believe nothing more of it."""
        self._complaint = f"\nEnded because it sent something that is not a record: {error}\n"
        self._lines.clear()
        self._queued = 0
        self._end()
        self.kill()

    def _end(self) -> None:
        self._ended = True
        self._arrived.set()
