"""What the desktop asks of the broker about models on a hub, and what it is told: part of `providers.gate.protocol`.

Which hub is not asked here: it is the public one, or the mirror of the network switch.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import get_args

from models.estimate import Estimate
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


@dataclass(frozen=True, slots=True)
class HubFit:
    """What a model would take, from the header of its files on the hub. Answered by `HubFitted` or `HubRefused`.

    `context_tokens` 0: as many as are used by themselves. The types of the KV cache as ggml names them. A header
    that was read is remembered for a while, so that another context costs no request.
    """

    repo: str
    revision: str  # a commit
    paths: tuple[str, ...]  # all parts of one model, in order
    context_tokens: int = 0
    k_type: str = "F16"
    v_type: str = "F16"
    purpose: Purpose = Purpose.SEARCH


@dataclass(frozen=True, slots=True)
class QueueWatch:
    """The queue of downloads: first a `QueueStanding`, then each `QueueChanged`, `QueueGone` and `QueueFinished`.

    Ends when it is given up, which stops no download. The first request about the queue sets it to work.
    """

    purpose: Purpose = Purpose.DOWNLOAD


@dataclass(frozen=True, slots=True)
class QueueAdd:
    """Fetch these files of a repository at `revision`, a commit: of use only together. Answered by `QueueAdded`,
    or by `HubRefused`, whose code is "exists" when all of them are on the disk. One that is in the queue already
    stays where it is; what was stopped goes on. `replace`: files of the same names are replaced at the end.
    """

    repo: str
    revision: str
    paths: tuple[str, ...]
    replace: bool = False
    purpose: Purpose = Purpose.DOWNLOAD


@dataclass(frozen=True, slots=True)
class QueuePause:
    """Answered by nothing but its end, or by `HubRefused`; so are the next three."""

    download: str
    purpose: Purpose = Purpose.DOWNLOAD


@dataclass(frozen=True, slots=True)
class QueueResume:
    """What was paused or has failed."""

    download: str
    purpose: Purpose = Purpose.DOWNLOAD


@dataclass(frozen=True, slots=True)
class QueueCancel:
    """What there is of it is removed."""

    download: str
    purpose: Purpose = Purpose.DOWNLOAD


@dataclass(frozen=True, slots=True)
class QueueMove:
    """To another place in the queue, 0 the first. Answered by a new `QueueStanding` to those who watch."""

    download: str
    place: int
    purpose: Purpose = Purpose.DOWNLOAD


# ---- broker -> desktop
# Downloads have an id of their own; in a message of the queue it is `download`, as "id" is its request's number.


@dataclass(frozen=True, slots=True)
class HubFitted:
    """`context_tokens`: what the estimate is for; `trained_context`: the longest the model knows, 0 when unknown.

    `requests` and `read_bytes`: what reading the header took, 0 when it was remembered.
    """

    estimate: Estimate
    context_tokens: int
    trained_context: int
    architecture: str
    file_bytes: int
    requests: int
    read_bytes: int


@dataclass(frozen=True, slots=True)
class Queued:
    """A download in the queue. `state`: a `models.download_values.State`; sizes in bytes.

    `code` and `facts`: why it failed, or why the next attempt waits (then `retry_seconds` says how long); "" else.
    `bytes_per_second` 0 and `seconds_left` None while nothing comes in.
    """

    id: str
    repo: str
    revision: str
    paths: tuple[str, ...]
    state: str
    done_bytes: int
    total_bytes: int
    bytes_per_second: float = 0.0
    seconds_left: float | None = None
    code: str = ""
    facts: dict[str, int | str] = field(default_factory=dict)
    retry_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class QueueStanding:
    """The whole queue, in its order: it replaces what was told before.

    `elsewhere`: another Alcove has the queue now, so that nothing can be changed here; another one of these
    follows as soon as it is free.
    """

    downloads: tuple[Queued, ...]
    elsewhere: bool = False


@dataclass(frozen=True, slots=True)
class QueueAdded:
    download: str


@dataclass(frozen=True, slots=True)
class QueueChanged:
    """How one download stands now; one that was not there before is at the end of the queue."""

    download: Queued


@dataclass(frozen=True, slots=True)
class QueueGone:
    """It was cancelled, and is in the queue no more."""

    download: str


@dataclass(frozen=True, slots=True)
class QueueFinished:
    """Every hash was the hub's and every file is in its place; it is in the queue no more."""

    download: str
    repo: str
    files: tuple[PulledFile, ...]


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


HUB_REQUESTS: tuple[type, ...] = (
    HubSearch,
    HubLook,
    HubPull,
    HubFit,
    QueueWatch,
    QueueAdd,
    QueuePause,
    QueueResume,
    QueueCancel,
    QueueMove,
)
QueueEvent = QueueStanding | QueueChanged | QueueGone | QueueFinished
HubEvent = HubFound | HubModelPage | HubFitted | PullProgress | Pulled | QueueEvent | QueueAdded | HubRefused
HUB_EVENTS: tuple[type, ...] = get_args(HubEvent)
