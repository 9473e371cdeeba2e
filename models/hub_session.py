"""The HTTP session that huggingface_hub is given: the gate's client, with limits of its own.

The library reads a whole answer into memory, waits without end by default, follows the address of the next page
wherever a hub says, token included, and waits as long as a hub tells it to. Here each call has a deadline and a
number of bytes, pages stay on their hub, and an answer that is no success is a `HubFault` at once.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from models.http import (
    MOST_REDIRECTS,
    HttpFault,
    HttpProblem,
    Refused,
    known_fault,
    origin,
    redirect_target,
)
from models.hub_faults import HubFault, HubKind, status_fault, transport_fault

LARGEST_ANSWER = 16 << 20
_MOST_BYTES = 64 << 20
_MOST_SECONDS = 60.0
_NOT_PASSED_ON = frozenset({"content-encoding", "content-length", "transfer-encoding", "x-hf-warning"})

ClientFactory = Callable[[], Any]
"""Makes an `httpx.Client`. Any, because httpx is the gate's alone."""


@dataclass(slots=True)
class Call:
    """What one call to a hub may still use."""

    origin: tuple[str, str, int]
    with_token: bool
    deadline: float  # of time.monotonic()
    bytes_left: int


_call: ContextVar[Call] = ContextVar("hub call")


@contextmanager
def bounded_call(endpoint: str, with_token: bool) -> Iterator[None]:
    """Everything asked inside belongs to one call to this hub: at most 60 s and 64 MB."""
    try:
        call = Call(origin(endpoint), with_token, time.monotonic() + _MOST_SECONDS, _MOST_BYTES)
    except ValueError:
        raise HubFault(HubKind.UNREACHABLE, "the hub's address is none") from None
    token = _call.set(call)
    try:
        yield
    finally:
        _call.reset(token)


class Session:
    """What huggingface_hub uses of an `httpx.Client`: `get` and `request`."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def get(self, url: str, **options: Any) -> Any:
        return self.request("GET", url, **options)

    def request(self, method: str, url: str, **options: Any) -> Any:
        """The answer to a request, read to its end. Raises `HubFault`."""
        answer, body, _ = self.read(url, options.get("headers") or {}, LARGEST_ANSWER, options.get("params"))
        if len(body) >= LARGEST_ANSWER:
            raise HubFault(HubKind.BAD_ANSWER, "too large an answer")
        headers = [
            (name, value) for name, value in answer.headers.items() if name.lower() not in _NOT_PASSED_ON
        ]
        return type(answer)(answer.status_code, headers=headers, content=body, request=answer.request)

    def close(self) -> None:
        """The library closes its session when the next one is set."""
        self._client.close()

    def read(
        self, url: str, headers: Mapping[str, str], limit: int, params: Any = None
    ) -> tuple[Any, bytes, bool]:
        """The answer, at most `limit` bytes of its body, and whether there was more. Raises `HubFault`."""
        call = _call.get()
        try:
            return self._read(call, url, headers, limit, params)
        except (HttpFault, Refused) as error:
            raise transport_fault(error) from None
        except HubFault:
            raise
        except Exception as error:
            fault = known_fault(error)
            if fault is None:
                raise
            raise transport_fault(fault) from None

    def _read(
        self, call: Call, url: str, headers: Mapping[str, str], limit: int, params: Any
    ) -> tuple[Any, bytes, bool]:
        if origin(url) != call.origin:
            raise HubFault(HubKind.BAD_ANSWER, "the next page is at another host")
        sent = {**headers, "accept-encoding": "gzip"}
        for _ in range(MOST_REDIRECTS + 1):
            request = self._client.build_request("GET", url, params=params, headers=sent)
            answer = self._client.send(request, stream=True, follow_redirects=False)
            try:
                if answer.has_redirect_location:
                    target = redirect_target(str(request.url), answer.headers["location"])
                else:
                    if answer.status_code >= 400:
                        raise status_fault(answer.status_code, answer.headers, call.with_token)
                    return answer, *_body(answer, call, limit)
            finally:
                answer.close()
            if origin(target) != origin(url):
                sent = {name: value for name, value in sent.items() if name.lower() != "authorization"}
            url, params = target, None
        raise HttpFault(HttpProblem.BAD_ANSWER, "redirects without end")


def _body(answer: Any, call: Call, limit: int) -> tuple[bytes, bool]:
    pieces, size = [], 0
    for piece in answer.iter_bytes():
        pieces.append(piece)
        size += len(piece)
        call.bytes_left -= len(piece)
        if call.bytes_left < 0:
            raise HubFault(HubKind.BAD_ANSWER, "too large an answer")
        if time.monotonic() > call.deadline:
            raise HubFault(HubKind.UNREACHABLE, "too slow an answer")
        if size >= limit:
            break
    return b"".join(pieces)[:limit], size > limit
