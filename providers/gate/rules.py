"""What can be asked of the gate and what it can answer: values only, no decisions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Position(StrEnum):
    """The network switch, from least to most. The same words stand in the switch's file."""

    OFFLINE = "offline"
    DOWNLOADS = "downloads"
    REMOTE = "remote"


class Purpose(StrEnum):
    """Why something would leave."""

    CHAT = "chat"
    TITLE = "title"
    DOWNLOAD = "download"
    SEARCH = "search"
    UPDATE = "update"
    TOOL = "tool"
    MODELS = "models"  # which models a provider has, and whether it takes the key


class Label(StrEnum):
    """What is known of the conversation that a request is for."""

    STAYS = "stays"  # it never leaves this device, or nobody said that it may
    MAY_LEAVE = "may-leave"


class Rule(StrEnum):
    """What allowed or refused a request; it stands in the ledger and is a promise there: never renamed."""

    # Allowed:
    HUB = "hub"  # the model hub or its storage
    MIRROR = "mirror"  # the copy of the hub that the person or the administrator named
    PROVIDER = "provider"  # the endpoint of an enabled provider

    # Refused, in the order in which the gate looks:
    POSITION = "position"  # the network switch does not let this purpose out
    POLICY = "policy"  # the administrator does not
    NO_PROVIDER = "no-provider"  # the provider is not enabled
    MODEL = "model"  # not one that may be asked
    LABEL = "label"  # the conversation never leaves this device
    BUDGET = "budget"  # it is spent, or there is no telling what this would cost
    MALFORMED = "malformed"  # not an address in its plain form
    HOST = "host"  # not on the list for this purpose
    REDIRECT = "redirect"  # sent on to a host that is not on the list, or too often
    TELEMETRY = "telemetry"  # what a library would tell or ask for by itself, for its maker's sake
    SCHEME = "scheme"
    PORT = "port"
    CREDENTIALS_IN_URL = "credentials-in-url"
    METHOD = "method"
    BODY = "body"
    CREDENTIALS = "credentials"  # a key would go to a host that it does not belong to
    PROXY = "proxy"  # the proxy that is asked for can't be used, and there is no going around it
    LEDGER = "ledger"  # the row could not be written
    LEDGER_KEY = "ledger-key"  # rows are made with a key that the keychain does not give now
    ERROR = "error"  # the gate itself failed, which opens nothing


@dataclass(frozen=True, slots=True)
class Address:
    """Where a request would go, as the HTTP library has taken the URL apart: what is judged is what is used."""

    scheme: str
    host: str  # without the brackets of an IPv6 address
    port: int | None  # None: the usual one of the scheme
    target: str  # path and query
    userinfo: bool = False  # whether a name or password stands in the URL


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One request before it leaves: everything the gate decides by."""

    purpose: Purpose
    method: str
    address: Address
    body_bytes: int = 0
    credentials: bool = False  # whether a header carries a key
    host_headers: tuple[str, ...] = ()  # what the Host header says, if the request has one
    hop: int = 0  # how many redirects led here
    provider: str = ""
    model: str = ""
    conversation: str = ""
    label: Label = Label.STAYS


@dataclass(frozen=True, slots=True)
class Allowed:
    rule: Rule


@dataclass(frozen=True, slots=True)
class Refused:
    rule: Rule


Decision = Allowed | Refused


@dataclass(frozen=True, slots=True)
class Mirror:
    """A copy of the model hub. `plain_http`: may be http:// when it is on this machine."""

    url: str = ""
    plain_http: bool = False


@dataclass(frozen=True, slots=True)
class Policy:
    """What an administrator has closed. It only ever closes."""

    cap: Position = Position.REMOTE
    purposes_off: frozenset[Purpose] = frozenset()


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where an enabled provider is reached: this place and what is below `path`, and nothing beside it.

    `models`: the only ones that may be asked there; None for any.
    """

    host: str
    port: int = 443
    scheme: str = "https"
    path: str = ""
    models: frozenset[str] | None = None


WithinBudget = Callable[[str, str], bool]
"""Whether a provider may be asked for something from a model, as far as money goes. What it raises refuses."""


def _always(provider: str, model: str) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Setting:
    """What a broker is started with. `home` is Alcove's folder.

    The position is fixed for its life. `endpoints` and `within_budget` are asked anew for each request.
    """

    home: str
    position: Position
    mirror: Mirror = Mirror()
    policy: Policy = Policy()
    endpoints: Mapping[str, Endpoint] = field(default_factory=dict)
    within_budget: WithinBudget = _always
