"""What the desktop and the broker say to each other: frozen dataclasses, one JSON object per line.

Every message carries the number of the request that it belongs to, under "request"; `Ready` carries 0. A kind of
request that another module brings is one more entry in `REQUESTS`, and its handler one in
`providers.gate.broker.handlers`.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from enum import StrEnum
from typing import cast

from models.codec import Codec, ProtocolError, Record, encode
from providers.gate.chat_messages import CHAT_EVENTS, CHAT_REQUESTS, ChatEvent
from providers.gate.hub_messages import HUB_EVENTS, HUB_REQUESTS, HubEvent
from providers.gate.key_messages import KEY_EVENTS, KEY_REQUESTS, KeyEvent
from providers.gate.rules import Position, Purpose


class GateFault(StrEnum):
    """Why a request came to nothing."""

    REFUSED = "refused"  # by the gate; `rule` says which one
    LEDGER = "ledger"  # its row could not be written, so nothing left
    NAME = "name"  # the host's name could not be resolved
    UNREACHABLE = "unreachable"
    PROXY = "proxy"
    CERTIFICATE = "certificate"  # the server is not who it says, or nobody trusted vouches for it
    TLS = "tls"
    TIMED_OUT = "timed-out"
    CUT_OFF = "cut-off"  # the connection ended before the answer did
    UNREADABLE = "unreadable"  # the answer is not HTTP, or not as it was asked for
    TOO_LARGE = "too-large"
    BUSY = "busy"  # too many requests at once
    CANCELLED = "cancelled"
    INTERNAL = "internal"


# ---- desktop -> broker


@dataclass(frozen=True, slots=True)
class Fetch:
    """Get one resource of at most `limit` bytes. Answered by `Began`, `Chunk`s, `Ended`; or `Failed`."""

    url: str
    purpose: Purpose
    limit: int
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Cancel:
    """Give up the request of this number. Its connection is cut at once."""


# ---- broker -> desktop


@dataclass(frozen=True, slots=True)
class Ready:
    """First message of a broker. `position` is what the gate goes by, `lock` the report of the lock in words."""

    position: Position
    lock: str
    locked: bool


@dataclass(frozen=True, slots=True)
class Began:
    """The head of the answer has come. Only a few headers are passed on; names in lower case."""

    status: int
    headers: dict[str, str]


@dataclass(frozen=True, slots=True)
class Chunk:
    base64: str

    @classmethod
    def of(cls, data: bytes) -> Chunk:
        return cls(base64.b64encode(data).decode("ascii"))

    @property
    def data(self) -> bytes:
        """Raises ValueError for what is not base64."""
        return base64.b64decode(self.base64, validate=True)


@dataclass(frozen=True, slots=True)
class Progress:
    """Bytes of a longer piece of work, whose result stays on the disk. `total` is 0 while it is not known."""

    done: int
    total: int
    what: str = ""


@dataclass(frozen=True, slots=True)
class Ended:
    """The request is done. Nothing of this number follows."""


@dataclass(frozen=True, slots=True)
class Failed:
    """The request came to nothing, or broke off. Nothing of this number follows.

    `detail` is the system's own words: never an address, a header or a part of a message.
    """

    fault: GateFault
    rule: str = ""
    detail: str = ""


Event = Ready | Began | Chunk | Progress | HubEvent | KeyEvent | ChatEvent | Ended | Failed

REQUESTS: tuple[type, ...] = (Fetch, *HUB_REQUESTS, *KEY_REQUESTS, *CHAT_REQUESTS)
"""What can be asked for. Each has a handler in the broker."""
EVENTS: tuple[type, ...] = (
    Ready,
    Began,
    Chunk,
    Progress,
    *HUB_EVENTS,
    *KEY_EVENTS,
    *CHAT_EVENTS,
    Ended,
    Failed,
)

_REQUEST_CODEC = Codec((*REQUESTS, Cancel))
_EVENT_CODEC = Codec(EVENTS)


def to_record(number: int, message: object) -> Record:
    """A message with its number, as a JSON object."""
    return {**encode(message), "request": number}


def read_request(record: Record) -> tuple[int, object]:
    """The number, and one of `REQUESTS` or `Cancel`. Raises `ProtocolError`."""
    number, rest = _numbered(record)
    return number, _REQUEST_CODEC.decode(rest)


def read_event(record: Record) -> tuple[int, Event]:
    """The number and the event. Raises `ProtocolError`."""
    number, rest = _numbered(record)
    return number, cast(Event, _EVENT_CODEC.decode(rest))


def _numbered(record: Record) -> tuple[int, Record]:
    number = record.get("request")
    if type(number) is not int or not 0 <= number < 1 << 53:
        raise ProtocolError(f"{number!r:.60} where the number of a request is expected")
    return number, {name: value for name, value in record.items() if name != "request"}
