"""Downloads from a hub, one after another: a queue that outlives the program, and models that are whole or not there.

Partial files lie in a folder of their own; what is finished goes to `ORG/NAME/…` below the folder of models, once
the hash of every file of the download is the hub's. Blocking: `run` works in a thread of the one process that has a
network, everything else may be called from any thread.
"""

from __future__ import annotations

import contextlib
import shutil
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from models.download_files import origin_of, place_file, place_of
from models.download_list import bytes_at_hand, part_of, state_of
from models.download_ticket import FileTicket, Ticket, check, id_of, read_tickets, write_ticket
from models.download_values import (
    Backoff,
    DownloadFault,
    Event,
    Failed,
    Finished,
    Problem,
    Restarted,
    Retrying,
    Standing,
    State,
    StateChanged,
    Wanted,
)
from models.http import Http
from models.hub_faults import HubFault
from models.hub_values import file_url
from models.meter import Meter
from models.sink import Stopped
from models.transfer import Transfer, Watcher, disk_fault

RESERVE = 256 << 20
"""Bytes of the disk that no download takes: the conversations are on it as well."""

TokenFor = Callable[[str], str | None]
"""The token for a hub's address, asked for when a file is fetched and kept nowhere."""


@dataclass(slots=True)
class _Job:
    id: str
    ticket: Ticket
    state: State
    done: list[int]  # bytes at hand of each file
    stop: threading.Event = field(default_factory=threading.Event)
    end: State = State.QUEUED  # what a stopped one becomes

    @property
    def total(self) -> int:
        return sum(file.size for file in self.ticket.files)

    @property
    def missing(self) -> int:
        return max(0, self.total - sum(self.done))


class Downloads:
    """The queue. `emit` is called in the thread that caused the event, never under a lock."""

    def __init__(
        self,
        http: Http,
        folder: Path,
        models: Path,
        token_for: TokenFor,
        emit: Callable[[Event], None],
        backoff: Backoff | None = None,
    ) -> None:
        """Reads the queue that is on the disk. Raises `DownloadFault` DISK."""
        self._http = http
        self._folder = folder
        self._models = models
        self._token_for = token_for
        self._emit = emit
        self._backoff = backoff or Backoff()
        self._changed = threading.Condition()
        self._ending = False
        try:
            folder.mkdir(parents=True, exist_ok=True)
            models.mkdir(parents=True, exist_ok=True)
            self._jobs = {name: self._job(name, ticket) for name, ticket in read_tickets(folder).items()}
        except OSError as error:
            raise disk_fault(error) from error

    # ---- what a person can do

    def add(self, wanted: Wanted, *, replace: bool = False) -> str:
        """Put a download at the end of the queue; its id. One that is in the list already stays where it is.

        Raises `DownloadFault`: BAD_NAME, NO_HASH, INCOMPLETE, EXISTS (unless `replace`), NO_SPACE, DISK.
        """
        check(wanted)
        name = id_of(wanted)
        files = [FileTicket(file.path, file.size, file.sha256) for file in wanted.files]
        if not replace:
            for file in files:
                self._refuse_existing(wanted.repo, file)
        with self._changed:
            if name in self._jobs:
                return name
            place = 1 + max((job.ticket.place for job in self._jobs.values()), default=0)
            ticket = Ticket(wanted.endpoint, wanted.repo, wanted.revision, files, place)
            job = self._job(name, ticket)
            self._check_space([*self._jobs.values(), job])
            self._write(job)
            self._jobs[name] = job
            self._changed.notify_all()
        self._emit(StateChanged(name, State.QUEUED))
        return name

    def pause(self, name: str) -> None:
        """Stop, and keep what is there. Raises `DownloadFault` UNKNOWN, DISK."""
        self._halt(name, State.PAUSED)

    def cancel(self, name: str) -> None:
        """Stop, and remove what is there. Raises `DownloadFault` UNKNOWN, DISK."""
        self._halt(name, State.CANCELLED)

    def resume(self, name: str) -> None:
        """Queue what was paused or failed. Raises `DownloadFault` UNKNOWN, DISK."""
        with self._changed:
            job = self._find(name)
            job.ticket.paused, job.ticket.code, job.end = False, "", State.QUEUED
            self._write(job)
            if job.state not in (State.PAUSED, State.FAILED):
                return
            job.state = State.QUEUED
            self._changed.notify_all()
        self._emit(StateChanged(name, State.QUEUED))

    def move(self, name: str, place: int) -> None:
        """Give a download another place in the queue, 0 the first. Raises `DownloadFault` UNKNOWN, DISK."""
        with self._changed:
            job = self._find(name)
            order = [other for other in self._jobs.values() if other is not job]
            order.insert(max(0, min(place, len(order))), job)
            for number, other in enumerate(order):
                other.ticket.place = number
                self._write(other)
            self._jobs = {other.id: other for other in order}

    def standing(self) -> tuple[Standing, ...]:
        """The list, in the order of the queue."""
        with self._changed:
            return tuple(
                Standing(job.id, job.ticket.wanted, job.state, sum(job.done), job.total, job.ticket.code)
                for job in self._jobs.values()
            )

    # ---- the work

    def run(self, *, until_idle: bool = False, only: str = "") -> None:
        """Work through the queue until `end` is called or, if so asked, nothing is queued. `only`: one download."""
        while True:
            with self._changed:
                queued = (job for job in self._jobs.values() if job.state is State.QUEUED)
                job = next((job for job in queued if only in ("", job.id)), None)
                if self._ending or (job is None and until_idle):
                    return
                if job is None:
                    self._changed.wait()
                    continue
                job.state, job.end, job.stop = State.RUNNING, State.QUEUED, threading.Event()
            self._emit(StateChanged(job.id, State.RUNNING))
            self._work_on(job)

    def end(self) -> None:
        """For the end of the program: `run` returns, and what is running stays queued for the next start."""
        with self._changed:
            self._ending = True
            for job in self._jobs.values():
                job.stop.set()
            self._changed.notify_all()

    def broke(self) -> None:
        """After `run` was ended by a bug: the download it was at has failed, and `run` can go on with the others."""
        with self._changed:
            at_work = (State.RUNNING, State.CHECKING, State.WAITING)
            jobs = [job for job in self._jobs.values() if job.state in at_work]
        for job in jobs:
            self._failed(job, DownloadFault(Problem.INTERNAL))

    def _work_on(self, job: _Job) -> None:
        """One download from where it is to its end, whatever that is."""
        meter = Meter(job.id, self._emit)
        try:
            self._check_space([job])
            for number, file in enumerate(job.ticket.files):
                if not file.verified:
                    self._fetch(job, number, file, meter)
            files = self._put_in_place(job)
        except Stopped:
            self._stopped(job)
        except (HubFault, DownloadFault) as fault:
            self._failed(job, fault)
        except OSError as error:
            self._failed(job, disk_fault(error))
        else:
            with self._changed:
                job.state = State.READY
                del self._jobs[job.id]
            self._emit(StateChanged(job.id, State.READY))
            hashes = tuple(file.sha256 for file in job.ticket.files)
            self._emit(Finished(job.id, job.ticket.repo, tuple(map(str, files)), hashes))

    def _fetch(self, job: _Job, number: int, file: FileTicket, meter: Meter) -> None:
        """One file, whose hash is then the hub's. Raises what `Transfer.run` raises, and HASH_MISMATCH."""
        url = file_url(job.ticket.endpoint, job.ticket.repo, job.ticket.revision, file.path)
        part = self._part(job, number)
        transfer = Transfer(self._http, url, self._token_for(job.ticket.endpoint), file, part)
        found = transfer.run(self._watcher(job, number, meter), self._backoff)
        if found == file.sha256:
            file.verified = True
            self._write(job)
            return
        aside = part.with_suffix(".mismatch")
        part.replace(aside)
        job.done[number], file.etag = 0, ""
        facts: dict[str, int | str] = {"path": file.path, "expected": file.sha256, "found": found}
        raise DownloadFault(Problem.HASH_MISMATCH, facts=facts | {"aside": str(aside)})

    def _watcher(self, job: _Job, number: int, meter: Meter) -> Watcher:
        path = job.ticket.files[number].path

        def done(size: int) -> None:
            job.done[number] = size
            meter.at(sum(job.done), job.total)

        def retrying(fault: HubFault, seconds: float, attempt: int) -> None:
            self._set(job, State.WAITING)
            self._emit(Retrying(job.id, fault.kind.value, seconds, attempt))

        return Watcher(
            stop=job.stop,
            checking=lambda: self._set(job, State.CHECKING),
            running=lambda: self._set(job, State.RUNNING),
            done=done,
            restarted=lambda reason: self._emit(Restarted(job.id, path, reason)),
            retrying=retrying,
            keep=lambda: self._write(job),
        )

    def _put_in_place(self, job: _Job) -> list[Path]:
        placed = []
        for number, file in enumerate(job.ticket.files):
            place = place_of(self._models, job.ticket.repo, file.path)
            part = self._part(job, number)
            if part.exists():  # else a run that ended here had moved it already
                place_file(part, place, job.ticket, file)
            placed.append(place)
        self._remove_files(job)
        return placed

    # ---- states

    def _set(self, job: _Job, state: State) -> None:
        with self._changed:
            if job.state is state:
                return
            job.state = state
        self._emit(StateChanged(job.id, state))

    def _halt(self, name: str, end: State) -> None:
        with self._changed:
            job = self._find(name)
            job.ticket.paused = True
            job.end = end
            self._write(job)
            if job.state in (State.RUNNING, State.CHECKING, State.WAITING):
                job.stop.set()
                return
        self._stopped(job)

    def _stopped(self, job: _Job) -> None:
        with self._changed:
            job.state = job.end
            if job.end is State.CANCELLED:
                with contextlib.suppress(OSError):  # its ticket, removed last, then shows it again
                    self._remove_files(job)
                self._jobs.pop(job.id, None)
            self._changed.notify_all()
        self._emit(StateChanged(job.id, job.end))

    def _failed(self, job: _Job, fault: HubFault | DownloadFault) -> None:
        code = fault.kind.value if isinstance(fault, HubFault) else fault.problem.value
        with self._changed:
            if job.end is State.QUEUED:
                job.state, job.ticket.code = State.FAILED, code
                with contextlib.suppress(DownloadFault):  # the disk may be what failed
                    self._write(job)
        if job.end is not State.QUEUED:  # the person had stopped it before it failed
            self._stopped(job)
            return
        self._emit(StateChanged(job.id, State.FAILED))
        self._emit(Failed(job.id, code, fault.detail, dict(fault.facts)))

    # ---- the disk

    def _job(self, name: str, ticket: Ticket) -> _Job:
        state = state_of(ticket)
        return _Job(name, ticket, state, bytes_at_hand(self._folder, self._models, name, ticket))

    def _refuse_existing(self, repo: str, file: FileTicket) -> None:
        place = place_of(self._models, repo, file.path)
        if place.exists():
            origin = origin_of(place)
            same = origin is not None and origin.sha256 == file.sha256
            raise DownloadFault(Problem.EXISTS, facts={"path": str(place), "same": int(same)})

    def _check_space(self, jobs: list[_Job]) -> None:
        needs = [(self._folder, sum(job.missing for job in jobs))]
        if self._folder.stat().st_dev != self._models.stat().st_dev:
            needs.append((self._models, sum(job.total for job in jobs)))
        for folder, need in needs:
            free = shutil.disk_usage(folder).free
            if need + RESERVE > free:
                facts: dict[str, int | str] = {"need_bytes": need + RESERVE, "free_bytes": free}
                raise DownloadFault(Problem.NO_SPACE, facts=facts)

    def _part(self, job: _Job, number: int) -> Path:
        return part_of(self._folder, job.id, number)

    def _write(self, job: _Job) -> None:
        try:
            write_ticket(self._folder, job.id, job.ticket)
        except OSError as error:
            raise disk_fault(error) from error

    def _remove_files(self, job: _Job) -> None:
        for path in [*self._folder.glob(f"{job.id}.*.part"), *self._folder.glob(f"{job.id}.*.mismatch")]:
            path.unlink(missing_ok=True)
        (self._folder / f"{job.id}.json").unlink(missing_ok=True)

    def _find(self, name: str) -> _Job:
        job = self._jobs.get(name)
        if job is None:
            raise DownloadFault(Problem.UNKNOWN)
        return job
