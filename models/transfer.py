"""One file from a hub into a partial file: asked for in one stream, hashed as it comes, taken up where it ended."""

from __future__ import annotations

import errno
import random
import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from models.download_ticket import FileTicket
from models.download_values import Backoff, DownloadFault, Problem, Restart
from models.http import Followed, Http, HttpFault, Refused, open_following
from models.hub_faults import HubFault, HubKind, status_fault, transport_fault
from models.ranges import content_range, strong
from models.sink import Sink, Stopped

_MOST_AGAIN = 8
_RETRIED = frozenset({HubKind.OFFLINE, HubKind.UNREACHABLE, HubKind.SERVER, HubKind.RATE_LIMITED})


@dataclass(frozen=True, slots=True)
class Watcher:
    """What a transfer asks and tells while it runs. All are called in the transfer's own thread."""

    stop: threading.Event
    checking: Callable[[], None]
    running: Callable[[], None]
    done: Callable[[int], None]  # bytes of this file that are on disk or on their way there
    restarted: Callable[[Restart], None]
    retrying: Callable[[HubFault, float, int], None]
    keep: Callable[[], None]  # the ticket changed


class Transfer:
    """Fetches one file. Each attempt asks for what is missing, and only of the content that is already there."""

    def __init__(self, http: Http, url: str, token: str | None, ticket: FileTicket, part: Path) -> None:
        self._http = http
        self._url = url
        self._ticket = ticket
        self._part = part
        self._with_token = token is not None
        # Ranges of a compressed answer are not ranges of the file.
        self._headers = {"accept-encoding": "identity", "user-agent": "alcove"}
        if token is not None:
            self._headers["authorization"] = f"Bearer {token}"

    def run(self, watcher: Watcher, backoff: Backoff) -> str:
        """Fetch what is missing; the SHA-256 of the whole file, which is then safe on the disk.

        Raises `Stopped`, `HubFault`, and `DownloadFault` (NO_SPACE, DISK).
        """
        try:
            with Sink(self._part) as sink:
                self._take_up(sink, watcher)
                self._fetch(sink, watcher, backoff)
                return sink.finish()
        except OSError as error:
            raise disk_fault(error) from error

    def _take_up(self, sink: Sink, watcher: Watcher) -> None:
        if sink.size > self._ticket.size:
            sink.reset()
            watcher.restarted(Restart.UNUSABLE)
        if sink.size:
            watcher.checking()
            sink.hash_what_is_there(watcher.stop)
        watcher.done(sink.size)

    def _fetch(self, sink: Sink, watcher: Watcher, backoff: Backoff) -> None:
        failed = again = 0
        while sink.size < self._ticket.size:
            if watcher.stop.is_set():
                raise Stopped
            watcher.running()
            before = sink.size
            try:
                if not self._ask(sink, watcher):
                    again += 1
                    if again > _MOST_AGAIN:
                        raise HubFault(HubKind.BAD_ANSWER, "never the part that was asked for")
                    continue
                fault = HubFault(HubKind.UNREACHABLE, "the answer ended early")
            except (HttpFault, Refused) as error:
                fault = transport_fault(error)
            except HubFault as error:
                fault = error
            if sink.size >= self._ticket.size and fault.kind is HubKind.UNREACHABLE:
                return
            failed = 1 if sink.size > before else failed + 1
            if fault.kind not in _RETRIED or failed >= backoff.attempts:
                raise fault from None
            seconds = _pause(fault, failed, backoff)
            watcher.retrying(fault, seconds, failed)
            if watcher.stop.wait(seconds):
                raise Stopped

    def _ask(self, sink: Sink, watcher: Watcher) -> bool:
        """One request and its body; False when it has to be put another way, or from the first byte."""
        headers = dict(self._headers)
        if sink.size:
            headers["range"] = f"bytes={sink.size}-"
            if strong(self._ticket.etag):
                headers["if-range"] = self._ticket.etag
        with open_following(self._http, "GET", self._url, headers) as followed:
            if not self._begin(followed, sink, watcher):
                return False
            for piece in followed.response.iter_bytes():
                if watcher.stop.is_set():
                    raise Stopped
                if sink.size + len(piece) > self._ticket.size:
                    raise HubFault(HubKind.BAD_ANSWER, "more bytes than the file has")
                sink.write(piece)
                watcher.done(sink.size)
        return True

    def _begin(self, followed: Followed, sink: Sink, watcher: Watcher) -> bool:
        """Whether the body of this answer is what comes next."""
        answer = followed.response
        if answer.status not in (200, 206, 416):
            raise status_fault(answer.status, answer.headers, self._with_token)
        confirmed, replaced = self._content_named_by(followed.own_headers)
        etag = answer.headers.get("etag", "")
        other = bool(sink.size and self._ticket.etag and etag != self._ticket.etag)
        if confirmed and other and answer.status == 200:
            self._ticket.etag = ""  # the same file, from another store: without If-Range it can go on
            return False
        if sink.size and (replaced or (other and not confirmed) or answer.status in (200, 416)):
            changed = replaced or other or answer.status == 416
            self._restart(sink, watcher, Restart.CHANGED if changed else Restart.NO_RANGES)
        elif replaced:
            watcher.restarted(Restart.CHANGED)
        self._ticket.etag = etag
        watcher.keep()
        return self._fits(followed, sink)

    def _fits(self, followed: Followed, sink: Sink) -> bool:
        answer = followed.response
        if answer.status == 200:
            length = answer.headers.get("content-length", "")
            if length and length != str(self._ticket.size):
                raise HubFault(HubKind.BAD_ANSWER, "another size than the hub's list says")
            return True
        if answer.status == 416 or sink.size == 0:
            return False
        part = content_range(answer.headers.get("content-range", ""))
        if part is None or part.first != sink.size or part.size != self._ticket.size:
            raise HubFault(HubKind.BAD_ANSWER, "another part than was asked for")
        return True

    def _restart(self, sink: Sink, watcher: Watcher, reason: Restart) -> None:
        sink.reset()
        watcher.done(0)
        watcher.restarted(reason)

    def _content_named_by(self, headers: Mapping[str, str]) -> tuple[bool, bool]:
        """Whether the hub names the content that is being fetched, and whether it names another one.

        A content that replaced the one in the list is then what is fetched and compared with.
        """
        linked = headers.get("x-linked-etag", "").removeprefix("W/").strip('"').lower()
        if not re.fullmatch(r"[0-9a-f]{64}", linked):
            return False, False
        if linked == self._ticket.sha256:
            return True, False
        size = headers.get("x-linked-size", "")
        if not re.fullmatch(r"[1-9][0-9]{0,12}", size):
            raise HubFault(HubKind.BAD_ANSWER, "a file without a size")
        self._ticket.sha256, self._ticket.size = linked, int(size)
        return False, True


def disk_fault(error: OSError) -> DownloadFault:
    """The fault for what the file system said."""
    full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    return DownloadFault(
        Problem.NO_SPACE if full else Problem.DISK, error.strerror or "", {"errno": error.errno or 0}
    )


def _pause(fault: HubFault, failed: int, backoff: Backoff) -> float:
    """Seconds before the next attempt: what the hub asks for, and a random part so that not all come at once."""
    longest = min(backoff.longest, backoff.first * 2 ** (failed - 1))
    asked = fault.facts.get("retry_after", 0)
    return (asked if isinstance(asked, int) else 0) + random.uniform(0, longest)
