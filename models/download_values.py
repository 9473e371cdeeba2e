"""What is asked of a download, how it can stand, and what it tells on its way. Codes and facts, no words."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """Where a download stands."""

    QUEUED = "queued"
    CHECKING = "checking"  # reading again what is already on the disk
    RUNNING = "running"
    WAITING = "waiting"  # before the next attempt
    PAUSED = "paused"
    FAILED = "failed"  # stays in the list, and can be resumed
    READY = "ready"  # every hash matched, every file in its place
    CANCELLED = "cancelled"


class Problem(StrEnum):
    """What can be wrong on this side. What is wrong on the hub's is a `models.hub_faults.HubKind`."""

    NO_SPACE = "no_space"  # facts: need_bytes (all that is queued), free_bytes
    HASH_MISMATCH = "hash_mismatch"  # facts: path, expected, found, aside (a path on disk)
    NO_HASH = "no_hash"  # the hub has no SHA-256 for the file, so it could never be "ready"
    BAD_NAME = "bad_name"  # fact: problem
    EXISTS = "exists"  # facts: path, same (1 when it is the file that was asked for)
    INCOMPLETE = "incomplete"  # nothing to fetch
    DISK = "disk"  # fact: errno
    UNKNOWN = "unknown"  # no download of that id
    INTERNAL = "internal"  # a bug of ours


class DownloadFault(Exception):
    """A `Problem` with its facts. `detail` is the system's own words."""

    def __init__(self, problem: Problem, detail: str = "", facts: dict[str, int | str] | None = None) -> None:
        super().__init__(f"{problem.value}: {detail}" if detail else problem.value)
        self.problem = problem
        self.detail = detail
        self.facts = facts or {}


@dataclass(frozen=True, slots=True)
class WantedFile:
    """`path` in the repository, `size` in bytes, `sha256` in lower-case hexadecimal digits, from the hub."""

    path: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Wanted:
    """Files of one repository that are of use only together. `revision` is a commit, so that it stays the same."""

    endpoint: str
    repo: str
    revision: str
    files: tuple[WantedFile, ...]


@dataclass(frozen=True, slots=True)
class Backoff:
    """Between attempts: a random time up to `first` seconds, doubled each time up to `longest`.

    `attempts` in a row that brought nothing end the download; one that brought bytes starts the count again.
    """

    attempts: int = 8
    first: float = 1.0
    longest: float = 60.0


class Restart(StrEnum):
    """Why what was already fetched is not used."""

    CHANGED = "changed"  # the file on the hub is another one now
    NO_RANGES = "no_ranges"  # the server gives whole files only
    UNUSABLE = "unusable"  # more bytes on the disk than the file has


# ---- events


@dataclass(frozen=True, slots=True)
class StateChanged:
    id: str
    state: State


@dataclass(frozen=True, slots=True)
class Progress:
    """`seconds_left` None while the speed is not known."""

    id: str
    done_bytes: int
    total_bytes: int
    bytes_per_second: float
    seconds_left: float | None


@dataclass(frozen=True, slots=True)
class Restarted:
    id: str
    path: str
    reason: Restart


@dataclass(frozen=True, slots=True)
class Retrying:
    """`code` is a `HubKind`; the next attempt is in `seconds`."""

    id: str
    code: str
    seconds: float
    attempt: int


@dataclass(frozen=True, slots=True)
class Finished:
    """The files on disk, in the order they were asked for, and the SHA-256 that each was verified to have."""

    id: str
    repo: str
    files: tuple[str, ...]
    sha256: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Failed:
    """`code` is a `Problem` or a `HubKind`."""

    id: str
    code: str
    detail: str
    facts: dict[str, int | str]


Event = StateChanged | Progress | Restarted | Retrying | Finished | Failed


@dataclass(frozen=True, slots=True)
class Standing:
    """A download in the list, now. `code` is why it failed, else ""."""

    id: str
    wanted: Wanted
    state: State
    done_bytes: int
    total_bytes: int
    code: str
