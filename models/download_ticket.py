"""What is known of a download on disk: a small JSON file beside its partial files, replaced atomically.

In the folder of downloads: `ID.json`, `ID.0.part`, `ID.1.part`, …, and `ID.0.mismatch` for a file whose hash was
not the hub's. A ticket is checked like any file from elsewhere before a path is made of it.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from models.download_values import DownloadFault, Problem, Wanted, WantedFile
from models.file_names import file_problem, repository_problem
from models.http import origin

_LARGEST_TICKET = 1 << 20
_MOST_FILES = 1000
_LARGEST_FILE = 1 << 44
_SHA256 = re.compile(r"[0-9a-f]{64}")
_REVISION = re.compile(r"[0-9a-f]{40}")
_ENDPOINT = re.compile(r"https?://[!-~]{1,500}")
ID = re.compile(r"[0-9a-f]{16}")


@dataclass(slots=True)
class FileTicket:
    """One file of a download. `etag` marks the content that the partial file is from."""

    path: str
    size: int
    sha256: str
    etag: str = ""
    verified: bool = False


@dataclass(slots=True)
class Ticket:
    """One download. `place` orders the queue; `code` is why it failed, else ""."""

    endpoint: str
    repo: str
    revision: str
    files: list[FileTicket]
    place: int = 0
    paused: bool = False
    code: str = ""

    @property
    def wanted(self) -> Wanted:
        files = tuple(WantedFile(file.path, file.size, file.sha256) for file in self.files)
        return Wanted(self.endpoint, self.repo, self.revision, files)


def check(wanted: Wanted) -> None:
    """Raises `DownloadFault`: BAD_NAME, NO_HASH, INCOMPLETE."""
    problem = repository_problem(wanted.repo)
    if problem is None and not _REVISION.fullmatch(wanted.revision):
        raise DownloadFault(Problem.BAD_NAME, facts={"problem": "revision"})
    if problem is None and not _is_address(wanted.endpoint):
        raise DownloadFault(Problem.BAD_NAME, facts={"problem": "endpoint"})
    if not 0 < len(wanted.files) <= _MOST_FILES:
        raise DownloadFault(Problem.INCOMPLETE)
    folded = [file.path.casefold() for file in wanted.files]
    if len(set(folded)) < len(folded):  # on many disks they would be one file
        raise DownloadFault(Problem.BAD_NAME, facts={"problem": "twice"})
    for file in wanted.files:
        problem = problem or file_problem(file.path)
        if problem is not None:
            raise DownloadFault(Problem.BAD_NAME, facts={"problem": problem.value})
        if not _SHA256.fullmatch(file.sha256):
            raise DownloadFault(Problem.NO_HASH, facts={"path": file.path})
        if not 0 < file.size <= _LARGEST_FILE:
            raise DownloadFault(Problem.INCOMPLETE, facts={"path": file.path})


def _is_address(endpoint: str) -> bool:
    try:
        return _ENDPOINT.fullmatch(endpoint) is not None and origin(endpoint)[1] != ""
    except ValueError:
        return False


def id_of(wanted: Wanted) -> str:
    """The same for the same files: what is asked for twice is one download."""
    names = [wanted.endpoint, wanted.repo, wanted.revision, *(file.path for file in wanted.files)]
    return hashlib.sha256(json.dumps(names).encode()).hexdigest()[:16]


def write_ticket(folder: Path, name: str, ticket: Ticket) -> None:
    """Replace the ticket on disk. Raises OSError."""
    write_atomically(folder / f"{name}.json", json.dumps(asdict(ticket)))


def write_atomically(path: Path, text: str) -> None:
    """The whole text, or what was there before. Raises OSError."""
    beside = path.with_name(path.name + ".new")
    with beside.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(beside, path)


def read_tickets(folder: Path, *, look_only: bool = False) -> dict[str, Ticket]:
    """The downloads in a folder, in the order of the queue. One that cannot be read is set aside, or passed over."""
    found: dict[str, Ticket] = {}
    for path in sorted(folder.glob("*.json")):
        if not ID.fullmatch(path.stem):
            continue
        ticket = _read(path)
        if ticket is None and look_only:
            continue
        if ticket is None:
            with contextlib.suppress(OSError):
                os.replace(path, path.with_suffix(".damaged"))
        else:
            found[path.stem] = ticket
    return dict(sorted(found.items(), key=lambda entry: entry[1].place))


def _read(path: Path) -> Ticket | None:
    try:
        with path.open("rb") as file:
            raw = file.read(_LARGEST_TICKET + 1)
        ticket = _parse(json.loads(raw)) if len(raw) <= _LARGEST_TICKET else None
    except (OSError, ValueError, KeyError, TypeError, RecursionError, DownloadFault):
        return None
    return ticket if ticket is not None and id_of(ticket.wanted) == path.stem else None


def _parse(value: Any) -> Ticket:
    files = [
        FileTicket(
            _typed(file["path"], str),
            _typed(file["size"], int),
            _typed(file["sha256"], str),
            _typed(file["etag"], str),
            _typed(file["verified"], bool),
        )
        for file in _typed(value["files"], list)
    ]
    ticket = Ticket(
        _typed(value["endpoint"], str),
        _typed(value["repo"], str),
        _typed(value["revision"], str),
        files,
        _typed(value["place"], int),
        _typed(value["paused"], bool),
        _typed(value["code"], str),
    )
    check(ticket.wanted)
    return ticket


def _typed(value: Any, kind: type) -> Any:
    if type(value) is not kind:
        raise TypeError(kind.__name__)
    return value
