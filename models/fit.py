"""Does a model fit into this machine's memory, and with how long a context? Arithmetic over a GGUF header.

The sizes come from the shapes of the tensors, not from the numbers in the metadata: tensors have to lie
within the file, so what is computed from them cannot be absurd.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from models.gguf import Header, Tensor, layer_tensors
from models.runtime.faults import Fault, RuntimeFault
from models.runtime.values import CacheType, LoadOptions

LONGEST_AUTOMATIC_CONTEXT = 8_192
_SHORTEST_AUTOMATIC_CONTEXT = 2_048
_SHORTEST_CONTEXT = 256
_CACHE_BYTES = {CacheType.F16: 2.0, CacheType.Q8_0: 34 / 32, CacheType.Q4_0: 18 / 32}
"""Bytes of each number in the KV cache: ggml's blocks of 32 numbers with their scale."""
_BESIDES = 128 << 20
"""Bytes for everything that is neither weights nor cache: buffers of one batch (21 MB for the starter model,
80 MB for one with a vocabulary of 260,000), the vocabulary, Python.
"""


@dataclass(frozen=True, slots=True)
class Fit:
    """The context a model is loaded with and the bytes it will take, of which `cache_bytes` is the KV cache."""

    context_tokens: int
    need_bytes: int
    cache_bytes: int


def cache_bytes_per_token(header: Header, cache_type: CacheType = CacheType.F16) -> float:
    """Bytes of KV cache that each token of context takes, all layers together."""
    return sum(sum(cache_rows(layer)) for layer in layer_tensors(header)) * _CACHE_BYTES[cache_type]


def choose_fit(header: Header, options: LoadOptions, free_bytes: int) -> Fit:
    """The context for a model: what was asked for, or as much as fits up to 8,192 tokens.

    It is never longer than the model was trained for. Raises `RuntimeFault` NOT_ENOUGH_MEMORY (facts:
    need_bytes, free_bytes, context_tokens) when even the shortest does not fit.
    """
    trained = header.number(f"{header.architecture}.context_length")
    longest = max(_SHORTEST_CONTEXT, trained) if trained > 0 else LONGEST_AUTOMATIC_CONTEXT
    if options.context_tokens is not None:
        wanted = max(_SHORTEST_CONTEXT, min(options.context_tokens, longest))
        choices = [wanted]
    else:
        wanted = min(longest, LONGEST_AUTOMATIC_CONTEXT)
        choices = [
            wanted // part for part in (1, 2, 4) if part == 1 or wanted // part >= _SHORTEST_AUTOMATIC_CONTEXT
        ]
    per_token = cache_bytes_per_token(header, options.cache_type)
    fits = [_fit(header, tokens, per_token) for tokens in choices]
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


def _fit(header: Header, tokens: int, per_token: float) -> Fit:
    cache = math.ceil(tokens * per_token)
    return Fit(tokens, header.weight_bytes + cache + _BESIDES, cache)


def cache_rows(layer: Mapping[str, Tensor]) -> tuple[int, int]:
    """How many numbers one layer keeps of each token: keys and values, or one latent row for both."""
    if "attn_kv_a_mqa.weight" in layer:  # multi-head latent attention: DeepSeek V2 and later
        return _rows(layer["attn_kv_a_mqa.weight"]), 0
    if "attn_k.weight" in layer:
        values = layer.get("attn_v.weight")
        keys = _rows(layer["attn_k.weight"])
        return keys, _rows(values) if values else keys
    if "attn_qkv.weight" in layer:  # queries are as wide as the model in every family that fuses the three
        fused = layer["attn_qkv.weight"]
        both = max(0, _rows(fused) - fused.shape[0])
        return both - both // 2, both // 2
    return 0, 0  # a recurrent layer: its state does not grow with the conversation


def _rows(tensor: Tensor) -> int:
    return math.prod(tensor.shape[1:])
