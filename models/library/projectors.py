"""Which projector belongs to which model: the mmproj file that was published beside it.

In a repository all models and projectors belong together as long as their widths fit. A folder of a person may
hold anything, so there a projector also has to be named after the model, or after nothing at all where there is
only one model that it could be for.
"""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace

from models.library.entry import Kind, LibraryEntry, Source
from models.library.splits import stem

_GENERATING = (Kind.CHAT, Kind.BASE)
_MEANS_NOTHING = re.compile(
    r"mmproj|projector|clip|vision|model|gguf|f16|fp16|bf16|f32|fp32|i?q[0-9]\w*|k|m|s|l|xl|ud|[01]"
)
_BEST_FIRST = ("F16", "BF16", "Q8_0", "F32")


def pair(entries: Iterable[LibraryEntry]) -> dict[str, LibraryEntry]:
    """The models whose `projectors` are not what they should be, with the right ones; by path."""
    groups: dict[tuple[Source, str], list[LibraryEntry]] = defaultdict(list)
    for entry in entries:
        groups[entry.source, _together(entry)].append(entry)
    changed = {}
    for (source, _), group in groups.items():
        projectors = [entry for entry in group if Kind.PROJECTOR in entry.kinds and entry.problem is None]
        models = [entry for entry in group if any(kind in entry.kinds for kind in _GENERATING)]
        for model in models:
            fitting = _fitting(model, models, projectors, source)
            if fitting != model.projectors:
                changed[model.path] = replace(model, projectors=fitting)
    return changed


def _together(entry: LibraryEntry) -> str:
    """Files of one repository may lie in several folders: one for each quantization, one for each revision."""
    published = entry.repo and entry.source is not Source.OLLAMA
    return f"{entry.place}\n{entry.repo}" if published else entry.group


def _fitting(
    model: LibraryEntry, models: list[LibraryEntry], projectors: list[LibraryEntry], source: Source
) -> tuple[str, ...]:
    found = [projector for projector in projectors if _fits(projector, model)]
    if source in (Source.FOLDER, Source.FILE):
        found = [projector for projector in found if _is_named_after(projector, model, models)]
    return tuple(projector.path for projector in sorted(found, key=_rank))


def _fits(projector: LibraryEntry, model: LibraryEntry) -> bool:
    """Its output is as wide as the model's input. A projector that doesn't tell its width may fit."""
    return not projector.widths or not model.embedding_length or model.embedding_length in projector.widths


def _is_named_after(projector: LibraryEntry, model: LibraryEntry, models: list[LibraryEntry]) -> bool:
    words = _words(projector)
    if words:
        return words <= _words(model) | _words_of(model.name) | _words_of(model.base)
    possible = [other for other in models if _fits(projector, other)]
    return len({(other.architecture, other.parameters) for other in possible}) == 1


def _words(entry: LibraryEntry) -> set[str]:
    return _words_of(stem(os.path.basename(entry.path)))


def _words_of(text: str) -> set[str]:
    words = re.split(r"[^a-z0-9.]+", text.lower())
    return {word for word in words if word and not _MEANS_NOTHING.fullmatch(word)}


def _rank(projector: LibraryEntry) -> tuple[int, str]:
    known = projector.quantization in _BEST_FIRST
    return (_BEST_FIRST.index(projector.quantization) if known else len(_BEST_FIRST)), projector.path
