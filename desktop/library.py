"""The library as the rest of Alcove uses it: what models there are, found in locked children, remembered on disk.

No file of a model is opened in this process. Models stay where they lie; only what Alcove itself downloaded can
be removed, and it goes to a trash folder beside it first. All methods belong to one event loop.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path
from typing import Any

from desktop import trash
from desktop.catalogue import Catalogue, MadeFrom, Removed, catalogue_content, read_catalogue, write_catalogue
from desktop.paths import Paths
from desktop.processes.child import ChildProcess, spawn
from desktop.processes.roles import Role
from models.codec import Codec
from models.download_files import fetched_files
from models.library import scan as scanning
from models.library.candidates import Place, Unreadable
from models.library.entry import LibraryEntry, ModelFile, Source
from models.library.messages import Finished, Found, Hashed, Hashing, Looking, Unchanged
from models.library.places import usual_places
from models.library.projectors import pair
from models.library.splits import stem
from models.runtime.faults import Fault, RuntimeFault
from models.runtime.link import Spawn
from models.starter import starter_path

LibraryReport = LibraryEntry | Looking | Unreadable | Finished

_READ_AGAIN = (Fault.FILE_MISSING, Fault.FILE_UNREADABLE)
"""Faults that may go away without the file changing."""


async def spawn_scanner() -> ChildProcess:
    """A locked child that looks for models."""
    return await spawn(Role.SCANNER)


def this_persons_stores(environ: Mapping[str, str] = os.environ) -> tuple[Place, ...]:
    """The stores of other programs on this machine, there or not."""
    return usual_places(Path.home(), environ)


class Library:
    """The models on this disk."""

    def __init__(
        self,
        paths: Paths,
        spawn: Spawn = spawn_scanner,
        stores: Sequence[Place] | None = None,
        patience: float = scanning.PATIENCE,
    ) -> None:
        """`stores`: where other programs keep models; None for the usual places.

        `patience`: seconds a scanner may be silent before the file it reads counts as damaged.
        """
        self._paths = paths
        self._spawn = spawn
        self._stores = tuple(this_persons_stores() if stores is None else stores)
        self._patience = patience
        self._catalogue: Catalogue | None = None
        self._opening = asyncio.Lock()
        self._written: dict[str, Any] = {}
        self._busy = asyncio.Lock()  # one scan, or one change to files, at a time
        self._writing = asyncio.Lock()

    async def entries(self) -> tuple[LibraryEntry, ...]:
        """What the last scan found, from the catalogue: no other file is looked at. Raises OSError."""
        return tuple((await self._opened()).entries.values())

    async def matches(self, text: str) -> tuple[LibraryEntry, ...]:
        """The entries a person may mean: by path, else by name, repository or file name, else by a part of these."""
        entries = await self.entries()
        path = os.path.abspath(os.path.expanduser(text))
        if exact := tuple(entry for entry in entries if path in (file.path for file in entry.files)):
            return exact
        wanted = text.casefold()
        equal = tuple(entry for entry in entries if wanted in _names(entry))
        return equal or tuple(entry for entry in entries if any(wanted in name for name in _names(entry)))

    # ---- looking

    async def scan(self, folders: Sequence[Path] = ()) -> AsyncGenerator[LibraryReport]:
        """Look everywhere: each model as it is met, `Looking` and `Unreadable` in between, `Finished` at the end.

        A model whose files have not changed is not read again. Models that are gone leave the catalogue, and one
        that turns out to have a projector comes a second time. Closing the iterator stops the scan at once and
        keeps what was found. Raises `RuntimeFault` WORKER_STOPPED, OSError for the catalogue.
        """
        catalogue = await self._opened()
        places = self._places(catalogue, folders)
        async with self._busy:
            told: set[str] = set()
            closed: list[Unreadable] = []
            known = [entry for entry in catalogue.entries.values() if entry.problem not in _READ_AGAIN]
            try:
                async with aclosing(scanning.scan(self._spawn, places, known, self._patience)) as reports:
                    async for report in reports:
                        match report:
                            case Found(entry):
                                told.add(entry.path)
                                yield _enter(catalogue, entry)
                            case Unchanged(path):
                                told.add(path)
                                if (same := catalogue.entries.get(path)) is not None:  # it may be forgotten
                                    yield same
                            case Unreadable():
                                closed.append(report)
                                yield report
                            case Looking():
                                yield report
                            case Finished():
                                for entry in _settle(catalogue, told, closed):
                                    yield entry
                                await self._save()  # before it is said that the scan is done
                                told.clear()
                                yield report
            finally:
                if told:
                    await self._save()

    async def import_file(self, path: Path) -> LibraryEntry:
        """Add one file where it lies. An entry with a `problem` is told and not kept. Raises as `scan` does."""
        catalogue = await self._opened()
        absolute = os.path.abspath(path)
        place = Place(Source.FILE, absolute)
        async with self._busy:
            entry = await self._read(place)
            if entry.problem is None:
                _enter(catalogue, entry)
                if absolute not in catalogue.imported:
                    catalogue.imported.append(absolute)
                _settle_pairs(catalogue)
                await self._save()
                entry = catalogue.entries[entry.path]
        return entry

    async def forget(self, entry: LibraryEntry) -> None:
        """Take back `import_file`. The file stays."""
        catalogue = await self._opened()
        catalogue.imported = [path for path in catalogue.imported if path not in _paths(entry)]
        if entry.source is Source.FILE:
            catalogue.entries.pop(entry.path, None)
        await self._save()

    async def verify(self, entry: LibraryEntry) -> AsyncGenerator[Hashing | LibraryEntry]:
        """Hash the files: progress, and at last the entry with its SHA-256; DAMAGED if it should be another.

        Closing the iterator stops it at once. Raises `RuntimeFault` FILE_MISSING, FILE_UNREADABLE, WORKER_STOPPED.
        """
        catalogue = await self._opened()
        files = tuple(self._expecting(catalogue, file) for file in entry.files)
        hashed: list[ModelFile] = []
        async with aclosing(scanning.verify(self._spawn, files, self._patience)) as reports:
            async for report in reports:
                if isinstance(report, Hashed):
                    hashed.append(report.file)
                else:
                    yield report
        whole = replace(entry, problem=None, detail="", facts={}) if _was_other_hash(entry) else entry
        checked = scanning.with_hashes(whole, hashed)
        # A file that has changed since the scan is not noted: the next scan has to read its header again.
        if entry.path in catalogue.entries and _stamps(checked) == _stamps(catalogue.entries[entry.path]):
            catalogue.entries[entry.path] = checked
            await self._save()
        yield checked

    # ---- marks

    async def mark_used(self, path: Path | str, when: float | None = None) -> None:
        """A model was used now, or at `when` (seconds since 1970)."""
        catalogue = await self._opened()
        moment = time.time() if when is None else when
        catalogue.used[os.fspath(path)] = moment
        entry = catalogue.entries.get(os.fspath(path))
        if entry is not None:
            catalogue.entries[entry.path] = replace(entry, last_used=moment)
        await self._save()

    async def mark_downloaded(self, files: Mapping[str, str]) -> None:
        """Alcove fetched these files: absolute paths, each with the SHA-256 it was verified to have, or ""."""
        catalogue = await self._opened()
        catalogue.downloaded.update(files)
        await self._save()

    async def note_fetched(self) -> None:
        """Take over what Alcove fetched and could not tell: the notes beside the files in its folder of models."""
        catalogue = await self._opened()
        found = await asyncio.to_thread(fetched_files, self._paths.models, frozenset(catalogue.downloaded))
        if found:
            await self.mark_downloaded(found)

    async def enter_made(self, made: MadeFrom, sha256: str) -> LibraryEntry:
        """Take in a smaller version that Alcove has made: like what it downloaded, it can be removed.

        Raises as `scan` does; then the next scan finds the file all the same.
        """
        catalogue = await self._opened()
        catalogue.made[made.path] = made
        catalogue.downloaded[made.path] = sha256
        ours = trash.lies_in(made.path, self._paths.models)
        if not ours and made.path not in catalogue.imported:
            catalogue.imported.append(made.path)
        await self._save()  # before the file is read: what is Alcove's is known to be
        async with self._busy:
            entry = await self._read(Place(Source.FILE, made.path))
            if ours:
                entry = replace(entry, source=Source.FOLDER, place=str(self._paths.models))
            file = replace(entry.files[0], sha256=sha256)
            _enter(catalogue, replace(entry, files=(file,)))
            _settle_pairs(catalogue)
            await self._save()
        return catalogue.entries[entry.path]

    # ---- removing

    async def can_remove(self, entry: LibraryEntry) -> bool:
        """Whether every file of it was downloaded by Alcove."""
        catalogue = await self._opened()
        return all(
            path in catalogue.downloaded or trash.lies_in(path, self._paths.models) for path in _paths(entry)
        )

    async def remove(self, entry: LibraryEntry) -> Removed:
        """Move the files to the trash folder beside them; `restore` brings them back.

        Raises PermissionError for what Alcove did not download, OSError when a file can't be moved: then all are
        where they were.
        """
        catalogue = await self._opened()
        if not await self.can_remove(entry):
            raise PermissionError(f"not downloaded by Alcove: {entry.path!r:.300}")
        async with self._busy:
            removed = trash.plan(entry, catalogue.downloaded)
            # Written down first: what lies in a trash folder is always known.
            catalogue.removed.append(removed)
            await self._save()
            try:
                await asyncio.to_thread(trash.move, removed.origins, removed.kept)
            except OSError:
                catalogue.removed.remove(removed)
                await self._save()
                raise
            catalogue.entries.pop(entry.path, None)
            for path in removed.origins:
                catalogue.downloaded.pop(path, None)
            _settle_pairs(catalogue)
            await self._save()
        return removed

    async def trash(self) -> tuple[Removed, ...]:
        """What was removed and can still be restored."""
        return tuple((await self._opened()).removed)

    async def restore(self, removed: Removed) -> None:
        """Put the files back; the next scan finds them. Raises OSError, FileExistsError if something is there."""
        catalogue = await self._opened()
        async with self._busy:
            await asyncio.to_thread(trash.put_back, removed)
            catalogue.downloaded.update(zip(removed.origins, removed.sha256, strict=True))
            catalogue.removed.remove(removed)
            await self._save()

    async def empty_trash(self, before: float | None = None) -> int:
        """Delete what was removed before `before` (seconds since 1970), None for everything. Returns bytes freed."""
        catalogue = await self._opened()
        freed = 0
        async with self._busy:
            for removed in tuple(catalogue.removed):
                if before is None or removed.removed_at < before:
                    freed += await asyncio.to_thread(trash.delete, removed)
                    catalogue.removed.remove(removed)
            await self._save()
        return freed

    # ---- within

    def _places(self, catalogue: Catalogue, folders: Sequence[Path]) -> tuple[Place, ...]:
        """Stores first: they know names and hashes that a folder around them does not."""
        starter = starter_path()
        files = [*([str(starter)] if starter else []), *catalogue.imported]
        trees = [*([self._paths.models] if self._paths.models.is_dir() else []), *folders]
        places = [
            *(Place(Source.FILE, path) for path in files),
            *self._stores,
            *(Place(Source.FOLDER, os.path.abspath(folder)) for folder in trees),
        ]
        return tuple(dict.fromkeys(places))

    async def _read(self, place: Place) -> LibraryEntry:
        async with aclosing(scanning.scan(self._spawn, (place,), (), self._patience)) as reports:
            async for report in reports:
                match report:
                    case Found(entry):
                        return entry
                    case Unreadable(path, reason):
                        missing = reason == "ENOENT"
                        fault = Fault.FILE_MISSING if missing else Fault.FILE_UNREADABLE
                        raise RuntimeFault(fault, reason, {"file": os.path.basename(path)})
                    case _:
                        pass
        raise RuntimeFault(Fault.FILE_UNREADABLE, "nothing was found there")

    def _expecting(self, catalogue: Catalogue, file: ModelFile) -> ModelFile:
        known = catalogue.downloaded.get(file.path, "")
        return replace(file, expected_sha256=file.expected_sha256 or known)

    async def _opened(self) -> Catalogue:
        async with self._opening:
            if self._catalogue is None:
                self._catalogue = await asyncio.to_thread(read_catalogue, self._paths.library)
                self._written = catalogue_content(self._catalogue)
                trash.forget_unmoved(self._catalogue)
        return self._catalogue

    async def _save(self) -> None:
        """Write the catalogue, if it is not what was written last."""
        catalogue = await self._opened()
        async with self._writing:
            content = catalogue_content(catalogue)
            if content != self._written:
                await asyncio.to_thread(write_catalogue, self._paths.library, content)
                self._written = content


def as_record(entry: LibraryEntry) -> dict[str, object]:
    """An entry for `--json`: all its fields, and what follows from them."""
    derived = {"path": entry.path, "size": entry.size, "sha256": entry.sha256, "verified": entry.verified}
    return {**Codec((LibraryEntry,)).encode(entry), **derived}


def _paths(entry: LibraryEntry) -> tuple[str, ...]:
    return tuple(file.path for file in entry.files)


def _stamps(entry: LibraryEntry) -> tuple[tuple[str, int, int], ...]:
    return tuple(file.stamp for file in entry.files)


def _names(entry: LibraryEntry) -> tuple[str, ...]:
    file = os.path.basename(entry.path)
    return tuple(name.casefold() for name in (entry.name, entry.repo, file, stem(file)) if name)


def _was_other_hash(entry: LibraryEntry) -> bool:
    return entry.problem is Fault.DAMAGED and "expected_sha256" in entry.facts


def _enter(catalogue: Catalogue, entry: LibraryEntry) -> LibraryEntry:
    """Take over a model that was read, with what is known of it besides."""
    before = catalogue.entries.get(entry.path)
    hashes = {file.stamp: file.sha256 for file in before.files} if before is not None else {}
    made = catalogue.made.get(entry.path)
    ours = made is not None and made.size == entry.size
    known = replace(
        entry,
        files=tuple(replace(file, sha256=file.sha256 or hashes.get(file.stamp, "")) for file in entry.files),
        last_used=catalogue.used.get(entry.path),
        made_from=made.source if made and ours else "",
        made_at=made.made_at if made and ours else None,
    )
    catalogue.entries[entry.path] = known
    return known


def _settle(catalogue: Catalogue, told: set[str], closed: Sequence[Unreadable]) -> list[LibraryEntry]:
    """After a whole scan: what is gone leaves, what could not be looked at is marked, pairs are found."""
    changed = []
    for path, entry in tuple(catalogue.entries.items()):
        if path in told:
            continue
        place = next((item for item in closed if _is_below(path, item.path)), None)
        if place is None:
            del catalogue.entries[path]
        else:
            fault = Fault.FILE_MISSING if place.reason == "ENOENT" else Fault.FILE_UNREADABLE
            facts: dict[str, int | str] = {"reason": place.reason, "file": os.path.basename(path)}
            catalogue.entries[path] = replace(entry, problem=fault, detail=place.reason, facts=facts)
            changed.append(catalogue.entries[path])
    return [*changed, *_settle_pairs(catalogue)]


def _settle_pairs(catalogue: Catalogue) -> list[LibraryEntry]:
    changed = pair(catalogue.entries.values())
    catalogue.entries.update(changed)
    return list(changed.values())


def _is_below(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip(os.sep) + os.sep)
