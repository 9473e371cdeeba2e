"""A real X11 display that nobody sees: Xvfb on a number it chooses itself."""

from __future__ import annotations

import os
import select
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

STARTS_WITHIN = 30.0  # seconds


@contextmanager
def virtual_display(size: str = "1600x1200") -> Iterator[str]:
    """Runs Xvfb for the block and yields the value for DISPLAY (":1")."""
    reading, writing = os.pipe()
    # It ends with the tests, even when they are killed.
    command = ["setpriv", "--pdeathsig", "TERM", "Xvfb", "-displayfd", str(writing)]
    command += ["-screen", "0", f"{size}x24", "-nolisten", "tcp", "-noreset"]
    server = subprocess.Popen(
        command, pass_fds=[writing], stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    os.close(writing)
    try:
        yield f":{_number(reading)}"
    finally:
        os.close(reading)
        server.terminate()
        server.wait(10)


def _number(reading: int) -> int:
    """The display's number, written by Xvfb when it is ready: digits and a newline, perhaps in pieces."""
    written = b""
    while not written.endswith(b"\n"):
        ready, _, _ = select.select([reading], [], [], STARTS_WITHIN)
        piece = os.read(reading, 16) if ready else b""
        if not piece:
            raise RuntimeError("Xvfb did not start")
        written += piece
    return int(written)
