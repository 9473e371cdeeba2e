"""What every dialect does: requests out of calls, events out of bytes. Pure functions and one small reader.

A dialect is one file in `providers.remote.dialects` with a `DIALECT`. It opens no connection and sees no key.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol

from providers.events import Event
from providers.remote.faults import RemoteFailure
from providers.remote.values import ChatCall, HttpCall, RemoteModelInfo, Service

MOST_LINE_BYTES = 8 << 20
"""Of one line or event of a stream. A longer one ends the answer with `RemoteFault.TOO_LARGE`."""
MOST_ANSWER_BYTES = 64 << 20
"""Of a whole answer."""


class Reader(Protocol):
    """One answer while it comes in. Both raise `RemoteFailure`, and nothing else whatever the bytes are."""

    def take(self, data: bytes) -> Iterable[Event]:
        """The events that some more bytes of the body complete, in order. Bytes may be cut anywhere."""

    def end(self) -> Iterable[Event]:
        """The body is over: what is left, `Finished` last. Raises CUT_OFF when the service had not said so."""


class Dialect(Protocol):
    """How one kind of service is spoken to."""

    def chat(self, call: ChatCall, service: Service) -> HttpCall:
        """The request for a streamed answer. Raises `RemoteFailure` (UNSUPPORTED) for what can't be asked for."""

    def reader(self, service: Service) -> Reader:
        """What reads the body of an answer with status 200."""

    def failure(self, status: int, headers: Mapping[str, str], body: bytes) -> RemoteFailure:
        """What another status means. Header names are in lower case; the body may be cut or anything at all."""

    def models(self, service: Service) -> HttpCall:
        """The request for the list of models. It also tells whether a key is taken."""

    def read_models(self, body: bytes, service: Service) -> tuple[RemoteModelInfo, ...]:
        """The chat models of that list, in its order. Raises `RemoteFailure` (UNREADABLE)."""
