"""From the files of a candidate to an entry of the library: reads their headers. Called in a locked child only."""

from __future__ import annotations

import os
from dataclasses import replace

from models.gguf import Header, Incomplete, card, read_header
from models.gguf_texts import SeenLists
from models.library.candidates import Candidate
from models.library.entry import Kind, LibraryEntry, ModelFile
from models.library.knowledge import family_of, is_supported, openness_of
from models.library.splits import stem
from models.runtime.faults import Fault, RuntimeFault

_LARGEST = 1 << 62
_TEXT = 200
_LANGUAGES = 100
_WIDTHS = 16
_DRAFT_PARAMETERS = 2_000_000_000
_RERANKING = 4  # llama.h, LLAMA_POOLING_TYPE_RANK
_NO_MODEL = ("imatrix", "controlvector", "vocab")


_READ_EMBEDDINGS = tuple(
    f".{part}.weight.lora_a" for part in ("attn_q", "attn_k", "attn_v", "ffn_up", "ffn_gate")
)


def look_at(candidate: Candidate) -> tuple[ModelFile, ...]:
    """Sizes and times of a candidate's files, without opening them. Size -1 for a file that can't be looked at."""
    expected = candidate.expected_sha256 or ("",) * len(candidate.paths)
    files = []
    for path, sha256 in zip(candidate.paths, expected, strict=True):
        try:
            status = os.stat(path)
        except (OSError, ValueError):
            files.append(ModelFile(path, -1, 0, sha256))
        else:
            files.append(ModelFile(path, status.st_size, status.st_mtime_ns, sha256))
    return tuple(files)


def bare_entry(
    candidate: Candidate,
    files: tuple[ModelFile, ...],
    problem: Fault | None = None,
    detail: str = "",
    facts: dict[str, int | str] | None = None,
) -> LibraryEntry:
    """What is known of a candidate that nobody has read, or that can't be."""
    return LibraryEntry(
        files=tuple(replace(file, size=max(0, file.size)) for file in files),
        name=_clean(candidate.name) or _clean(stem(os.path.basename(candidate.paths[0]))),
        source=candidate.place.source,
        place=candidate.place.path,
        group=candidate.group,
        repo=candidate.repo,
        problem=problem,
        detail=detail[:_TEXT],
        facts=facts or {},
    )


def describe(candidate: Candidate, files: tuple[ModelFile, ...], seen: SeenLists) -> LibraryEntry:
    """Read the headers. What is wrong with a file is in the entry, with what could be told all the same."""
    headers: list[Header] = []
    fault: RuntimeFault | None = None
    for path in candidate.paths:
        try:
            headers.append(read_header(path, seen))
        except Incomplete as incomplete:
            headers.append(incomplete.header)
            fault = fault or _about(incomplete, path)
        except RuntimeFault as error:
            fault = fault or _about(error, path)
            if path == candidate.paths[0]:
                break
    if fault is None and candidate.missing:
        fault = _missing(candidate)
    entry = bare_entry(candidate, files)
    if headers:
        entry = _told(entry, candidate, headers)
        if fault is None and headers[0].number("split.count") > len(headers) and not candidate.missing:
            count = min(headers[0].number("split.count"), _LARGEST)
            fault = RuntimeFault(Fault.PART_MISSING, "", {"parts": count, "file": _file_name(entry.path)})
        fault = fault or _unsupported(entry)
    if fault is None:
        return entry
    return replace(entry, problem=fault.fault, detail=fault.detail[:_TEXT], facts=_small(fault.facts))


def _about(fault: RuntimeFault, path: str) -> RuntimeFault:
    return RuntimeFault(fault.fault, fault.detail, {**fault.facts, "file": _file_name(path)})


def _missing(candidate: Candidate) -> RuntimeFault:
    numbers = ", ".join(map(str, candidate.missing))
    facts: dict[str, int | str] = {
        "parts": len(candidate.paths) + len(candidate.missing),
        "missing": numbers,
        "file": _file_name(candidate.paths[0]),
    }
    return RuntimeFault(Fault.PART_MISSING, f"missing: {numbers}", facts)


def _unsupported(entry: LibraryEntry) -> RuntimeFault | None:
    if Kind.OTHER in entry.kinds or is_supported(entry.architecture):
        return None
    return RuntimeFault(Fault.UNSUPPORTED_ARCHITECTURE, "", {"architecture": entry.architecture[:60]})


def _small(facts: dict[str, int | str]) -> dict[str, int | str]:
    return {
        name: min(fact, _LARGEST) if isinstance(fact, int) else fact[:_TEXT] for name, fact in facts.items()
    }


def _told(entry: LibraryEntry, candidate: Candidate, headers: list[Header]) -> LibraryEntry:
    header = headers[0]
    told = card(header, entry.path)
    architecture = told.architecture
    parameters = min(sum(part.parameters for part in headers), _LARGEST)
    # The store's own name for it is the one a person knows.
    name = _clean(candidate.name) or _clean(header.text("general.name")) or entry.name
    base = _clean(header.text("general.base_model.0.name"))
    names = (name, header.text("general.basename"), base, entry.repo, stem(_file_name(entry.path)))
    family = family_of(architecture, tuple(text[:_TEXT] for text in names))
    publishers = (_clean(header.text("general.organization")), entry.repo.rpartition("/")[0])
    kinds = _kinds(header, parameters)
    return replace(
        entry,
        name=name,
        kinds=kinds,
        family=family,
        architecture=architecture,
        parameters=parameters,
        size_label=told.size_label,
        quantization=told.quantization,
        context_tokens=min(told.trained_context, _LARGEST),
        embedding_length=(
            _adapted_width(header) if Kind.ADAPTER in kinds else _number(header, "embedding_length")
        ),
        languages=_languages(header),
        licence=told.licence,
        openness=openness_of(told.licence, family, architecture, publishers),
        base=base,
        tokenizer=_tokenizer(header),
        template_sha256=told.template_sha256,
        widths=projector_widths(header) if Kind.PROJECTOR in kinds else (),
    )


def _kinds(header: Header, parameters: int) -> tuple[Kind, ...]:
    """What the file is for, from what it says of itself (gguf.md, "general.type"; clip.cpp; llama-adapter.cpp)."""
    kind, architecture = header.text("general.type"), header.architecture
    if kind == "adapter" or header.text("adapter.type"):
        return (Kind.ADAPTER,) if header.text("adapter.type") in ("", "lora") else (Kind.OTHER,)
    if architecture == "clip" or kind == "mmproj":
        return (Kind.PROJECTOR,)
    if kind in _NO_MODEL or architecture in _NO_MODEL or not header.tensors:
        return (Kind.OTHER,)
    pooling = header.number(f"{architecture}.pooling_type")
    if pooling == _RERANKING:
        return (Kind.RERANKER,)
    if pooling > 0 or header.metadata.get(f"{architecture}.attention.causal") is False:
        return (Kind.EMBEDDING,)
    first = Kind.CHAT if header.text("tokenizer.chat_template") else Kind.BASE
    return (first, Kind.DRAFT) if parameters <= _DRAFT_PARAMETERS else (first,)


def _number(header: Header, name: str) -> int:
    return max(0, min(header.number(f"{header.architecture}.{name}"), _LARGEST))


def _languages(header: Header) -> tuple[str, ...]:
    value = header.metadata.get("general.languages")
    texts = value if isinstance(value, tuple) else ()
    return tuple(_clean(text)[:20] for text in texts[:_LANGUAGES] if isinstance(text, str) and _clean(text))


def _tokenizer(header: Header) -> str:
    """Kind, way of cutting words, and size of the vocabulary; "" without one."""
    if not header.vocabulary:
        return ""
    kind, words = header.text("tokenizer.ggml.model"), header.text("tokenizer.ggml.pre")
    return _clean(f"{kind[:60]}/{words[:60]}/{header.vocabulary}")


def _adapted_width(header: Header) -> int:
    """The embedding length of the models an adapter can belong to, by a tensor that reads from it; 0 unknown."""
    sides = (
        tensor.shape[0]
        for tensor in header.tensors
        if tensor.name.endswith(_READ_EMBEDDINGS) and tensor.shape
    )
    return next((side for side in sides if 1 < side < _LARGEST), 0)


def projector_widths(header: Header) -> tuple[int, ...]:
    """Embedding lengths that a projector may write to: each kind of projector keeps it elsewhere.

    Older ones have the width of CLIP itself as their projection_dim, so the sides of the projecting tensors count
    too ("mm.…", clip.cpp `clip_n_mmproj_embd`).
    """
    said = (header.number(f"clip.{part}.projection_dim") for part in ("vision", "audio"))
    sides = [
        side
        for tensor in header.tensors
        if tensor.name.startswith("mm.")
        for side in (tensor.shape[:2] if len(tensor.shape) < 3 else ())
    ]
    widths = dict.fromkeys(width for width in (*said, *sides) if 1 < width < 1 << 24)
    return tuple(widths)[:_WIDTHS]


def _clean(text: str) -> str:
    """Printable characters only, cut."""
    kept = text[: 4 * _TEXT]
    if kept.isprintable():
        return kept[:_TEXT].strip()
    return "".join(character if character.isprintable() else " " for character in kept)[:_TEXT].strip()


def _file_name(path: str) -> str:
    return os.path.basename(path)[:_TEXT]
