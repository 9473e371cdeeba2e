"""A child's own end of the protocol: JSON lines over the stdin and stdout it was started with."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping

from desktop.processes.framing import MAX_LINE_BYTES, BadRecord, decode_line, encode_line

_STDIN, _STDOUT, _STDERR = 0, 1, 2


class StdioChannel:
    """The link to the parent, taken out of reach of everything else in the process.

    Descriptor 1 becomes a second stderr and descriptor 0 nothing, so that a native library that prints, or
    reads, cannot disturb the protocol. Make one per process, before anything is printed.
    """

    def __init__(self) -> None:
        # dup() gives descriptors that no later child inherits.
        self._to_parent = os.dup(_STDOUT)
        self._from_parent = os.fdopen(os.dup(_STDIN), "rb")
        self._sending = threading.Lock()
        os.dup2(_STDERR, _STDOUT)
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, _STDIN)
        os.close(nothing)

    def send(self, record: Mapping[str, object]) -> None:
        """Write one record. Safe from any thread; blocks while the parent is slow to read.

        Does nothing once the parent has gone: `receive` is what tells.
        """
        rest = memoryview(encode_line(record))
        with self._sending:
            try:
                while rest:
                    rest = rest[os.write(self._to_parent, rest) :]
            except BrokenPipeError:
                return

    def receive(self) -> dict[str, object] | None:
        """Block for the next record; None when the parent has gone, even in the middle of a line.

        Raises `BadRecord` for a line that is not one: the parent is the same programme, so that is a bug.
        """
        line = self._from_parent.readline(MAX_LINE_BYTES + 1)
        if line.endswith(b"\n"):
            return decode_line(line)
        if len(line) > MAX_LINE_BYTES:
            raise BadRecord(f"a line is longer than {MAX_LINE_BYTES} bytes")
        return None
