"""Small models of families that differ in what they keep in memory: sliding windows, experts, wide heads."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from gguf import GGUFWriter
from support.gguf_files import CHATML, CONTROL, _add_vocabulary, _write


def write_family(
    path: Path,
    architecture: str = "llama",
    *,
    width: int = 64,
    heads: int = 4,
    kv_heads: int = 2,
    head: int = 32,
    between: int = 128,
    layers: int = 4,
    context: int = 8192,
    window: int = 0,
    experts: int = 0,
    words: int = 0,
    tied: bool = False,
) -> Path:
    """A whole model with random weights. `architecture`: llama, qwen2, qwen3, gemma3 or phi3."""
    writer = GGUFWriter(path, architecture)
    numbers = {
        "block_count": layers, "context_length": context, "embedding_length": width, "feed_forward_length": between,
        "attention.head_count": heads, "attention.head_count_kv": kv_heads, "attention.key_length": head,
        "attention.value_length": head, "rope.dimension_count": head,
    }  # fmt: skip
    if window:
        numbers["attention.sliding_window"] = window
    if experts:
        numbers |= {"expert_count": experts, "expert_used_count": 2}
    for name, number in numbers.items():
        writer.add_uint32(f"{architecture}.{name}", number)
    writer.add_float32(f"{architecture}.attention.layer_norm_rms_epsilon", 1e-5)
    writer.add_name("Tiny model of a family")
    writer.add_chat_template(CHATML)
    size = _add_vocabulary(writer, words, CONTROL)
    shapes: dict[str, tuple[int, ...]] = {"token_embd.weight": (size, width), "output_norm.weight": (width,)}
    if not tied:
        shapes["output.weight"] = (size, width)
    for layer in range(layers):
        parts = _layer(architecture, width, heads * head, kv_heads * head, head, between, experts)
        shapes |= {f"blk.{layer}.{name}": shape for name, shape in parts.items()}
    _fill(writer, shapes)
    return path


def _fill(writer: GGUFWriter, shapes: dict[str, tuple[int, ...]]) -> None:
    dice = np.random.default_rng(5)
    for name, shape in shapes.items():
        writer.add_tensor(name, dice.normal(0, 0.08, shape).astype(np.float32))
    _write(writer)


def _layer(
    architecture: str, width: int, queries: int, keys: int, head: int, between: int, experts: int
) -> dict[str, tuple[int, ...]]:
    parts: dict[str, tuple[int, ...]] = {
        "attn_norm.weight": (width,), "attn_output.weight": (width, queries), "ffn_norm.weight": (width,),
    }  # fmt: skip
    if architecture == "phi3":
        parts |= {"attn_qkv.weight": (queries + 2 * keys, width), "ffn_up.weight": (2 * between, width)}
        return parts | {"ffn_down.weight": (width, between)}
    parts |= {
        "attn_q.weight": (queries, width),
        "attn_k.weight": (keys, width),
        "attn_v.weight": (keys, width),
    }
    if architecture == "qwen2":
        parts |= {"attn_q.bias": (queries,), "attn_k.bias": (keys,), "attn_v.bias": (keys,)}
    if architecture in ("qwen3", "gemma3"):
        parts |= {"attn_q_norm.weight": (head,), "attn_k_norm.weight": (head,)}
    if architecture == "gemma3":
        parts |= {"post_attention_norm.weight": (width,), "post_ffw_norm.weight": (width,)}
    wide, narrow = (between, width), (width, between)
    if experts:
        parts["ffn_gate_inp.weight"] = (experts, width)
        kinds = {"gate": wide, "up": wide, "down": narrow}
        return parts | {f"ffn_{kind}_exps.weight": (experts, *shape) for kind, shape in kinds.items()}
    return parts | {"ffn_gate.weight": wide, "ffn_up.weight": wide, "ffn_down.weight": narrow}
