"""Loading what guesses ahead for a model: nothing much, or a second, smaller model in the same process."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from models.fit import choose_fit
from models.gguf import read_header
from models.hardware import Threads, read_machine, usable_memory
from models.runtime import llama
from models.runtime.faults import Fault, RuntimeFault
from models.runtime.protocol import Report, Stage
from models.runtime.speculation import Drafter, DraftModel, PromptLookup
from models.runtime.values import LoadOptions, Speculation

_BYTES_PER_SECOND = 100_000_000  # generously, for the deadline
_OTHER_TOKENS = 128
"""By how much the sizes of two vocabularies may differ: makers fill them up to round numbers."""


def make_drafter(
    model: llama.Model,
    context: llama.Context,
    options: LoadOptions,
    gpu_layers: int,
    threads: Threads,
    interrupt: llama.Interrupt,
    send: Callable[[Report], None],
) -> Drafter | None:
    """What guesses for a loaded model; None when nothing should, or when its cache can't take a wrong guess back.

    Raises `RuntimeFault` DRAFT_UNUSABLE or DRAFT_OF_ANOTHER_VOCABULARY (fact `draft`: the file's name), or
    NOT_ENOUGH_MEMORY.
    """
    if options.speculation is Speculation.OFF or not _can_go_back(context):
        return None
    if options.speculation is Speculation.LOOKUP:
        return PromptLookup()
    name = Path(options.draft).name
    try:
        header = read_header(options.draft)
    except RuntimeFault as fault:
        raise RuntimeFault(Fault.DRAFT_UNUSABLE, str(fault), {"draft": name}) from fault
    free = usable_memory(read_machine())
    wanted = replace(options, context_tokens=context.tokens, speculation=Speculation.OFF)
    tokens = choose_fit(header, wanted, free).context_tokens
    send(Stage("weights", header.file_bytes / _BYTES_PER_SECOND))
    try:
        draft = llama.Model(options.draft, wanted, gpu_layers, lambda _: not interrupt.is_set)
    except llama.LoadRefused:
        if interrupt.is_set:
            raise RuntimeFault(Fault.LOAD_CANCELLED) from None
        raise RuntimeFault(Fault.DRAFT_UNUSABLE, "llama.cpp refused it", {"draft": name}) from None
    try:
        if not _same_words(model.vocabulary, draft.vocabulary):
            raise RuntimeFault(Fault.DRAFT_OF_ANOTHER_VOCABULARY, facts={"draft": name})
        try:
            guessing = draft.new_context(tokens, wanted, threads.generation, threads.prompt, interrupt)
        except llama.LoadRefused:
            raise RuntimeFault(Fault.DRAFT_UNUSABLE, "llama.cpp made no context", {"draft": name}) from None
    except RuntimeFault:
        draft.close()
        raise
    return DraftModel(draft, guessing, model.vocabulary.size)


def _can_go_back(context: llama.Context) -> bool:
    """Whether tokens can be taken out of the cache again: recurrent models only have their newest state."""
    try:
        return context.decode([0, 0]) is llama.Decoded.DONE and context.cut(1)
    finally:
        context.clear()


def _same_words(one: llama.Vocabulary, other: llama.Vocabulary) -> bool:
    if one.kind != other.kind or abs(one.size - other.size) > _OTHER_TOKENS:
        return False
    common = range(min(one.size, other.size))
    return all(one.text(token) == other.text(token) for token in common)
