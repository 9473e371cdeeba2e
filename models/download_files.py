"""Where finished files lie, and the note beside each that says where it came from."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Collection
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from models.download_ticket import FileTicket, Ticket, write_atomically

_ORIGIN = ".origin.json"
_LARGEST_ORIGIN = 1 << 16


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a file came from. Its presence means: fetched here, and the hash was the hub's. `fetched`: ISO 8601."""

    endpoint: str
    repo: str
    revision: str
    path: str
    size: int
    sha256: str
    fetched: str


def place_of(models: Path, repo: str, path: str) -> Path:
    """Where a finished file goes. Both names must have been checked (models.file_names)."""
    return models.joinpath(*repo.split("/"), *path.split("/"))


def origin_of(place: Path) -> Origin | None:
    """What is known of where a file came from; None for one that was not fetched by this program."""
    note = place.with_name(place.name + _ORIGIN)
    try:
        with note.open("rb") as file:
            value = json.loads(file.read(_LARGEST_ORIGIN))
        origin = Origin(**value)
    except (OSError, ValueError, TypeError, RecursionError):
        return None
    texts = (origin.endpoint, origin.repo, origin.revision, origin.path, origin.sha256, origin.fetched)
    return origin if all(isinstance(text, str) for text in texts) and isinstance(origin.size, int) else None


def fetched_files(models: Path, known: Collection[str] = ()) -> dict[str, str]:
    """Files below a folder that have a note of where they came from and are still as long: path and SHA-256.

    Those that are `known` are not looked at. Raises nothing: what can't be read is not there.
    """
    found = {}
    for folder, _, names in os.walk(models):
        for name in names:
            place = os.path.join(folder, name.removesuffix(_ORIGIN))
            if not name.endswith(_ORIGIN) or place in known:
                continue
            origin = origin_of(Path(place))
            with contextlib.suppress(OSError):
                if origin is not None and os.stat(place).st_size == origin.size:
                    found[place] = origin.sha256
    return found


def place_file(part: Path, place: Path, ticket: Ticket, file: FileTicket) -> None:
    """Move a verified file to its place, at once and for good. Raises OSError.

    The note is written first: a file that is in its place always has one.
    """
    place.parent.mkdir(parents=True, exist_ok=True)
    now = datetime.now(UTC).isoformat(timespec="seconds")
    origin = Origin(ticket.endpoint, ticket.repo, ticket.revision, file.path, file.size, file.sha256, now)
    write_atomically(place.with_name(place.name + _ORIGIN), json.dumps(asdict(origin)))
    if part.stat().st_dev == place.parent.stat().st_dev:
        os.replace(part, place)
    else:
        _copy_across(part, place)
    _sync_folder(place.parent)


def _copy_across(part: Path, place: Path) -> None:
    """The folder of models is on another disk: copied beside its place, then renamed."""
    beside = place.with_name(place.name + ".part")
    try:
        with part.open("rb") as source, beside.open("wb") as target:
            shutil.copyfileobj(source, target, 1 << 20)
            target.flush()
            os.fsync(target.fileno())
        os.replace(beside, place)
    finally:
        beside.unlink(missing_ok=True)
    part.unlink()


def _sync_folder(folder: Path) -> None:
    """A rename survives a power cut once the folder is on the disk. Windows has no such call and needs none."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
