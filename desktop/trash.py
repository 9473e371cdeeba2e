"""Trash folders for models: each lies beside the file that was removed, so that moving is one rename on one disk."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from desktop.catalogue import Catalogue, Removed
from models.library.entry import LibraryEntry
from models.library.places import TRASH


def plan(entry: LibraryEntry, downloaded: Mapping[str, str]) -> Removed:
    """Where the files of a model go. Moves nothing."""
    now = time.time()
    origins = tuple(file.path for file in entry.files)
    kept = tuple(
        os.path.join(os.path.dirname(path), TRASH, str(time.time_ns()), os.path.basename(path))
        for path in origins
    )
    return Removed(entry.name, now, origins, kept, tuple(downloaded.get(path, "") for path in origins))


def move(origins: Sequence[str], targets: Sequence[str]) -> None:
    """All or none. Raises OSError; FileExistsError where something lies already."""
    moved: list[tuple[str, str]] = []
    try:
        for origin, target in zip(origins, targets, strict=True):
            if os.path.lexists(target):
                raise FileExistsError(target)
            os.makedirs(os.path.dirname(target), exist_ok=True)
            os.rename(origin, target)
            moved.append((origin, target))
    except OSError:
        for origin, target in reversed(moved):
            with suppress(OSError):
                os.rename(target, origin)
        raise
    finally:
        for path in (*origins, *targets):
            _tidy(path)


def put_back(removed: Removed) -> None:
    """All that lies in the trash, or none: a crash may have left parts of a model where they were. Raises OSError."""
    lying = [place for place, kept in enumerate(removed.kept) if os.path.lexists(kept)]
    move([removed.kept[place] for place in lying], [removed.origins[place] for place in lying])


def delete(removed: Removed) -> int:
    """Delete for good. Returns the bytes that were freed. Raises OSError."""
    freed = 0
    for path in removed.kept:
        with suppress(FileNotFoundError):
            size = os.lstat(path).st_size
            os.unlink(path)
            freed += size
        _tidy(path)
    return freed


def lies_in(path: str, folder: Path) -> bool:
    """Whether a file really lies below a folder, whatever links lead there."""
    parent = os.path.realpath(os.path.dirname(path))
    return Path(parent).is_relative_to(os.path.realpath(folder))


def forget_unmoved(catalogue: Catalogue) -> None:
    """Drop notes of removals that a crash kept from happening."""
    catalogue.removed = [item for item in catalogue.removed if any(map(os.path.lexists, item.kept))]


def _tidy(path: str) -> None:
    """Take away the trash folders that a file left empty."""
    folder = os.path.dirname(path)
    if os.path.basename(os.path.dirname(folder)) == TRASH:
        with suppress(OSError):
            os.rmdir(folder)
            os.rmdir(os.path.dirname(folder))
