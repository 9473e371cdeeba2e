"""What a model takes beside its weights and its cache: the results of a batch, its vocabulary, the process itself.

The results are those that llama.cpp's allocator keeps alive together for one row of logits; each constant was
fitted to real loads (`tests/benchmarks/memory.py` prints how near that comes).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from models.cache import MOST_NUMBER, cache_rows, columns, rows
from models.gguf import Header, Skipped, Tensor

_PROCESS = 52 << 20
"""Bytes of a worker without a model: Python, llama.cpp, what they read."""
_TOKEN = 220
"""Bytes for each token of a vocabulary: its text, its place, its candidate, its logit."""
_MERGE = 130
"""Bytes for each merge rule of a vocabulary."""
_UNKNOWN_VOCABULARY = 150_000


def vocabulary_bytes(header: Header) -> int:
    """The process, and the vocabulary in it."""
    tokens = min(header.vocabulary, MOST_NUMBER) or _UNKNOWN_VOCABULARY
    found = header.metadata.get("tokenizer.ggml.merges")
    merges = found.count if isinstance(found, Skipped) else len(found) if isinstance(found, tuple) else 0
    return _PROCESS + tokens * _TOKEN + min(merges, MOST_NUMBER) * _MERGE


@dataclass(frozen=True, slots=True)
class Widths:
    """Numbers for each token: of the model, its queries, its keys, what is between two layers' halves; and heads."""

    model: int
    queries: int
    keys: int
    between: int
    heads: int


def widths(header: Header, layers: list[dict[str, Tensor]]) -> Widths:
    """The widest of each over all layers."""
    arch = header.architecture
    model = max(
        (columns(t) for layer in layers for n, t in layer.items() if n == "attn_norm.weight"), default=0
    )
    queries = max(
        (
            rows(layer.get(n))
            for layer in layers
            for n in ("attn_q.weight", "attn_qkv.weight", "attn_q_b.weight")
        ),
        default=0,
    )
    latent = max((rows(layer.get("attn_k_b.weight")) for layer in layers), default=0)
    keys = max((sum(cache_rows(layer)) // 2 for layer in layers), default=0)
    used = max(0, min(header.number(f"{arch}.expert_used_count"), 64))
    between = max((_between(layer, model, used) for layer in layers), default=0)
    heads = max(1, min(header.number(f"{arch}.attention.head_count"), 1 << 10))
    return Widths(model, max(queries, latent), keys, between, heads)


def _between(layer: Mapping[str, Tensor], model: int, used: int) -> int:
    """Numbers for each token between the halves of a layer: gate, up and their product."""
    down = layer.get("ffn_down.weight") or layer.get("ffn_down_shexp.weight")
    numbers = 3 * (columns(down) if down is not None else rows(layer.get("ffn_up.weight")))
    experts = layer.get("ffn_up_exps.weight") or layer.get("ffn_gate_up_exps.weight")
    if experts is not None and len(experts.shape) > 1:
        each = experts.shape[1]
        numbers += max(3 * used * each, used * each + 2 * used * model) + 4 * experts.shape[-1]
    if "ssm_out.weight" in layer:
        numbers = max(numbers, 5 * columns(layer["ssm_out.weight"]))
    return numbers


def results_bytes(sizes: Widths, masks: int, cells: int, batch: int, flash_attention: bool) -> int:
    """The largest set of results that are alive together, in bytes, and the masks of attention.

    `masks`: cells of all masks there are; `cells`: of the cache.
    """
    halves = (4 * sizes.model + sizes.between, 2 * sizes.queries + 2 * sizes.keys + 4 * sizes.model)
    scores = 0 if flash_attention else cells * sizes.heads
    return batch * (2 * masks + 4 * (max(halves) + scores + 16))
