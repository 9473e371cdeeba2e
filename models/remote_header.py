"""The header of a GGUF that is still on a hub: enough to tell whether it fits this machine, before a download.

One request from the first byte on, read until the header is whole and then ended; a second and a third only to
find the store that holds the file, or after a lost connection.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace

from models.gguf import Header, NeedsMore, Value, parse_header
from models.http import Http, HttpFault, HttpProblem, Refused, Response, open_following
from models.hub_faults import HubFault, HubKind, status_fault, transport_fault
from models.ranges import content_range, strong

MOST_BYTES = 8_000_000
MOST_REQUESTS = 3
_FIRST_LOOK = 64 << 10


@dataclass(frozen=True, slots=True)
class RemoteHeader:
    """A header and what reading it took: requests, redirects included, and bytes."""

    header: Header
    requests: int
    read_bytes: int


class HeaderTooLong(HubFault):
    """HEADER_TOO_LONG. `start` is what was read: metadata without tensors, enough for a rough estimate."""

    def __init__(self, metadata: Mapping[str, Value], read_bytes: int, file_bytes: int) -> None:
        facts: dict[str, int | str] = {"read_bytes": read_bytes, "file_bytes": file_bytes}
        super().__init__(HubKind.HEADER_TOO_LONG, facts=facts)
        self.start = Header(3, False, metadata, (), 0, file_bytes)


def read_remote_header(http: Http, url: str, token: str | None = None) -> RemoteHeader:
    """Read the header of the file at a hub's `resolve` address: at most 3 requests and 8 MB.

    Raises `HubFault` for what is wrong between here and the hub, `HeaderTooLong` for a header of more than 8 MB,
    and `RuntimeFault` (NOT_GGUF, TRUNCATED, DAMAGED) for what is wrong with the file.
    """
    reading = _Reading(_Counted(http), url, token)
    while True:
        try:
            header = reading.go_on()
            return RemoteHeader(header, reading.http.requests, len(reading.start))
        except HttpFault as fault:
            if fault.problem is not HttpProblem.CUT or reading.http.requests >= MOST_REQUESTS:
                raise transport_fault(fault) from None
        except Refused as refused:
            raise transport_fault(refused) from None


def read_remote_parts(http: Http, urls: Sequence[str], token: str | None = None) -> RemoteHeader:
    """The header of a split model: the metadata of its first part, with the tensors of all.

    At most 3 requests for each part. Raises as `read_remote_header`.
    """
    parts = [read_remote_header(http, url, token) for url in urls]
    tensors = tuple(tensor for part in parts for tensor in part.header.tensors)
    size = sum(part.header.file_bytes for part in parts)
    whole = replace(parts[0].header, tensors=tensors, file_bytes=size)
    return RemoteHeader(whole, sum(part.requests for part in parts), sum(part.read_bytes for part in parts))


class _Counted:
    """An `Http` that counts, and ends after three requests."""

    def __init__(self, http: Http) -> None:
        self._http = http
        self.requests = 0

    def stream(self, method: str, url: str, headers: Mapping[str, str]) -> AbstractContextManager[Response]:
        if self.requests >= MOST_REQUESTS:
            raise HttpFault(HttpProblem.UNREACHABLE, "not read in three requests")
        self.requests += 1
        return self._http.stream(method, url, headers)


class _Reading:
    """The first bytes of a file as they come in."""

    def __init__(self, http: _Counted, url: str, token: str | None) -> None:
        self.http = http
        self.start = bytearray()
        self._url = url
        self._headers = {"accept-encoding": "identity", "user-agent": "alcove"}
        if token:
            self._headers["authorization"] = f"Bearer {token}"
        self._with_token = bool(token)
        self._version = ""  # the store's mark of the content that `start` is from

    def go_on(self) -> Header:
        """Ask from where it ended, and read until the header is whole."""
        asked = {**self._headers, "range": f"bytes={len(self.start)}-{MOST_BYTES - 1}"}
        if self.start and self._version:
            asked["if-range"] = self._version
        with open_following(self.http, "GET", self._url, asked) as followed:
            answer = followed.response
            if answer.status not in (200, 206):
                raise status_fault(answer.status, answer.headers, self._with_token)
            file_bytes = self._place(answer)
            self._version = strong(answer.headers.get("etag", ""))
            return self._read(answer, file_bytes)

    def _place(self, answer: Response) -> int:
        """The size of the file. A 200 begins again: no ranges there, or another content than before."""
        if answer.status == 200:
            self.start.clear()
            length = answer.headers.get("content-length", "")
            if not length.isdecimal() or len(length) > 18:
                raise HubFault(HubKind.BAD_ANSWER, "a file without a size")
            return int(length)
        place = content_range(answer.headers.get("content-range", ""))
        if place is None or place.first != len(self.start):
            raise HubFault(HubKind.BAD_ANSWER, "another part than was asked for")
        return place.size

    def _read(self, answer: Response, file_bytes: int) -> Header:
        next_look = max(_FIRST_LOOK, 2 * len(self.start))
        enough = min(MOST_BYTES, file_bytes)
        for piece in answer.iter_bytes():
            self.start += piece[: enough - len(self.start)]
            if len(self.start) < min(next_look, enough):
                continue
            try:
                return parse_header(bytes(self.start), file_bytes)
            except NeedsMore as more:
                if len(self.start) >= enough:
                    raise HeaderTooLong(more.metadata, len(self.start), file_bytes) from None
                next_look = min(2 * next_look, next_look + (1 << 20))
        raise HttpFault(HttpProblem.CUT, "the answer ended early")
