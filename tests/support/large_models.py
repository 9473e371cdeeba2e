"""Models as large as people use them, in files that take no room: every weight is zero and the disk stores none of it.

They load, and take the memory that a model with other weights takes; what they write is nonsense.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from gguf import GGMLQuantizationType, GGUFWriter, TokenType
from gguf.constants import GGML_QUANT_SIZES
from support.gguf_families import _layer
from support.gguf_files import CHATML, CONTROL, _byte_characters

Shapes = dict[str, tuple[int, ...]]


@dataclass(frozen=True)
class Large:
    """One model. `kind`: ggml's name of the type of its matrices; `embedding_kind`: of the two with a vocabulary."""

    architecture: str = "llama"
    width: int = 1024
    heads: int = 16
    kv_heads: int = 4
    head: int = 64
    between: int = 4096
    layers: int = 12
    words: int = 32_000
    kind: str = "F16"
    embedding_kind: str = "F16"
    window: int = 0
    experts: int = 0
    tied: bool = False
    context: int = 32_768


def write_large(path: Path, model: Large) -> Path:
    """Write it: a header, and a hole as long as its weights."""
    writer = GGUFWriter(path, model.architecture)
    for name, number in _numbers(model).items():
        writer.add_uint32(f"{model.architecture}.{name}", number)
    writer.add_float32(f"{model.architecture}.attention.layer_norm_rms_epsilon", 1e-5)
    writer.add_name("Large model without weights")
    writer.add_chat_template(CHATML)
    size = _add_vocabulary(writer, model.words)
    shapes: Shapes = {"token_embd.weight": (size, model.width), "output_norm.weight": (model.width,)}
    if not model.tied:
        shapes["output.weight"] = (size, model.width)
    for layer in range(model.layers):
        shapes |= {f"blk.{layer}.{name}": shape for name, shape in _parts(model, layer).items()}
    total = 0
    for name, shape in shapes.items():
        kind = _kind(model, name, shape)
        elements, block = GGML_QUANT_SIZES[kind]
        count = math.prod(shape) // elements * block
        total += GGUFWriter.ggml_pad(count, writer.data_alignment)
        writer.add_tensor_info(name, shape, np.dtype(np.float32), count, kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    writer.close()
    start = GGUFWriter.ggml_pad(os.path.getsize(path), writer.data_alignment)
    os.truncate(path, start + total)
    return path


def _add_vocabulary(writer: GGUFWriter, words: int) -> int:
    """As that of a large model: every word was merged from two shorter ones."""
    tokens = [*_byte_characters(), *CONTROL, *(f"word{number}" for number in range(words))]
    kinds = [TokenType.NORMAL] * 256 + [TokenType.CONTROL] * len(CONTROL) + [TokenType.NORMAL] * words
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(tokens)
    writer.add_token_types([int(kind) for kind in kinds])
    writer.add_token_merges([f"wo{number // 10} rd{number % 10}" for number in range(words)])
    writer.add_eos_token_id(256 + CONTROL.index("<|im_end|>"))
    writer.add_bos_token_id(256)
    writer.add_add_bos_token(False)
    return len(tokens)


def _kind(model: Large, name: str, shape: tuple[int, ...]) -> GGMLQuantizationType:
    small = "ssm_" in name and "ssm_in" not in name and "ssm_out" not in name
    if len(shape) == 1 or small or "inp" in name:
        return GGMLQuantizationType.F32
    beside = not name.startswith("blk.")
    return GGMLQuantizationType[model.embedding_kind if beside else model.kind]


def _numbers(model: Large) -> Mapping[str, int]:
    numbers = {
        "block_count": model.layers, "context_length": model.context, "embedding_length": model.width,
        "feed_forward_length": model.between, "attention.head_count": model.heads,
        "attention.head_count_kv": model.kv_heads,
    }  # fmt: skip
    if model.architecture == "mamba":
        inner = 2 * model.width
        return numbers | {
            "ssm.conv_kernel": 4, "ssm.inner_size": inner, "ssm.state_size": 16,
            "ssm.time_step_rank": model.width // 16, "attention.head_count": 0, "feed_forward_length": 0,
        }  # fmt: skip
    if model.architecture == "deepseek2":
        return numbers | {
            "attention.key_length": 512 + 64, "attention.value_length": 512,
            "attention.key_length_mla": model.head + 64, "attention.value_length_mla": model.head,
            "attention.q_lora_rank": 768, "attention.kv_lora_rank": 512, "rope.dimension_count": 64,
            "attention.head_count_kv": 1, "leading_dense_block_count": 1, "expert_count": model.experts,
            "expert_used_count": 4, "expert_feed_forward_length": model.between // 4, "expert_shared_count": 1,
            "expert_gating_func": 1, "vocab_size": 256 + len(CONTROL) + model.words,
        }  # fmt: skip
    numbers |= {
        "attention.key_length": model.head, "attention.value_length": model.head, "rope.dimension_count": model.head
    }  # fmt: skip
    if model.window:
        numbers["attention.sliding_window"] = model.window
    if model.experts:
        numbers |= {"expert_count": model.experts, "expert_used_count": 2}
    if model.architecture == "qwen3moe":
        numbers |= {"expert_used_count": 8, "expert_feed_forward_length": model.between}
    return numbers


def _parts(model: Large, layer: int) -> Shapes:
    if model.architecture == "mamba":
        return _mamba(model.width)
    if model.architecture == "deepseek2":
        return _latent(model, dense=layer == 0)
    return _layer(
        model.architecture.removesuffix("moe"), model.width, model.heads * model.head, model.kv_heads * model.head,
        model.head, model.between, model.experts,
    )  # fmt: skip


def _mamba(width: int) -> Shapes:
    inner, rank, state = 2 * width, width // 16, 16
    return {
        "attn_norm.weight": (width,), "ssm_in.weight": (2 * inner, width), "ssm_conv1d.weight": (inner, 4),
        "ssm_conv1d.bias": (inner,), "ssm_x.weight": (rank + 2 * state, inner), "ssm_dt.weight": (inner, rank),
        "ssm_dt.bias": (inner,), "ssm_a": (inner, state), "ssm_d": (inner,), "ssm_out.weight": (width, inner),
    }  # fmt: skip


def _latent(model: Large, dense: bool) -> Shapes:
    """A layer with multi-head latent attention: keys and values come from one narrow row."""
    width, heads, head, rank, rope = model.width, model.heads, model.head, 512, 64
    parts: Shapes = {
        "attn_norm.weight": (width,), "attn_q_a.weight": (768, width),
        "attn_q_a_norm.weight": (768,), "attn_q_b.weight": (heads * (head + rope), 768),
        "attn_kv_a_mqa.weight": (rank + rope, width), "attn_kv_a_norm.weight": (rank,),
        "attn_k_b.weight": (heads, rank, head), "attn_v_b.weight": (heads, head, rank),
        "attn_output.weight": (width, heads * head), "ffn_norm.weight": (width,),
    }  # fmt: skip
    if dense:
        wide, narrow = (model.between, width), (width, model.between)
        return parts | {"ffn_gate.weight": wide, "ffn_up.weight": wide, "ffn_down.weight": narrow}
    each = model.between // 4
    parts["ffn_gate_inp.weight"] = (model.experts, width)
    for name, shape in (("gate", (each, width)), ("up", (each, width)), ("down", (width, each))):
        parts[f"ffn_{name}_exps.weight"] = (model.experts, *shape)
        parts[f"ffn_{name}_shexp.weight"] = shape
    return parts
