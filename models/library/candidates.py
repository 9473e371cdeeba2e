"""What a look at a disk finds, before any model is opened."""

from __future__ import annotations

import errno
from dataclasses import dataclass

from models.library.entry import Source


@dataclass(frozen=True, slots=True)
class Place:
    """Somewhere to look. `path`: absolute; the folder, the file, or the root of the store."""

    source: Source
    path: str


@dataclass(frozen=True, slots=True)
class Candidate:
    """Files that may be one model."""

    paths: tuple[str, ...]  # in the order of the parts
    place: Place
    group: str
    name: str = ""  # what the store calls it
    repo: str = ""
    expected_sha256: tuple[str, ...] = ()  # for each path, "" unknown; or empty
    missing: tuple[int, ...] = ()  # the numbers of parts that are not there, from 1


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A folder, or a place, that could not be listed. `reason`: the name of the system's error ("EACCES")."""

    path: str
    reason: str


Seen = Candidate | Unreadable | None
"""None: still looking, nothing found in the last few hundred names."""


def unreadable(path: str, error: OSError) -> Unreadable:
    """`error` as a fact about `path`."""
    return Unreadable(path, errno.errorcode.get(error.errno or 0, type(error).__name__))
