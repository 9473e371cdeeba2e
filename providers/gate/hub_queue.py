"""The broker's queue of downloads: one for its whole life, worked through in a thread of its own.

It begins with the first request about it, not with the broker: a command in a terminal has one too, for a moment.
Two Alcoves on one home take turns: a file lock says whose queue it is.
"""

from __future__ import annotations

import os
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

from models.download import Downloads, TokenFor
from models.download_files import origin_of, place_of
from models.download_list import standing_on_disk
from models.download_values import (
    Event,
    Failed,
    Finished,
    Progress,
    Retrying,
    Standing,
    State,
    StateChanged,
    Wanted,
    WantedFile,
)
from models.http import Http, Response
from providers.gate.errand import Errand, current_errand
from providers.gate.faults import GateError
from providers.gate.hub_messages import (
    PulledFile,
    QueueChanged,
    Queued,
    QueueEvent,
    QueueFinished,
    QueueGone,
    QueueStanding,
)
from providers.gate.protocol import GateFault
from providers.gate.rules import Purpose

_LOOK_AGAIN = 1.0  # seconds between two looks whether another Alcove has let the queue go
_LAST_ROWS = 1.0


class HubQueue:
    """The queue of the Alcove at `home`. Any thread may call."""

    def __init__(self, http: Http, home: Path, token_for: TokenFor) -> None:
        self._http = _Cuttable(http)
        self._folder = home / "downloads"
        self._models = home / "models"
        self._token_for = token_for
        self._lock = threading.Lock()
        self._downloads: Downloads | None = None
        self._thread: threading.Thread | None = None
        self._ended = False
        self._board = _Board()

    # ---- what can be asked

    def watch(self, send: Callable[[QueueEvent], None]) -> None:
        """Tell the queue until the errand of this thread is given up. Raises `DownloadFault` DISK."""
        watcher = _Watcher()
        errand = current_errand()
        if errand is not None:
            errand.in_use(watcher.end)
        try:
            if self._wait_for_it(watcher, send):
                self._board.let_in(watcher)
                while (event := watcher.next()) is not None:
                    send(event)
        finally:
            self._board.let_out(watcher)
            if errand is not None:
                errand.not_in_use(watcher.end)

    def add(self, wanted: Wanted, replace_files: bool) -> str:
        """The id. Raises `DownloadFault`, and `GateError` BUSY as everything below."""
        downloads = self._running()
        wanted = wanted if replace_files else self.missing_of(wanted)
        name = downloads.add(wanted, replace=replace_files)
        downloads.resume(name)
        return name

    def missing_of(self, wanted: Wanted) -> Wanted:
        """Without the files that were fetched before, such as a projector of several quantizations.

        With none missing it is the whole of it, and `Downloads` says that it exists.
        """
        missing = tuple(file for file in wanted.files if not self._is_here(wanted.repo, file))
        return replace(wanted, files=missing or wanted.files)

    def pause(self, name: str) -> None:
        self._running().pause(name)
        self._cut_if_stopping(name)

    def cancel(self, name: str) -> None:
        self._running().cancel(name)
        self._cut_if_stopping(name)

    def resume(self, name: str) -> None:
        self._running().resume(name)

    def move(self, name: str, place: int) -> None:
        downloads = self._running()
        downloads.move(name, place)
        self._board.whole()

    @contextmanager
    def alone(self) -> Iterator[None]:
        """For a download beside the queue, which must not run then. Raises `GateError` BUSY."""
        with self._lock:
            if self._downloads is not None:
                raise GateError(GateFault.BUSY)
            descriptor = _take(self._folder)
        try:
            yield
        finally:
            os.close(descriptor)

    def end(self) -> None:
        """For the end of the process: what is running is cut off, and stays queued for the next start."""
        with self._lock:
            self._ended = True
            downloads, thread = self._downloads, self._thread
        if downloads is not None and thread is not None:
            downloads.end()
            self._http.cut()
            thread.join(_LAST_ROWS)

    # ---- within

    def _running(self) -> Downloads:
        """The queue at work. Raises `GateError` BUSY when another Alcove has it, CANCELLED at the end."""
        with self._lock:
            if self._ended:
                raise GateError(GateFault.CANCELLED)
            if self._downloads is None:
                descriptor = _take(self._folder)
                try:
                    self._downloads = Downloads(
                        self._http, self._folder, self._models, self._token_for, self._board.take
                    )
                except BaseException:
                    os.close(descriptor)
                    raise
                self._board.shows(self._downloads)
                # The lock is held as long as this process lives.
                self._thread = threading.Thread(
                    target=self._work, args=(self._downloads,), name="downloads", daemon=True
                )
                self._thread.start()
            return self._downloads

    def _wait_for_it(self, watcher: _Watcher, send: Callable[[QueueEvent], None]) -> bool:
        """Until the queue is this process's; False when nobody watches any more."""
        told: QueueStanding | None = None
        while not watcher.ended:
            try:
                self._running()
            except GateError as error:
                if error.fault is not GateFault.BUSY:
                    raise
            else:
                return True
            there = tuple(map(_queued, standing_on_disk(self._folder, self._models)))
            now = QueueStanding(there, elsewhere=True)
            if now != told:
                send(now)
                told = now
            watcher.wait(_LOOK_AGAIN)
        return False

    def _cut_if_stopping(self, name: str) -> None:
        """A server that says nothing would hold a stopped download up for minutes."""
        downloads = self._downloads
        at_work = (State.RUNNING, State.CHECKING, State.WAITING)
        if downloads is not None and any(
            one.id == name and one.state in at_work for one in downloads.standing()
        ):
            self._http.cut()

    def _is_here(self, repo: str, file: WantedFile) -> bool:
        place = place_of(self._models, repo, file.path)
        origin = origin_of(place)
        with suppress(OSError):
            return origin is not None and origin.sha256 == file.sha256 and place.stat().st_size == file.size
        return False

    def _work(self, downloads: Downloads) -> None:
        """The thread. A bug costs the download in which it showed, not the queue."""
        while True:
            try:
                downloads.run()
            except Exception:
                traceback.print_exc(file=sys.stderr)
                downloads.broke()
            else:
                return


class _Cuttable:
    """An `Http` whose request under way, if there is one, can be ended from another thread."""

    def __init__(self, http: Http) -> None:
        self._http = http
        self._errand: Errand | None = None

    @contextmanager
    def stream(self, method: str, url: str, headers: Mapping[str, str]) -> Iterator[Response]:
        errand = Errand(Purpose.DOWNLOAD)
        self._errand = errand
        try:
            with errand.running(), self._http.stream(method, url, headers) as response:
                yield response
        finally:
            self._errand = None

    def cut(self) -> None:
        errand = self._errand
        if errand is not None:
            errand.give_up()


class _Board:
    """What is shown of the queue, and those who look at it. Nobody who looks slowly holds a download up."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._downloads: Downloads | None = None
        self._more: dict[str, Queued] = {}  # what a standing does not say: speed, facts, the next attempt
        self._watchers: list[_Watcher] = []

    def shows(self, downloads: Downloads) -> None:
        self._downloads = downloads

    def let_in(self, watcher: _Watcher) -> None:
        with self._lock:
            self._watchers.append(watcher)
            watcher.put(QueueStanding(self._rows()))

    def let_out(self, watcher: _Watcher) -> None:
        with self._lock:
            if watcher in self._watchers:
                self._watchers.remove(watcher)

    def whole(self) -> None:
        with self._lock:
            for watcher in self._watchers:
                watcher.put(QueueStanding(self._rows()))

    def take(self, event: Event) -> None:
        """An event of the queue. How a download stands is asked of the queue itself: events may overtake another."""
        with self._lock:
            told = self._told(event)
            if told is not None:
                for watcher in self._watchers:
                    watcher.put(told)

    def _told(self, event: Event) -> QueueEvent | None:
        match event:
            case Finished(files=files, sha256=hashes):
                self._more.pop(event.id, None)
                return QueueFinished(event.id, event.repo, tuple(map(PulledFile, files, hashes)))
            case StateChanged(state=State.READY | State.FAILED):
                return None  # `Finished` or `Failed` follows
        row = next((row for row in self._rows() if row.id == event.id), None)
        if row is None:
            self._more.pop(event.id, None)
            return QueueGone(event.id)
        row = _with(row, event)
        self._more[event.id] = row
        return QueueChanged(row)

    def _rows(self) -> tuple[Queued, ...]:
        assert self._downloads is not None
        return tuple(self._row(standing) for standing in self._downloads.standing())

    def _row(self, standing: Standing) -> Queued:
        row = _queued(standing)
        more = self._more.get(standing.id)
        if more is None:
            return row
        if row.state == State.FAILED:
            return replace(row, facts=more.facts) if more.code == row.code else row
        if row.state == State.WAITING:
            return replace(row, code=more.code, facts=more.facts, retry_seconds=more.retry_seconds)
        if row.state == State.RUNNING:
            return replace(row, bytes_per_second=more.bytes_per_second, seconds_left=more.seconds_left)
        return row


def _with(row: Queued, event: Event) -> Queued:
    """A row with what an event says beyond its state."""
    match event:
        case Progress() if row.state in (State.RUNNING, State.CHECKING):
            return replace(row, bytes_per_second=event.bytes_per_second, seconds_left=event.seconds_left)
        case Retrying():
            facts: dict[str, int | str] = {"attempt": event.attempt}
            return replace(row, code=event.code, facts=facts, retry_seconds=event.seconds)
        case Failed():
            return replace(row, code=event.code, facts=event.facts)
    return row


def _queued(standing: Standing) -> Queued:
    wanted = standing.wanted
    return Queued(
        id=standing.id,
        repo=wanted.repo,
        revision=wanted.revision,
        paths=tuple(file.path for file in wanted.files),
        state=standing.state.value,
        done_bytes=standing.done_bytes,
        total_bytes=standing.total_bytes,
        code=standing.code,
    )


class _Watcher:
    """One who looks: the events that wait for them, of each download only the newest of its kind."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._waiting: list[QueueEvent] = []
        self.ended = False

    def put(self, event: QueueEvent) -> None:
        with self._changed:
            if isinstance(
                event, QueueStanding
            ):  # it says all that changes said; what is over is still to be told
                self._waiting = [one for one in self._waiting if isinstance(one, QueueFinished | QueueGone)]
            elif isinstance(event, QueueChanged):
                self._forget_change_of(event.download.id)
            self._waiting.append(event)
            self._changed.notify_all()

    def _forget_change_of(self, download: str) -> None:
        """Unless something that is no change came after it."""
        for number in range(len(self._waiting) - 1, -1, -1):
            waiting = self._waiting[number]
            if isinstance(waiting, QueueStanding) or getattr(waiting, "download", "") == download:
                return
            if isinstance(waiting, QueueChanged) and waiting.download.id == download:
                del self._waiting[number]
                return

    def next(self) -> QueueEvent | None:
        """Waits for it; None at the end."""
        with self._changed:
            while not self._waiting and not self.ended:
                self._changed.wait()
            return None if self.ended else self._waiting.pop(0)

    def wait(self, seconds: float) -> None:
        """At most so long, and not beyond the end."""
        with self._changed:
            if not self.ended:
                self._changed.wait(seconds)

    def end(self) -> None:
        with self._changed:
            self.ended = True
            self._changed.notify_all()


def _take(folder: Path) -> int:
    """The descriptor that holds the queue in this folder until it is closed. Raises `GateError` BUSY, OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0)
    descriptor = os.open(folder / ".lock", flags, 0o600)
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise GateError(GateFault.BUSY) from None
    return descriptor
