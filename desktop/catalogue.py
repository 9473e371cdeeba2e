"""The catalogue: what is known of the models on this disk, kept between runs in one small file (library.json).

What headers said can be read again, so an entry that does not fit this version is forgotten. What only the
catalogue knows (when a model was used, what Alcove downloaded, what lies in a trash folder) is kept through all
versions; a file in which that can't be read is kept aside, never overwritten.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from desktop.files import read_json, write_json
from models.codec import Codec, ProtocolError
from models.library.entry import LibraryEntry
from models.library.knowledge import tables_version

_VERSION = 1


@dataclass(frozen=True, slots=True)
class Removed:
    """A model that was removed. Its files lie in trash folders, on the same disk as before."""

    name: str
    removed_at: float  # seconds since 1970
    origins: tuple[str, ...]
    kept: tuple[str, ...]  # where each of them lies now
    sha256: tuple[str, ...]  # what they were downloaded as, "" unknown


@dataclass(frozen=True, slots=True)
class MadeFrom:
    """A smaller version that Alcove made of another model."""

    path: str
    size: int  # bytes: another file that comes to lie at `path` is none that Alcove made
    source: str  # the path of what it was made from
    type: str  # "Q4_K_M"
    made_at: float  # seconds since 1970


@dataclass(slots=True)
class Catalogue:
    """Everything in the file. Paths are the keys of the dictionaries."""

    entries: dict[str, LibraryEntry] = field(default_factory=dict)
    used: dict[str, float] = field(default_factory=dict)  # seconds since 1970
    downloaded: dict[str, str] = field(default_factory=dict)  # what Alcove fetched, with its SHA-256 or ""
    imported: list[str] = field(default_factory=list)  # single files a person added
    removed: list[Removed] = field(default_factory=list)
    made: dict[str, MadeFrom] = field(default_factory=dict)  # smaller versions, and what of


@dataclass(frozen=True, slots=True)
class _Marks:
    used: dict[str, float]
    downloaded: dict[str, str]
    imported: tuple[str, ...]
    removed: tuple[Removed, ...]
    made: tuple[MadeFrom, ...]


_CODEC = Codec((LibraryEntry, _Marks))


def read_catalogue(path: Path) -> Catalogue:
    """The catalogue in a file; an empty one when there is none. Raises OSError when it can't be read."""
    try:
        content = read_json(path)
        if not content:
            return Catalogue()
        if content.get("version") != _VERSION:
            raise ValueError(f"version {content.get('version')!r:.20}")
        record = {"made": [], **_record(content.get("marks"), _Marks)}  # older files made nothing
        marks = cast(_Marks, _CODEC.decode(record))
    except (ValueError, ProtocolError):
        path.rename(path.with_name(f"{path.name}.unreadable-{time.time_ns()}"))
        return Catalogue()
    entries = _entries(content.get("entries")) if content.get("tables") == tables_version() else ()
    return Catalogue(
        {entry.path: entry for entry in entries},
        marks.used,
        marks.downloaded,
        list(marks.imported),
        list(marks.removed),
        {made.path: made for made in marks.made},
    )


def _entries(records: Any) -> Iterable[LibraryEntry]:
    for record in records if isinstance(records, list) else ():
        try:
            entry = cast(LibraryEntry, _CODEC.decode(_record(record, LibraryEntry)))
        except ProtocolError:
            continue
        if entry.files:
            yield entry


def _record(content: Any, kind: type) -> dict[str, Any]:
    if not isinstance(content, dict):
        raise ProtocolError(f"no {kind.__name__}")
    return {**content, "kind": kind.__name__}


def catalogue_content(catalogue: Catalogue) -> dict[str, Any]:
    """What `write_catalogue` writes: a copy, so that another thread may write it."""
    marks = _Marks(
        dict(catalogue.used),
        dict(catalogue.downloaded),
        tuple(catalogue.imported),
        tuple(catalogue.removed),
        tuple(catalogue.made.values()),
    )
    return {
        "version": _VERSION,
        "tables": tables_version(),
        "marks": _CODEC.encode(marks),
        "entries": [_CODEC.encode(entry) for entry in catalogue.entries.values()],
    }


def write_catalogue(path: Path, content: dict[str, Any]) -> None:
    """Replace the file atomically. Raises OSError."""
    write_json(path, content, compact=True)
