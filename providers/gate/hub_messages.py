"""What the desktop asks of the broker about models on a hub, and what it is told: part of `providers.gate.protocol`.

Which hub is not asked here: it is the public one, or the mirror of the network switch.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from models.hub_values import Found, Listing, Page, Query
from providers.gate.rules import Purpose

# ---- desktop -> broker


@dataclass(frozen=True, slots=True)
class HubSearch:
    """Answered by `HubFound`, or by `HubRefused`."""

    query: Query
    purpose: Purpose = Purpose.SEARCH


@dataclass(frozen=True, slots=True)
class HubLook:
    """A model's page and its files. Answered by `HubModelPage`, or by `HubRefused`."""

    repo: str
    purpose: Purpose = Purpose.SEARCH


@dataclass(frozen=True, slots=True)
class HubPull:
    """Fetch one model of a repository: `paths` are its files at `revision`, a commit.

    Answered by `PullProgress`es, then by `Pulled` or `HubRefused`. Given up, it keeps what it has for the next time.
    """

    repo: str
    revision: str
    paths: tuple[str, ...]
    purpose: Purpose = Purpose.DOWNLOAD


# ---- broker -> desktop


@dataclass(frozen=True, slots=True)
class HubFound:
    found: tuple[Found, ...]


@dataclass(frozen=True, slots=True)
class HubModelPage:
    page: Page
    listing: Listing


@dataclass(frozen=True, slots=True)
class PullProgress:
    """`state` is a `models.download_values.State`; `seconds_left` None while the speed is not known."""

    state: str
    done_bytes: int
    total_bytes: int
    bytes_per_second: float
    seconds_left: float | None


@dataclass(frozen=True, slots=True)
class PulledFile:
    path: str  # on this disk
    sha256: str


@dataclass(frozen=True, slots=True)
class Pulled:
    """Every file is whole: its hash is the one that the hub gave."""

    files: tuple[PulledFile, ...]


@dataclass(frozen=True, slots=True)
class HubRefused:
    """`code` is a `models.hub_faults.HubKind` or a `models.download_values.Problem`."""

    code: str
    detail: str = ""
    facts: dict[str, int | str] = field(default_factory=dict)


HUB_REQUESTS: tuple[type, ...] = (HubSearch, HubLook, HubPull)
HUB_EVENTS: tuple[type, ...] = (HubFound, HubModelPage, PullProgress, Pulled, HubRefused)
HubEvent = HubFound | HubModelPage | PullProgress | Pulled | HubRefused
