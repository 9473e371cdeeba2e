"""With how long a context is a model loaded, and does it fit into this machine's memory? Asked of the estimate."""

from __future__ import annotations

from dataclasses import dataclass

from models.estimate import BATCH, Estimate, Options, estimate
from models.gguf import Header
from models.runtime.faults import Fault, RuntimeFault
from models.runtime.values import LoadOptions

LONGEST_AUTOMATIC_CONTEXT = 8_192
_SHORTEST_AUTOMATIC_CONTEXT = 2_048
_SHORTEST_CONTEXT = 256


@dataclass(frozen=True, slots=True)
class Fit:
    """The context a model is loaded with and the bytes it will take, of which `cache_bytes` is the KV cache."""

    context_tokens: int
    need_bytes: int
    cache_bytes: int
    needs: Estimate


def needs_of(header: Header, options: LoadOptions, context_tokens: int) -> Estimate:
    """The estimate for a model as the worker loads it: windows are kept whole, and one row of logits is made."""
    kind = options.cache_type.value.upper()
    flash = options.flash_attention is not False
    batch = options.batch_tokens or BATCH
    return estimate(header, Options(context_tokens, kind, kind, flash_attention=flash, batch=batch))


def choose_fit(header: Header, options: LoadOptions, free_bytes: int, *, whole: bool = False) -> Fit:
    """The context for a model: what was asked for, or as much as fits up to 8,192 tokens, or with `whole` all of that.

    It is never longer than the model was trained for, or its positions are stretched to. Raises `RuntimeFault`
    NOT_ENOUGH_MEMORY (facts: need_bytes, free_bytes, context_tokens) when even the shortest does not fit.
    """
    trained = int(header.number(f"{header.architecture}.context_length") * max(1.0, options.rope_stretch))
    longest = max(_SHORTEST_CONTEXT, trained) if trained > 0 else LONGEST_AUTOMATIC_CONTEXT
    if options.context_tokens is not None:
        wanted = max(_SHORTEST_CONTEXT, min(options.context_tokens, longest))
        choices = [wanted]
    else:
        wanted = min(longest, LONGEST_AUTOMATIC_CONTEXT)
        choices = [
            wanted // part
            for part in ((1,) if whole else (1, 2, 4))
            if part == 1 or wanted // part >= _SHORTEST_AUTOMATIC_CONTEXT
        ]
    fits = [_fit(header, options, tokens) for tokens in choices]
    for fit in fits:
        if fit.need_bytes <= free_bytes:
            return fit
    raise RuntimeFault(
        Fault.NOT_ENOUGH_MEMORY,
        facts={
            "need_bytes": fits[-1].need_bytes,
            "free_bytes": free_bytes,
            "context_tokens": fits[-1].context_tokens,
        },
    )


def _fit(header: Header, options: LoadOptions, tokens: int) -> Fit:
    needs = needs_of(header, options, tokens)
    return Fit(tokens, needs.total, needs.cache, needs)
