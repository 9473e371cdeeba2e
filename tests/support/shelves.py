"""A library on a home of its own, and short ways to hear what it says."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from support.workers import starter

from desktop.library import Library, LibraryReport
from desktop.paths import Paths
from models.library.candidates import Place
from models.library.entry import LibraryEntry
from models.library.messages import Finished, Hashing


def library(home: Path, stores: Sequence[Place] = ()) -> Library:
    """A library as the next start of Alcove makes it."""
    return Library(Paths(home / "alcove"), stores=stores)


async def scanned(shelf: Library, *folders: Path) -> list[LibraryReport]:
    return [report async for report in shelf.scan(folders)]


async def by_name(shelf: Library) -> dict[str, LibraryEntry]:
    """What the catalogue has, without the starter model."""
    entries = await shelf.entries()
    return {os.path.basename(entry.path): entry for entry in entries if entry.path != str(starter())}


def opened(reports: list[LibraryReport]) -> int:
    assert isinstance(reports[-1], Finished)
    return reports[-1].files_opened


async def verified(shelf: Library, entry: LibraryEntry) -> LibraryEntry:
    reports = [report async for report in shelf.verify(entry)]
    assert all(isinstance(report, Hashing) for report in reports[:-1])
    assert isinstance(reports[-1], LibraryEntry)
    return reports[-1]
