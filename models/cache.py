"""What a model keeps of a conversation: rows of keys and values, short ones where a window ends, recurrent states.

The sizes come from the shapes of the tensors, not from the numbers in the metadata: tensors have to lie
within the file, so what is computed from them cannot be absurd.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from models.ggml_types import BLOCKS
from models.gguf import Header, Tensor

MOST_LAYERS = 1 << 12
MOST_NUMBER = 1 << 24
_BLOCK_OF = {name: (elements, size) for name, elements, size in BLOCKS.values()}
_PATTERNS = {
    "gemma2": 2,
    "gemma3": 6,
    "gemma3n": 5,
    "cohere2": 4,
    "gpt-oss": 2,
    "exaone4": 4,
    "smallthinker": 4,
}
"""Every n-th layer sees everything, the others only their window. Source: llama.cpp, where the file does not say."""


def cache_rows(layer: Mapping[str, Tensor]) -> tuple[int, int]:
    """How many numbers one layer keeps of each token: keys and values, or one latent row for both."""
    if "attn_kv_a_mqa.weight" in layer:  # multi-head latent attention: DeepSeek V2 and later
        return rows(layer["attn_kv_a_mqa.weight"]), 0
    if "attn_k.weight" in layer:
        values = layer.get("attn_v.weight")
        keys = rows(layer["attn_k.weight"])
        return keys, rows(values) if values else keys
    if "attn_qkv.weight" in layer:  # queries are as wide as the model in every family that fuses the three
        fused = layer["attn_qkv.weight"]
        both = max(0, rows(fused) - columns(fused))
        return both - both // 2, both // 2
    return 0, 0  # a recurrent layer: its state does not grow with the conversation


def row_bytes(numbers: int, kind: str) -> int:
    """Bytes of one row of a cache. Raises ValueError for a type that ggml does not have."""
    if kind not in _BLOCK_OF:
        raise ValueError(kind)
    elements, size = _BLOCK_OF[kind]
    return math.ceil(numbers / elements) * size


def window_of(header: Header) -> int:
    """Tokens that a layer with a sliding window sees; 0 where no layer has one."""
    window = header.number(f"{header.architecture}.attention.sliding_window")
    return window if 0 < window <= MOST_NUMBER else 0


def windowed_layers(header: Header) -> tuple[bool, ...]:
    """Which layers see only the window; none when nothing says so, which takes more memory, never less."""
    arch = header.architecture
    pattern = header.metadata.get(f"{arch}.attention.sliding_window_pattern", _PATTERNS.get(arch, 0))
    layers = min(header.number(f"{arch}.block_count"), MOST_LAYERS)
    if isinstance(pattern, tuple):
        return tuple(bool(value) for value in pattern)
    if isinstance(pattern, int) and pattern > 1:
        return tuple(number % pattern < pattern - 1 for number in range(layers))
    return ()


def state_bytes(header: Header, layer: Mapping[str, Tensor]) -> int:
    """The state of a recurrent layer, as 32-bit numbers: it does not grow with the conversation."""
    arch = header.architecture
    if "ssm_conv1d.weight" in layer and "ssm_out.weight" in layer:
        kernel, channels = (*layer["ssm_conv1d.weight"].shape, 1)[:2]
        state = min(header.number(f"{arch}.ssm.state_size"), 1 << 12)
        return 4 * ((kernel - 1) * channels + max(0, state) * columns(layer["ssm_out.weight"]))
    if any(name.startswith("time_mix_") for name in layer):
        width = max(tensor.shape[0] for tensor in layer.values() if tensor.shape)
        return 4 * width * (min(max(0, header.number(f"{arch}.wkv.head_size")), 1 << 12) + 2)
    return 0


def columns(tensor: Tensor | None) -> int:
    """How many numbers a matrix takes for one token."""
    return tensor.shape[0] if tensor is not None and tensor.shape else 0


def rows(tensor: Tensor | None) -> int:
    """How many results a matrix gives for one token."""
    return math.prod(tensor.shape[1:]) if tensor is not None else 0
