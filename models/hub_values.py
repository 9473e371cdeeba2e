"""What is asked of a hub and what it answers, as plain values. Texts are as strangers wrote them: untrusted."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import quote

from models.file_names import NameProblem

PUBLIC_HUB = "https://huggingface.co"


class Sort(StrEnum):
    """The order of what is found: most first, newest first."""

    DOWNLOADS = "downloads"
    LIKES = "likes"
    UPDATED = "last_modified"


@dataclass(frozen=True, slots=True)
class Query:
    """ "" means any. `licence` as the hub names it ("apache-2.0"), `task` likewise ("text-generation")."""

    text: str = ""
    task: str = ""
    licence: str = ""
    author: str = ""
    gguf_only: bool = True
    gated: bool | None = None
    sort: Sort = Sort.DOWNLOADS
    limit: int = 30  # at most 100


class Gate(StrEnum):
    """What has to be done before a model's files can be fetched."""

    OPEN = "open"
    AUTOMATIC = "automatic"  # accept the conditions
    MANUAL = "manual"  # and wait for somebody to agree


@dataclass(frozen=True, slots=True)
class Found:
    """A row of a search. `updated` is ISO 8601 or ""."""

    repo: str
    author: str
    task: str
    licence: str
    gate: Gate
    downloads: int
    likes: int
    updated: str
    tags: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Page:
    """A model's page at one revision. `card` is Markdown from a stranger, cut when `card_cut`."""

    found: Found
    sha: str  # of the commit: what a download is fixed to
    private: bool
    base_models: tuple[str, ...]
    languages: tuple[str, ...]
    card: str
    card_cut: bool


@dataclass(frozen=True, slots=True)
class HubFile:
    """A file in a repository. `size` in bytes; `sha256` of its content, "" when the hub does not have it."""

    path: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class HubModel:
    """What is fetched together: one GGUF or all parts of a split one, in order.

    `quantization` is what the file's name says ("Q4_K_M"), "" when it says nothing. `complete` is False when
    parts of a split model are missing.
    """

    name: str
    quantization: str
    files: tuple[HubFile, ...]
    projector: bool  # an mmproj: the part that sees, for a vision model in the same repository
    complete: bool

    @property
    def size(self) -> int:
        """Bytes, all parts together."""
        return sum(file.size for file in self.files)


@dataclass(frozen=True, slots=True)
class RefusedName:
    """A file that is not offered because of its name. `shown` has no character that a screen would not show."""

    shown: str
    problem: NameProblem


@dataclass(frozen=True, slots=True)
class Listing:
    """The GGUF files of a repository. `whole` is False when it has more files than are looked through."""

    models: tuple[HubModel, ...]
    refused: tuple[RefusedName, ...]
    seen_files: int
    whole: bool


def file_url(endpoint: str, repo: str, revision: str, path: str) -> str:
    """The address of a file's content. All names must have been checked (models.file_names)."""
    return f"{endpoint.rstrip('/')}/{repo}/resolve/{quote(revision, safe='')}/{quote(path)}"
