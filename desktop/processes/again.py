"""Starting Alcove anew from outside its lock: what the network switch needs when it is turned.

A locked process stays locked, and so does whatever it starts. So a helper is forked before the lock: it holds
nothing but a pipe, does nothing but wait, and starts the program again if it is told to when the pipe ends. It
ends with the window however that ends, and takes no other word. POSIX only; Windows has no lock to get out of.
"""

from __future__ import annotations

import os
import sys

_WORD = b"again"

_pipe: int | None = None


def stand_by() -> None:
    """Fork the helper. Called once, before the lock and before any thread; harmless where it can't be done."""
    global _pipe
    if not hasattr(os, "fork"):
        return
    try:
        reading, writing = os.pipe()
        helper = os.fork()
    except OSError:
        return
    if helper:
        os.close(reading)
        _pipe = writing
        return
    try:
        os.close(writing)
        _wait(reading)
    finally:
        os._exit(0)


def can_start_again() -> bool:
    return _pipe is not None


def start_again() -> None:
    """Alcove is started anew once this process has ended."""
    if _pipe is not None:
        os.write(_pipe, _WORD)


def _wait(pipe: int) -> None:
    """The helper's life: until every end of the pipe is closed, which is when the window's process has ended."""
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C in a terminal is for the window
    said = b""
    while piece := os.read(pipe, 64):
        said = (said + piece)[-64:]
    if said == _WORD:
        # -P: nothing that lies in the current folder is taken for a part of Alcove.
        os.execv(sys.executable, [sys.executable, "-X", "utf8", "-P", "-m", "desktop"])
