"""The parent's side of a scan: asyncio; starts scanners, watches them, and survives what they do not.

A header that makes a scanner crash or hang costs that one file: it is told as damaged, and a new scanner goes on
with the rest. The same goes for a folder that never answers.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from models.codec import ProtocolError
from models.library.candidates import Place, Unreadable
from models.library.describe import bare_entry
from models.library.entry import LibraryEntry, ModelFile
from models.library.messages import (
    Command,
    Entering,
    Failed,
    Finished,
    Found,
    Hashed,
    Hashing,
    KnownModel,
    Looking,
    Reading,
    Ready,
    Remember,
    Report,
    Scan,
    Unchanged,
    Verify,
    decode_report,
    encode,
)
from models.runtime.faults import Fault, RuntimeFault
from models.runtime.link import ParentSide, Spawn

ScanReport = Found | Unchanged | Unreadable | Looking | Finished

PATIENCE = 20.0
"""Seconds a scanner may be silent: within a header, and within the listing of one folder."""

_EXIT_SECONDS = 2.0
_START_SECONDS = 30.0
_BATCH = 1_000
_MOST_RESTARTS = 50


async def scan(
    spawn: Spawn, places: Sequence[Place], known: Iterable[LibraryEntry], patience: float = PATIENCE
) -> AsyncGenerator[ScanReport]:
    """Look into the places: `Found` or `Unchanged` for each model as it is met, at last one `Finished`.

    Closing the iterator stops the scan at once. Raises `RuntimeFault` WORKER_STOPPED when no scanner can be
    started, or when one after the other dies.
    """
    search = _Search(tuple(places), known)
    for _ in range(_MOST_RESTARTS):
        scanner = await _Scanner.start(spawn, patience)
        try:
            search.brief(scanner)
            while (report := await search.next(scanner)) is not None:
                yield report
                if isinstance(report, Finished):
                    return
            yield search.blame(scanner.end)
        finally:
            await scanner.close()
    raise RuntimeFault(Fault.WORKER_STOPPED, f"{_MOST_RESTARTS} scanners stopped")


async def verify(
    spawn: Spawn, files: Sequence[ModelFile], patience: float = PATIENCE
) -> AsyncGenerator[Hashing | Hashed]:
    """Hash the files, one after the other. Closing the iterator stops it at once.

    Raises `RuntimeFault`: FILE_MISSING, FILE_UNREADABLE (also when a file changes meanwhile), WORKER_STOPPED.
    """
    scanner = await _Scanner.start(spawn, patience)
    try:
        scanner.send(Verify(tuple(files)))
        while not isinstance(report := await scanner.receive(), Finished):
            match report:
                case Hashing() | Hashed():
                    yield report
                case Failed(_, fault, detail):
                    raise RuntimeFault(fault, detail)
                case None:
                    raise RuntimeFault(scanner.end.unreadable_or(Fault.WORKER_STOPPED), scanner.end.words)
                case _:
                    raise RuntimeFault(Fault.WORKER_STOPPED, f"{type(report).__name__} while hashing")
    finally:
        await scanner.close()


@dataclass(frozen=True, slots=True)
class _End:
    """How a scanner ended."""

    reason: str  # "SIGSEGV", "status 1", "silent for 20 s"
    words: str

    def unreadable_or(self, other: Fault) -> Fault:
        """SIGBUS is a page of the file that could not be read: the disk's doing, not the file's."""
        return Fault.FILE_UNREADABLE if self.reason == "SIGBUS" else other


class _Search:
    """What one scan has come to, over all the scanners it takes."""

    def __init__(self, places: tuple[Place, ...], known: Iterable[LibraryEntry]) -> None:
        self._places = places
        self._known = {entry.path: entry.files for entry in known}
        self._told: set[str] = set()
        self._opened = 0
        self._place: Place | None = None
        self._reading: Reading | None = None

    def brief(self, scanner: _Scanner) -> None:
        """Tell a new scanner what is known and what to do."""
        self._place = self._reading = None
        models = [KnownModel(files) for files in self._known.values()]
        for start in range(0, len(models), _BATCH):
            scanner.send(Remember(tuple(models[start : start + _BATCH])))
        scanner.send(Scan(self._places))

    async def next(self, scanner: _Scanner) -> ScanReport | None:
        """The next thing to tell; None when the scanner has ended before it was finished."""
        while (report := await scanner.receive()) is not None:
            match report:
                case Entering(place):
                    self._place, self._reading = place, None
                case Reading():
                    self._reading = report
                    self._opened += len(report.files)
                case Found(entry) if self._is_being_read(entry):
                    self._reading = None
                    self._note(entry.files)
                    return report
                case Unchanged(path) if path in self._known:
                    if path not in self._told:
                        self._told.add(path)
                        return report
                case Unreadable() | Looking():
                    return report
                case Finished(models):
                    return Finished(models, self._opened)
                case _:
                    scanner.condemn(f"{type(report).__name__} in a scan")
        return None

    def blame(self, end: _End) -> Found | Unreadable:
        """What made the scanner end, so that the next one passes it over. Raises `RuntimeFault` for nothing."""
        if self._reading is not None:
            candidate, files = self._reading.candidate, self._reading.files
            fault = end.unreadable_or(Fault.DAMAGED)
            entry = bare_entry(candidate, files, fault, f"{end.reason} {end.words}", {"reason": end.reason})
            self._note(files)
            return Found(entry)
        if self._place is not None:
            stuck = self._place
            self._places = tuple(place for place in self._places if place != stuck)
            return Unreadable(stuck.path, end.reason)
        raise RuntimeFault(Fault.WORKER_STOPPED, f"{end.reason} {end.words}")

    def _is_being_read(self, entry: LibraryEntry) -> bool:
        """Whether the scanner tells of what it said it would read: it may do a file's will by now."""
        return self._reading is not None and tuple(file.path for file in entry.files) == tuple(
            file.path for file in self._reading.files
        )

    def _note(self, files: tuple[ModelFile, ...]) -> None:
        self._known[files[0].path] = files
        self._told.add(files[0].path)


class _Scanner:
    """One child under watch. Made by `start`."""

    def __init__(self, child: ParentSide, patience: float) -> None:
        self._child = child
        self._patience = patience
        self._verdict = ""
        self.end = _End("", "")

    @classmethod
    async def start(cls, spawn: Spawn, patience: float) -> _Scanner:
        """A scanner that is ready. Raises `RuntimeFault` WORKER_STOPPED."""
        try:
            child = await spawn()
        except OSError as error:
            raise RuntimeFault(Fault.WORKER_STOPPED, f"it could not be started: {error}") from error
        scanner = cls(child, _START_SECONDS)
        try:
            if not isinstance(await scanner.receive(), Ready):
                raise RuntimeFault(Fault.WORKER_STOPPED, scanner.end.words or "it was not ready")
        except BaseException:
            await scanner.close()
            raise
        scanner._patience = patience
        return scanner

    def send(self, command: Command) -> None:
        self._child.send(encode(command))

    async def receive(self) -> Report | None:
        """The next report; None once it has ended: by itself, or because it was silent or talked nonsense."""
        try:
            async with asyncio.timeout(self._patience):
                record = await self._child.receive()
            if record is not None:
                return decode_report(record)
        except TimeoutError:
            self.condemn(f"silent for {self._patience:.0f} s")
        except ProtocolError as error:
            self.condemn(str(error))
        await self._bury()
        return None

    def condemn(self, why: str) -> None:
        """End it, because it does not do as it should."""
        self._verdict = self._verdict or why
        self._child.kill()

    async def close(self) -> None:
        """End it, and wait for it to be gone."""
        self._child.kill()
        await asyncio.shield(self._child.wait())

    async def _bury(self) -> None:
        status: int | None = None
        with suppress(TimeoutError):
            async with asyncio.timeout(_EXIT_SECONDS):
                status = await self._child.wait()
        if status is None:
            self.condemn("it closed its end and did not exit")
            status = await self._child.wait()
        self.end = _End(self._verdict or _reason(status), self._child.last_words.strip())


def _reason(status: int) -> str:
    with suppress(ValueError):
        if status < 0:
            return signal.Signals(-status).name
    return f"status {status}"


def with_hashes(entry: LibraryEntry, hashed: Iterable[ModelFile]) -> LibraryEntry:
    """The entry with what was learnt about its files; DAMAGED when one is not what its store says it should be."""
    by_path = {file.path: file for file in hashed}
    files = tuple(by_path.get(file.path, file) for file in entry.files)
    wrong = [file for file in files if file.sha256 and file.expected_sha256 not in ("", file.sha256)]
    if not wrong:
        return replace(entry, files=files)
    facts: dict[str, int | str] = {"expected_sha256": wrong[0].expected_sha256, "sha256": wrong[0].sha256}
    return replace(entry, files=files, problem=Fault.DAMAGED, detail="another SHA-256", facts=facts)
