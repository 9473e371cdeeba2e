"""What reading from a hub needs of HTTP, and no more. Who implements it decides what may leave this machine.

The gate of the one process with a network implements `Http`; nothing here opens a connection. Redirects are
followed here, not by the implementation, so that each hop passes the gate and a token never goes to another
host (RFC 9110, section 15.4; the hub answers `resolve` with a redirect to its store of large files).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from enum import StrEnum
from typing import Protocol
from urllib.parse import urljoin, urlsplit

MOST_REDIRECTS = 5
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_SECRET_HEADERS = frozenset({"authorization", "cookie", "proxy-authorization"})


class HttpProblem(StrEnum):
    """How a request can end without an answer."""

    OFFLINE = "offline"  # no network, or no name server that answers
    UNREACHABLE = "unreachable"  # nobody answers there, or not in time
    TLS = "tls"  # the certificate is not one this machine trusts
    CUT = "cut"  # the connection ended inside an answer
    BAD_ANSWER = "bad_answer"  # what came is not HTTP, or redirects without end or to where none may lead


class HttpFault(Exception):
    """An `HttpProblem` with the library's own words. Never holds headers, nor the query of an address."""

    def __init__(self, problem: HttpProblem, detail: str = "") -> None:
        super().__init__(f"{problem.value}: {detail}" if detail else problem.value)
        self.problem = problem
        self.detail = detail


class Refused(Exception):
    """The gate did not let a request out. `reason` is the gate's own code."""

    def __init__(self, reason: str = "", host: str = "") -> None:
        super().__init__(reason or "refused")
        self.reason = reason
        self.host = host


class Response(Protocol):
    """An answer whose body has not been read yet."""

    @property
    def status(self) -> int: ...

    @property
    def headers(self) -> Mapping[str, str]:
        """The names are in lower case."""
        ...

    def iter_bytes(self) -> Iterator[bytes]:
        """The body as it arrives. Raises `HttpFault` (CUT, UNREACHABLE)."""
        ...


class Http(Protocol):
    """One request, one answer; blocking, safe to use from several threads, and no redirect is followed."""

    def stream(self, method: str, url: str, headers: Mapping[str, str]) -> AbstractContextManager[Response]:
        """Raises `HttpFault` and `Refused`. Leaving the context closes the connection of an unread body."""
        ...


class Followed:
    """The answer at the end of the redirects, and the headers of the last one that the asked host itself gave."""

    def __init__(self, response: Response, own_headers: Mapping[str, str]) -> None:
        self.response = response
        self.own_headers = own_headers


@contextmanager
def open_following(http: Http, method: str, url: str, headers: Mapping[str, str]) -> Iterator[Followed]:
    """Send a request and follow its redirects. Secrets are left behind where the origin changes.

    Raises what `Http.stream` raises, and `HttpFault` BAD_ANSWER for more than five redirects, one without a
    target, or one from https to http.
    """
    try:
        asked = origin(url)
    except ValueError as error:
        raise HttpFault(HttpProblem.UNREACHABLE, "no address") from error
    own_headers: dict[str, str] = {}
    for _ in range(MOST_REDIRECTS + 1):
        with http.stream(method, url, headers) as response:
            if origin(url) == asked:
                own_headers = dict(response.headers)
            if response.status not in _REDIRECTS:
                yield Followed(response, own_headers)
                return
            target = redirect_target(url, response.headers.get("location", ""))
        if origin(target) != origin(url):
            headers = {name: value for name, value in headers.items() if name.lower() not in _SECRET_HEADERS}
        url = target
    raise HttpFault(HttpProblem.BAD_ANSWER, "redirects without end")


def redirect_target(url: str, location: str) -> str:
    """Where a redirect leads. Raises `HttpFault` BAD_ANSWER unless it is http(s), and stays encrypted."""
    try:
        target = urljoin(url, location)
        parts = urlsplit(target)
        host = origin(target)[1]
    except ValueError as error:
        raise HttpFault(HttpProblem.BAD_ANSWER, "a redirect to no address") from error
    if not location or parts.scheme not in ("http", "https") or not host:
        raise HttpFault(HttpProblem.BAD_ANSWER, "a redirect to no address")
    if urlsplit(url).scheme == "https" and parts.scheme != "https":
        raise HttpFault(HttpProblem.BAD_ANSWER, "a redirect to an unencrypted address")
    return target


def origin(url: str) -> tuple[str, str, int]:
    """Scheme, host and port (RFC 6454). Raises ValueError for a port that is no number."""
    parts = urlsplit(url)
    return (
        parts.scheme,
        (parts.hostname or "").lower(),
        parts.port or (443 if parts.scheme == "https" else 80),
    )


def known_fault(error: BaseException) -> HttpFault | None:
    """The `HttpFault` for an exception of httpx; None for one of another kind.

    By the names of its classes, because this room may not import the library: an implementation of `Http` and
    the hub's client then tell the same faults. Of the exception's own words only those about connections are
    kept: others can quote a header.
    """
    names = {kind.__name__ for kind in type(error).__mro__ if kind.__module__.partition(".")[0] == "httpx"}
    if not names & {"TransportError", "InvalidURL", "DecodingError", "StreamError"}:
        return None
    causes = {kind.__name__ for cause in _causes(error) for kind in type(cause).__mro__}
    if causes & {"SSLError", "SSLCertVerificationError"}:
        return HttpFault(HttpProblem.TLS, str(error))
    if "gaierror" in causes or "network is unreachable" in str(error).lower():
        return HttpFault(HttpProblem.OFFLINE, str(error))
    if names & {"ConnectError", "TimeoutException", "ProxyError"}:
        return HttpFault(HttpProblem.UNREACHABLE, type(error).__name__)
    if names & {"NetworkError", "RemoteProtocolError"}:
        return HttpFault(HttpProblem.CUT, type(error).__name__)
    return HttpFault(HttpProblem.BAD_ANSWER, type(error).__name__)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    for _ in range(16):
        if error is None:
            return
        yield error
        error = error.__cause__ or error.__context__
