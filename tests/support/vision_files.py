"""A projector (mmproj) as LLaVA has them, tiny and with random weights, and images to show through it."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
from gguf import GGUFWriter
from support.gguf_files import CHATML, CONTROL, _add_vocabulary, _tensors, _write

QWEN = "qwen2vl_merger"
STARTER_WIDTH = 576
IMAGE_TOKENS = 16
_PATCH, _SIDE, _WIDTH, _HEADS, _FEED_FORWARD = 14, 4, 32, 2, 64


def write_projector(
    path: Path,
    width: int = STARTER_WIDTH,
    *,
    kind: str = "mlp",
    name: str = "",
    side: int = _SIDE,
    layers: int = 2,
) -> Path:
    """A vision transformer, and two matrices to the `width` of the model it is for. `side`: patches in a row."""
    writer = GGUFWriter(path, "clip")
    writer.add_type("mmproj")
    writer.add_name(name or "Tiny projector")
    writer.add_bool("clip.has_vision_encoder", True)
    writer.add_string("clip.projector_type", kind)
    writer.add_bool("clip.use_gelu", True)
    numbers = {
        "image_size": side * _PATCH, "patch_size": _PATCH, "embedding_length": _WIDTH, "block_count": layers,
        "feed_forward_length": _FEED_FORWARD, "attention.head_count": _HEADS, "projection_dim": width,
    }  # fmt: skip
    for key, number in numbers.items():
        writer.add_uint32(f"clip.vision.{key}", number)
    writer.add_float32("clip.vision.attention.layer_norm_epsilon", 1e-5)
    writer.add_array("clip.vision.image_mean", [0.5, 0.5, 0.5])
    writer.add_array("clip.vision.image_std", [0.5, 0.5, 0.5])
    dice = np.random.default_rng(7)
    shapes = _qwen_shapes(width) if kind == QWEN else _shapes(width, side, layers)
    for tensor, shape in shapes.items():
        values = dice.normal(0, 0.3, shape).astype(np.float32)
        writer.add_tensor(tensor, np.ones(shape, np.float32) if tensor.endswith("ln1.weight") else values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _shapes(width: int, side: int = _SIDE, layers: int = 2) -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {
        "v.patch_embd.weight": (_WIDTH, 3, _PATCH, _PATCH),
        "v.position_embd.weight": (side * side, _WIDTH),
        "v.pre_ln.weight": (_WIDTH,),
        "v.pre_ln.bias": (_WIDTH,),
        "mm.0.weight": (64, _WIDTH),
        "mm.0.bias": (64,),
        "mm.2.weight": (width, 64),
        "mm.2.bias": (width,),
    }
    for layer in range(layers):
        block = f"v.blk.{layer}."
        for part in ("attn_q", "attn_k", "attn_v", "attn_out"):
            shapes |= {f"{block}{part}.weight": (_WIDTH, _WIDTH), f"{block}{part}.bias": (_WIDTH,)}
        for part in ("ln1", "ln2"):
            shapes |= {f"{block}{part}.weight": (_WIDTH,), f"{block}{part}.bias": (_WIDTH,)}
        shapes |= {f"{block}ffn_up.weight": (_FEED_FORWARD, _WIDTH), f"{block}ffn_up.bias": (_FEED_FORWARD,)}
        shapes |= {f"{block}ffn_down.weight": (_WIDTH, _FEED_FORWARD), f"{block}ffn_down.bias": (_WIDTH,)}
    return shapes


def _qwen_shapes(width: int) -> dict[str, tuple[int, ...]]:
    """Two kernels for two frames, positions computed rather than learnt, four patches merged into one row."""
    plain = {
        name: shape
        for name, shape in _shapes(width).items()
        if not name.startswith(("mm.", "v.pos", "v.pre"))
    }
    return plain | {
        "v.patch_embd.weight.1": plain["v.patch_embd.weight"],
        "v.post_ln.weight": (_WIDTH,),
        "v.post_ln.bias": (_WIDTH,),
        "mm.0.weight": (4 * _WIDTH, 4 * _WIDTH),
        "mm.0.bias": (4 * _WIDTH,),
        "mm.2.weight": (width, 4 * _WIDTH),
        "mm.2.bias": (width,),
    }


def write_qwen_model(path: Path) -> Path:
    """A tiny model of the Qwen2-VL family: its positions have several dimensions, so an image takes fewer of them
    than it takes cells of the cache."""
    writer = GGUFWriter(path, "qwen2vl")
    numbers = {
        "block_count": 2, "context_length": 2048, "embedding_length": 64, "feed_forward_length": 128,
        "attention.head_count": 2, "attention.head_count_kv": 1,
    }  # fmt: skip
    for name, number in numbers.items():
        writer.add_uint32(f"qwen2vl.{name}", number)
    writer.add_array("qwen2vl.rope.dimension_sections", [4, 6, 6, 0])
    writer.add_float32("qwen2vl.attention.layer_norm_rms_epsilon", 1e-5)
    writer.add_name("Tiny model with several dimensions")
    writer.add_chat_template(CHATML)
    size = _add_vocabulary(writer, 0, (*CONTROL, "<|vision_start|>", "<|vision_end|>"))
    for name, tensor in _tensors(size, 2, seed=1):
        writer.add_tensor(name, tensor)
        for part in ("attn_q", "attn_k", "attn_v"):
            if part in name:
                writer.add_tensor(name.replace("weight", "bias"), np.zeros(tensor.shape[0], np.float32))
    _write(writer)
    return path


def png(width: int = 40, height: int = 30, colour: tuple[int, int, int] = (255, 0, 0)) -> bytes:
    """A PNG file with one colour on its left half and black on its right."""
    row = b"\0" + bytes(colour) * (width // 2) + bytes(3) * (width - width // 2)
    return png_of(width, height, row * height)


def png_of(width: int, height: int, rows: bytes) -> bytes:
    """A PNG file that claims this size, of these rows (a zero and then three bytes for each pixel)."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body
