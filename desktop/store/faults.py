"""What can go wrong between Alcove and the disk, told apart from mistakes in Alcove.

A `StoreFault` is the environment's doing (no room, no permission, a damaged file) and has a sentence for the
person. Every other exception that leaves the store is a bug.
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path


class StoreFaultKind(StrEnum):
    """Who or what is in the way."""

    DISK_FULL = "disk_full"
    READ_ONLY = "read_only"
    CORRUPT = "corrupt"
    NEWER = "newer"  # written by a newer Alcove
    BUSY = "busy"  # another process holds the file for longer than we wait
    IO = "io"


class StoreFault(Exception):
    """The store could not do what it was asked, and nothing of it was done. `path`: the file it is about."""

    def __init__(self, kind: StoreFaultKind, path: Path, detail: str = "") -> None:
        super().__init__(f"{kind.value}: {detail}" if detail else kind.value)
        self.kind = kind
        self.path = path
        self.detail = detail
