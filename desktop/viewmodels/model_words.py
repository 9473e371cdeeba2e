"""What is known of a model on this disk, in words: the same for a row, for its details and for a screen reader."""

from __future__ import annotations

import time
from functools import cache
from pathlib import Path

from desktop.i18n import tr
from desktop.words.models import model_fault
from desktop.words.sentence import gigabytes
from models.library.entry import Kind, LibraryEntry, Openness, Source
from models.starter import NAME, starter_path

Facts = tuple[tuple[str, str], ...]
"""Label and value, in the order of what a person asks first."""


def one_line(text: str) -> str:
    """A stranger's words as one line: nothing in it breaks the line or turns what stands beside it around."""
    if not text.isprintable():
        text = "".join(letter if letter.isprintable() else " " for letter in text)
    return " ".join(text.split())


def shown_path(path: str) -> str:
    """A path as it is; what no screen can show stands there as a replacement character."""
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in path)


def count_words(number: int) -> str:
    """A number of parameters as people say it: "135 million", "7.2 billion"; "" when it is not known."""
    if number >= 10**9:
        return tr("{number} billion", number=f"{number / 1e9:.1f}".removesuffix(".0"))
    if number >= 10**6:
        return tr("{number} million", number=f"{number / 1e6:.0f}")
    return f"{number:,}" if number > 0 else ""


def is_starter(entry: LibraryEntry) -> bool:
    return entry.path == _starter()


@cache
def _starter() -> str:
    """Looking for it takes milliseconds, and it is asked for each row."""
    return str(starter_path() or "")


def name_of(entry: LibraryEntry) -> str:
    return NAME if is_starter(entry) else one_line(entry.name) or one_line(Path(entry.path).name)


def can_answer(entry: LibraryEntry) -> bool:
    """Whether a conversation can be held with it."""
    return entry.problem is None and bool({Kind.CHAT, Kind.BASE} & set(entry.kinds))


def kind_words(entry: LibraryEntry, *, all_of_them: bool = True) -> str:
    """What a model is for. Not `all_of_them`: without what only a technician asks."""
    kinds = [kind for kind in entry.kinds if all_of_them or kind is not Kind.DRAFT]
    words = [tr(_KINDS[kind]) for kind in kinds if kind in _KINDS]
    if entry.projectors:
        words.append(tr("sees images"))
    return ", ".join(words)


_KINDS = {
    Kind.CHAT: "conversations",
    Kind.BASE: "continuing a text",
    Kind.EMBEDDING: "finding similar texts (embeddings)",
    Kind.RERANKER: "sorting search results",
    Kind.PROJECTOR: "a part that sees, for another model",
    Kind.ADAPTER: "an adapter (LoRA) for another model",
    Kind.DRAFT: "small enough to speed up a larger model",
    Kind.OTHER: "a part of another model",
}
"""English texts that pass through `tr` when shown."""


def openness_words(openness: Openness) -> str:
    match openness:
        case Openness.FULLY_OPEN:
            return tr("Fully open: weights, training data and code are published for anybody to use.")
        case Openness.OPEN_WEIGHT:
            return tr("Open weight: anybody may use and change it; the training data is not published.")
        case Openness.SEMI_OPEN:
            return tr("Semi-open: the licence restricts who may use it, or what for.")
        case Openness.UNKNOWN:
            return tr("Not known: the file names no licence that Alcove knows.")


def source_words(entry: LibraryEntry, ours: bool = False) -> str:
    if ours:
        return tr("Downloaded with Alcove")
    if is_starter(entry):
        return tr("Came with Alcove")
    match entry.source:
        case Source.HUGGING_FACE:
            return tr("Hugging Face cache")
        case Source.LM_STUDIO:
            return tr("LM Studio")
        case Source.OLLAMA:
            return tr("Ollama")
        case Source.FOLDER:
            return tr("A folder on this computer")
        case Source.FILE:
            return tr("A file that was opened")


def problem_words(entry: LibraryEntry) -> str:
    """Why it can't be used, or ""."""
    if entry.problem is None:
        return ""
    return one_line(model_fault(entry.problem, entry.detail, entry.facts, shown_path(entry.path)).text)


def hash_words(entry: LibraryEntry) -> str:
    """Whether the files are known to be whole."""
    if "expected_sha256" in entry.facts:
        return tr("Checked: this is not the file that its source announced.")
    if not entry.verified:
        return tr("Not checked yet")
    if all(file.expected_sha256 for file in entry.files):
        return tr("Checked: exactly the file that its source announced")
    return tr("Computed; its source names none to compare it with")


def last_used_words(entry: LibraryEntry, now: float | None = None) -> str:
    if entry.last_used is None:
        return tr("Not yet, with Alcove")
    days = int(((time.time() if now is None else now) - entry.last_used) // 86_400)
    if days <= 0:
        return tr("Today")
    if days == 1:
        return tr("Yesterday")
    return tr("{days} days ago", days=days)


def row_words(entry: LibraryEntry) -> str:
    """The second line of a row."""
    if entry.problem is not None:
        return problem_words(entry)
    size = entry.size_label or count_words(entry.parameters)
    parts = (
        one_line(size),
        one_line(entry.quantization),
        gigabytes(entry.size),
        kind_words(entry, all_of_them=False),
    )
    return " · ".join(part for part in parts if part)


def facts(entry: LibraryEntry, ours: bool = False) -> Facts:
    """Everything that is known; what is not known is left out."""
    family = "" if entry.family in ("", "other") else entry.family
    parameters = count_words(entry.parameters) or one_line(entry.size_label)
    rows: Facts = (
        (tr("For"), _sentence(kind_words(entry))),
        (tr("Family"), " · ".join(part for part in (family, one_line(entry.architecture)) if part)),
        (tr("Parameters"), parameters),
        (tr("Quantization"), one_line(entry.quantization)),
        (tr("Context"), _tokens(entry.context_tokens)),
        (tr("Languages"), one_line(", ".join(entry.languages[:12]))),
        (tr("Licence"), one_line(entry.licence) or tr("Not named in the file")),
        (tr("How open"), openness_words(entry.openness)),
        (tr("Made for"), one_line(entry.base)),
        (tr("Size"), _size(entry)),
        (tr("From"), " · ".join(part for part in (source_words(entry, ours), one_line(entry.repo)) if part)),
        (tr("Where"), "\n".join(shown_path(file.path) for file in entry.files[:4])),
        (tr("Last used"), last_used_words(entry)),
        (tr("Checksum"), hash_words(entry)),
        (tr("SHA-256"), "\n".join(file.sha256 for file in entry.files[:4] if file.sha256)),
    )
    if entry.problem is not None:
        kept = {tr("Size"), tr("From"), tr("Where"), tr("Checksum"), tr("Quantization"), tr("Family")}
        rows = tuple(row for row in rows if row[0] in kept)
    return tuple((label, value) for label, value in rows if value)


def _sentence(words: str) -> str:
    return words[:1].upper() + words[1:]


def _tokens(count: int) -> str:
    if count <= 0:
        return ""
    return tr("{count} tokens, about {words} words", count=f"{count:,}", words=f"{count * 3 // 4:,}")


def _size(entry: LibraryEntry) -> str:
    if len(entry.files) == 1:
        return gigabytes(entry.size)
    return tr("{size} in {count} files", size=gigabytes(entry.size), count=len(entry.files))
