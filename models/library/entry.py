"""What the library knows about one model, as plain values."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from models.runtime.faults import Fault


class Source(StrEnum):
    """What kind of place a model was found in."""

    FOLDER = "folder"
    FILE = "file"
    HUGGING_FACE = "hugging_face"
    LM_STUDIO = "lm_studio"
    OLLAMA = "ollama"


class Kind(StrEnum):
    """What a file is for."""

    CHAT = "chat"
    BASE = "base"  # generates text, and has no chat template
    EMBEDDING = "embedding"
    RERANKER = "reranker"
    PROJECTOR = "projector"  # images or sound for a chat model
    ADAPTER = "adapter"  # LoRA
    DRAFT = "draft"  # besides CHAT or BASE: small enough to draft for a larger model
    OTHER = "other"  # vocabularies, importance matrices, control vectors


class Openness(StrEnum):
    """How open a model is. What each word means, and since when, is in resources/library/openness.json."""

    FULLY_OPEN = "fully open"
    OPEN_WEIGHT = "open weight"
    SEMI_OPEN = "semi-open"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class ModelFile:
    """One file of a model, and how it looked when it was read. Size in bytes; hashes in hexadecimal, "" unknown."""

    path: str  # bytes that are not UTF-8 are lone surrogates, as `os.fsdecode` has them
    size: int
    mtime_ns: int
    expected_sha256: str = ""  # what its store says it should be
    sha256: str = ""  # what it was when it was verified

    @property
    def stamp(self) -> tuple[str, int, int]:
        """Two looks at a file with the same stamp saw the same file."""
        return self.path, self.size, self.mtime_ns


@dataclass(frozen=True, slots=True)
class LibraryEntry:
    """One model. Texts come from the file and are untrusted; those of the header are cut and printable."""

    files: tuple[ModelFile, ...]  # the parts of a split model in their order, else one
    name: str
    source: Source
    place: str  # the root of the folder or store
    group: str  # files of one group were published together: a folder, a repository
    repo: str = ""  # "publisher/name" where the store says so
    kinds: tuple[Kind, ...] = ()
    family: str = ""  # "Llama", "Mistral", … as in resources/library/families.json; "other"; "" when not read
    architecture: str = ""
    parameters: int = 0
    size_label: str = ""  # "7B"
    quantization: str = ""  # "Q4_K_M"
    context_tokens: int = 0
    embedding_length: int = 0
    languages: tuple[str, ...] = ()  # codes as the header has them
    licence: str = ""
    openness: Openness = Openness.UNKNOWN
    base: str = ""  # for an adapter: the model it belongs to, as it says itself
    tokenizer: str = ""  # the same text for two models: the same vocabulary, as far as headers tell
    template_sha256: str = ""
    widths: tuple[int, ...] = ()  # for a projector: the embedding lengths it may fit
    projectors: tuple[str, ...] = ()  # paths of projectors that belong to it, the best first
    last_used: float | None = None  # seconds since 1970; kept by the catalogue
    made_from: str = (
        ""  # the path of the model that Alcove made this one from; kept by the catalogue, as is when
    )
    made_at: float | None = None
    problem: Fault | None = None  # why it can't be used
    detail: str = ""
    facts: dict[str, int | str] = field(default_factory=dict)

    @property
    def path(self) -> str:
        """The file to load; of a split model the first part. It identifies the entry."""
        return self.files[0].path

    @property
    def size(self) -> int:
        """Bytes on disk, of all parts."""
        return sum(file.size for file in self.files)

    @property
    def sha256(self) -> str | None:
        """The hash of the file, None until it was verified and for split models: see their `files`."""
        return self.files[0].sha256 or None if len(self.files) == 1 else None

    @property
    def verified(self) -> bool:
        """Whether each file was hashed since it last changed, and is what its store says it should be."""
        return all(file.sha256 and file.expected_sha256 in ("", file.sha256) for file in self.files)
