"""Getting one resource of limited size: a list of models, a model card, a file of facts."""

from __future__ import annotations

from collections.abc import Callable

from providers.gate.faults import GateError
from providers.gate.protocol import Began, Chunk, Event, Fetch, GateFault
from providers.gate.transport import GatedHttp

# What of an answer's head is of use to whoever asked; the rest stays in the broker.
_PASSED_ON = ("content-type", "content-length", "etag", "last-modified", "link", "retry-after")
_MOST_BYTES = 64 * 1024 * 1024
_LONGEST_HEADER = 4096


def fetch(asked: Fetch, http: GatedHttp, send: Callable[[Event], None]) -> None:
    """Send `Began` and the `Chunk`s. Raises `GateError`; TOO_LARGE once the body is longer than allowed."""
    limit = min(asked.limit, _MOST_BYTES)
    with http.stream("GET", asked.url, asked.headers) as answer:
        chosen = {
            name: answer.headers[name][:_LONGEST_HEADER] for name in _PASSED_ON if name in answer.headers
        }
        length = answer.headers.get("content-length", "")
        if length.isdecimal() and int(length) > limit:
            raise GateError(GateFault.TOO_LARGE)
        send(Began(answer.status, chosen))
        received = 0
        for piece in answer.iter_bytes():
            received += len(piece)
            if received > limit:
                raise GateError(GateFault.TOO_LARGE)
            send(Chunk.of(piece))
