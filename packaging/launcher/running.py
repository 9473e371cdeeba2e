"""Running another program: watched, written down in full, and ended with everything it started."""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import subprocess
import sys
import threading
import types
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import IO

from launcher.console import Console
from launcher.stop import Stop

LAST_LINES = 20
NOISE = "DEBUG "  # uv's verbose lines: progress is read from them, a person is spared them


class CommandFailed(Exception):
    """A program ended with an error; `tail` has the last lines it wrote."""

    def __init__(self, command: Sequence[str], status: int, tail: Sequence[str]) -> None:
        super().__init__(f"{command[0]} ended with status {status}")
        self.tail = list(tail)


def interrupt_when_told_to_end() -> None:
    """SIGTERM, and the terminal going away, become what Ctrl-C is: the program that runs is ended first."""

    def interrupt(number: int, frame: types.FrameType | None) -> None:
        raise KeyboardInterrupt

    if sys.platform != "win32":
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, interrupt)


def run(
    command: Sequence[str],
    console: Console,
    log: IO[str],
    *,
    read: Callable[[str], str | None] = lambda line: None,
    environment: Mapping[str, str] | None = None,
    directory: str | os.PathLike[str] | None = None,
    keep_open: int | None = None,
) -> None:
    """Runs a program to its end. Every line goes to `log`; `read` turns a line into the activity shown, or None.

    `keep_open` is a file descriptor that the program inherits. Raises `CommandFailed`, or `Stop` when it can't
    be started. Ctrl-C ends the program and everything it started, then goes on up.
    """
    log.write(f"\n$ {' '.join(command)}\n")
    lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
    tail: list[str] = []
    with _started(command, environment, directory, keep_open) as process:
        threading.Thread(target=_pump, args=(process.stdout, lines), daemon=True).start()
        for line in _lines(lines, process, console):
            log.write(line + "\n")
            if not line.startswith(NOISE):
                tail = [*tail[1 - LAST_LINES :], line]
            activity = read(line)
            if activity is not None:
                console.activity(activity)
        status = process.wait()
    log.flush()
    if status:
        raise CommandFailed(command, status, tail)


@contextlib.contextmanager
def _started(
    command: Sequence[str],
    environment: Mapping[str, str] | None,
    directory: str | os.PathLike[str] | None,
    keep_open: int | None,
) -> Iterator[subprocess.Popen[str]]:
    held = _HeldSignals()
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            env=environment,
            cwd=directory,
            # A group of its own: a compiler's forty children end with one signal.
            start_new_session=sys.platform != "win32",
            pass_fds=[keep_open] if keep_open is not None and sys.platform != "win32" else [],
        )
    except OSError as error:
        held.let_go()
        raise Stop(f"{command[0]} could not be started: {error.strerror or error}.") from error
    try:
        held.let_go()
        yield process
    finally:
        if process.poll() is None:
            _end(process)


class _HeldSignals:
    """Ctrl-C and its like wait while a program is being started: before its process is known, nobody could end it."""

    def __init__(self) -> None:
        self._came: list[int] = []
        numbers = [signal.SIGINT, signal.SIGTERM] + ([] if sys.platform == "win32" else [signal.SIGHUP])
        self._before = {number: signal.getsignal(number) for number in numbers}
        for number, before in self._before.items():
            if callable(before):  # what is ignored stays so, in the program too
                signal.signal(number, self._hold)

    def _hold(self, number: int, frame: types.FrameType | None) -> None:
        self._came.append(number)

    def let_go(self) -> None:
        """From now on they act; what came meanwhile acts first."""
        for number, before in self._before.items():
            if callable(before):
                signal.signal(number, before)
        if self._came:
            signal.raise_signal(self._came[0])


def _end(process: subprocess.Popen[str]) -> None:
    if sys.platform == "win32":
        subprocess.run(["taskkill", "/F", "/T", "/PID", str(process.pid)], capture_output=True, check=False)
    else:
        for number in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(3)
    process.wait()


def _pump(stream: IO[str] | None, lines: queue.SimpleQueue[str | None]) -> None:
    if stream is not None:
        with stream:
            for line in stream:
                lines.put(line.rstrip())
    lines.put(None)


def _lines(
    lines: queue.SimpleQueue[str | None], process: subprocess.Popen[str], console: Console
) -> Iterator[str]:
    """Lines as they come, with the console kept alive in between. Ends when the program's output ends."""
    while True:
        try:
            line = lines.get(timeout=0.2)
        except queue.Empty:
            console.tick()
            # A daemon left behind may hold the pipe open after the program itself has ended.
            if process.poll() is not None and lines.empty():
                return
            continue
        if line is None:
            return
        console.tick()
        yield line
