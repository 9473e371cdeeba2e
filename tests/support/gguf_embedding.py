"""A small embedding model of the BERT family, whole enough to be loaded, and what it should compute, in plain numpy."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from gguf import GGUFWriter, TokenType

WORDS = ("the", "cat", "dog", "sat", "ran", "on", "mat", "far", ".")
_SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
CLS, SEP = 2, 3
_WIDTH, _HEADS, _BETWEEN, _EPSILON = 64, 4, 128, 1e-12

Weights = dict[str, np.ndarray]


def write_bert(path: Path, *, layers: int = 2, context: int = 64, pooling: int | None = 1) -> Weights:
    """Write the file. Returns its weights. `pooling`: llama.h's number (1 mean, 2 CLS); None: the file says none."""
    writer = GGUFWriter(path, "bert")
    writer.add_name("Tiny embedder")
    writer.add_context_length(context)
    writer.add_embedding_length(_WIDTH)
    writer.add_feed_forward_length(_BETWEEN)
    writer.add_block_count(layers)
    writer.add_head_count(_HEADS)
    writer.add_layer_norm_eps(_EPSILON)
    writer.add_causal_attention(False)
    if pooling is not None:
        writer.add_uint32("bert.pooling_type", pooling)
    tokens = [*_SPECIAL, *(f"\u2581{word}" for word in WORDS)]
    kinds = [TokenType.CONTROL] * len(_SPECIAL) + [TokenType.NORMAL] * len(WORDS)
    writer.add_tokenizer_model("bert")
    writer.add_token_list(tokens)
    writer.add_token_types([int(kind) for kind in kinds])
    writer.add_token_type_count(2)
    writer.add_pad_token_id(0)
    writer.add_unk_token_id(1)
    writer.add_bos_token_id(CLS)
    writer.add_sep_token_id(SEP)
    writer.add_mask_token_id(4)
    weights = _weights(len(tokens), layers, context)
    for name, tensor in weights.items():
        writer.add_tensor(name, tensor)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return weights


def _weights(vocabulary: int, layers: int, context: int) -> Weights:
    dice = np.random.default_rng(7)
    shapes: dict[str, tuple[int, ...]] = {
        "token_embd.weight": (vocabulary, _WIDTH), "token_types.weight": (2, _WIDTH),
        "position_embd.weight": (context, _WIDTH),
        "token_embd_norm.weight": (_WIDTH,), "token_embd_norm.bias": (_WIDTH,),
    }  # fmt: skip
    parts = {
        "attn_q": (_WIDTH, _WIDTH), "attn_k": (_WIDTH, _WIDTH), "attn_v": (_WIDTH, _WIDTH),
        "attn_output": (_WIDTH, _WIDTH), "ffn_up": (_BETWEEN, _WIDTH), "ffn_down": (_WIDTH, _BETWEEN),
        "attn_output_norm": (_WIDTH,), "layer_output_norm": (_WIDTH,),
    }  # fmt: skip
    for layer in range(layers):
        for name, shape in parts.items():
            shapes[f"blk.{layer}.{name}.weight"] = shape
            shapes[f"blk.{layer}.{name}.bias"] = shape[:1]
    return {
        name: dice.normal(1 if "norm.weight" in name else 0, 0.3, shape).astype(np.float32)
        for name, shape in shapes.items()
    }


def expected_vector(weights: Weights, text: str, layers: int = 2) -> np.ndarray:
    """The vector of a text of `WORDS`, pooled by its mean (Devlin et al., "BERT", 2018, section 3)."""
    tokens = [CLS, *(len(_SPECIAL) + WORDS.index(word) for word in text.split()), SEP]
    x = weights["token_embd.weight"][tokens] + weights["token_types.weight"][0]
    x = _normed(x + weights["position_embd.weight"][: len(tokens)], weights, "token_embd_norm")
    for layer in range(layers):
        name = f"blk.{layer}."
        x = _normed(x + _attended(x, weights, name), weights, name + "attn_output_norm")
        up = _linear(x, weights, name + "ffn_up")
        gelu = 0.5 * up * (1 + np.tanh(np.sqrt(2 / np.pi) * (up + 0.044715 * up**3)))
        x = _normed(x + _linear(gelu, weights, name + "ffn_down"), weights, name + "layer_output_norm")
    mean = x.mean(axis=0)
    return np.asarray(mean / np.linalg.norm(mean))


def _linear(x: np.ndarray, weights: Weights, name: str) -> np.ndarray:
    return np.asarray(x @ weights[f"{name}.weight"].T + weights[f"{name}.bias"])


def _normed(x: np.ndarray, weights: Weights, name: str) -> np.ndarray:
    x = (x - x.mean(axis=-1, keepdims=True)) / np.sqrt(x.var(axis=-1, keepdims=True) + _EPSILON)
    return np.asarray(x * weights[f"{name}.weight"] + weights[f"{name}.bias"])


def _attended(x: np.ndarray, weights: Weights, name: str) -> np.ndarray:
    def heads(part: str) -> np.ndarray:
        return _linear(x, weights, name + part).reshape(len(x), _HEADS, -1).swapaxes(0, 1)

    q, k, v = heads("attn_q"), heads("attn_k"), heads("attn_v")
    scores = np.exp(q @ k.swapaxes(1, 2) / np.sqrt(q.shape[-1]))
    mixed = (scores / scores.sum(axis=-1, keepdims=True)) @ v
    return _linear(mixed.swapaxes(0, 1).reshape(len(x), -1), weights, name + "attn_output")
