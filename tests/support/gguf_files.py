"""Small GGUF files written for tests: whole ones that load in milliseconds, odd ones, and damaged ones.

The weights are random, so a model made here writes nonsense; everything else about it is as in a real file.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from gguf import GGUFWriter, TokenType

CHATML = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
CONTROL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
ENDLESS_TEMPLATE = (
    "{% for a in range(99999) %}{% for b in range(99999) %}{% for c in range(99999) %}"
    "{% if a == -1 %}{{ messages }}{% endif %}{% endfor %}{% endfor %}{% endfor %}"
)

_WIDTH, _HEADS, _KV_HEADS, _HEAD, _FEED_FORWARD = 64, 2, 1, 32, 128


def write_model(
    path: Path,
    *,
    architecture: str = "llama",
    template: str | None = CHATML,
    context: int = 512,
    layers: int = 2,
    words: int = 0,
    control: tuple[str, ...] = CONTROL,
    numbers: Mapping[str, int] | None = None,
    seed: int = 1,
    half: bool = False,
    split: tuple[int, int] | None = None,
) -> Path:
    """A whole model. `words`: extra vocabulary. `numbers`: metadata that replaces or joins what is true.
    `split`: the number of this file, from 0, and how many files it says there are.

    `half`: its matrices are F16, as in the files that smaller versions are made from; F32 else. The names in
    `numbers` are without the architecture: "block_count", "pooling_type".
    """
    writer = GGUFWriter(path, architecture)
    true_numbers = {
        "block_count": layers,
        "context_length": context,
        "embedding_length": _WIDTH,
        "feed_forward_length": _FEED_FORWARD,
        "attention.head_count": _HEADS,
        "attention.head_count_kv": _KV_HEADS,
    }
    for name, number in {**true_numbers, **(numbers or {})}.items():
        writer.add_uint32(f"{architecture}.{name}", number)
    writer.add_float32(f"{architecture}.attention.layer_norm_rms_epsilon", 1e-5)
    writer.add_name("Tiny test model")
    writer.add_file_type(1 if half else 0)
    if split is not None:
        writer.add_uint16("split.no", split[0])
        writer.add_uint16("split.count", split[1])
    if template is not None:
        writer.add_chat_template(template)
    size = _add_vocabulary(writer, words, control)
    for name, tensor in _tensors(size, layers, seed):
        writer.add_tensor(name, tensor.astype(np.float16) if half and tensor.ndim > 1 else tensor)
    _write(writer)
    return path


def write_recurrent_model(path: Path, context: int = 2048) -> Path:
    """A model of the Mamba family: it holds one state, and cannot go back to an earlier one."""
    writer = GGUFWriter(path, "mamba")
    inner, state, rank, kernel = 2 * _WIDTH, 16, 4, 4
    numbers = {
        "block_count": 2,
        "context_length": context,
        "embedding_length": _WIDTH,
        "feed_forward_length": 0,
    }
    numbers |= {"attention.head_count": 0, "ssm.conv_kernel": kernel, "ssm.inner_size": inner}
    numbers |= {"ssm.state_size": state, "ssm.time_step_rank": rank}
    for name, number in numbers.items():
        writer.add_uint32(f"mamba.{name}", number)
    writer.add_float32("mamba.attention.layer_norm_rms_epsilon", 1e-5)
    writer.add_name("Tiny recurrent model")
    writer.add_chat_template(CHATML)
    size = _add_vocabulary(writer, 0, CONTROL)
    dice = np.random.default_rng(3)
    shapes: dict[str, tuple[int, ...]] = {
        "token_embd.weight": (size, _WIDTH),
        "output_norm.weight": (_WIDTH,),
    }
    for layer in range(2):
        parts: dict[str, tuple[int, ...]] = {
            "attn_norm.weight": (_WIDTH,), "ssm_in.weight": (2 * inner, _WIDTH), "ssm_conv1d.weight": (inner, kernel),
            "ssm_conv1d.bias": (inner,), "ssm_x.weight": (rank + 2 * state, inner), "ssm_dt.weight": (inner, rank),
            "ssm_dt.bias": (inner,), "ssm_a": (inner, state), "ssm_d": (inner,), "ssm_out.weight": (_WIDTH, inner),
        }  # fmt: skip
        shapes |= {f"blk.{layer}.{name}": shape for name, shape in parts.items()}
    for name, shape in shapes.items():
        values = dice.normal(0, 0.3, shape).astype(np.float32)
        writer.add_tensor(name, -np.abs(values) if name.endswith("ssm_a") else values)
    _write(writer)
    return path


def write_encoder(path: Path) -> Path:
    """An embedding model of the BERT family, which no conversation can be had with."""
    writer = GGUFWriter(path, "bert")
    for name, number in (("block_count", 1), ("context_length", 128), ("embedding_length", _WIDTH)):
        writer.add_uint32(f"bert.{name}", number)
    writer.add_uint32("bert.pooling_type", 1)
    writer.add_bool("bert.attention.causal", False)
    writer.add_name("Tiny encoder")
    _add_vocabulary(writer, 0, CONTROL)
    writer.add_tensor("token_embd.weight", np.zeros((8, _WIDTH), np.float32))
    _write(writer)
    return path


def _write(writer: GGUFWriter) -> None:
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _add_vocabulary(writer: GGUFWriter, words: int, control: tuple[str, ...]) -> int:
    """Bytes as GPT-2 writes them, so that any text can be tokenized; then control tokens; then made-up words."""
    tokens = [*_byte_characters(), *control, *(f"word{number}" for number in range(words))]
    kinds = [TokenType.NORMAL] * 256 + [TokenType.CONTROL] * len(control) + [TokenType.NORMAL] * words
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(tokens)
    writer.add_token_types([int(kind) for kind in kinds])
    writer.add_token_merges(["h e", "l l"])
    writer.add_eos_token_id(256 + control.index("<|im_end|>") if "<|im_end|>" in control else 256)
    writer.add_bos_token_id(256)
    writer.add_add_bos_token(False)
    return len(tokens)


def _byte_characters() -> list[str]:
    """The character GPT-2 writes for each byte: itself where it can be seen, else one from U+0100 on."""
    visible = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    hidden = iter(range(256, 512))
    return [chr(byte) if byte in visible else chr(next(hidden)) for byte in range(256)]


def _tensors(vocabulary: int, layers: int, seed: int) -> Iterator[tuple[str, np.ndarray]]:
    random_numbers = np.random.default_rng(seed)

    def matrix(rows: int, columns: int) -> np.ndarray:
        return random_numbers.normal(0, 0.08, (rows, columns)).astype(np.float32)

    yield "token_embd.weight", matrix(vocabulary, _WIDTH)
    yield "output_norm.weight", np.ones(_WIDTH, np.float32)
    yield "output.weight", matrix(vocabulary, _WIDTH)
    for layer in range(layers):
        name = f"blk.{layer}."
        yield name + "attn_norm.weight", np.ones(_WIDTH, np.float32)
        yield name + "attn_q.weight", matrix(_HEADS * _HEAD, _WIDTH)
        yield name + "attn_k.weight", matrix(_KV_HEADS * _HEAD, _WIDTH)
        yield name + "attn_v.weight", matrix(_KV_HEADS * _HEAD, _WIDTH)
        yield name + "attn_output.weight", matrix(_WIDTH, _HEADS * _HEAD)
        yield name + "ffn_norm.weight", np.ones(_WIDTH, np.float32)
        yield name + "ffn_gate.weight", matrix(_FEED_FORWARD, _WIDTH)
        yield name + "ffn_up.weight", matrix(_FEED_FORWARD, _WIDTH)
        yield name + "ffn_down.weight", matrix(_WIDTH, _FEED_FORWARD)


# ---- damage


@dataclass(frozen=True)
class Damaged:
    """One damaged file. `what` says how, for the message of a test that fails."""

    path: Path
    what: str


_ABSURD_NUMBERS = (0, 1, 3, 513, 4097, 10**9, 2**31 - 1, 2**31, 2**32 - 1)
_ABSURD_FLOATS = (float("nan"), float("inf"), -1.0, 0.0, 1e38)


def damaged_files(folder: Path, whole: Path, count: int, seed: int) -> Iterator[Damaged]:
    """`count` files, each damaged in one way: cut, bits flipped, a number made absurd, a stretch overwritten.

    The same seed gives the same files. Each is deleted once the next is asked for, so that a large model can be
    damaged many times.
    """
    original = whole.read_bytes()
    header = _header_size(whole)
    ways = (
        _cut,
        _cut_in_header,
        _flip_bits,
        _absurd_number,
        _absurd_number,
        _zeroes,
        _garbage,
        _absurd_count,
    )
    dice = random.Random(seed)
    for number in range(count):
        way = ways[number % len(ways)]
        data, what = way(bytearray(original), header, dice)
        path = folder / f"damaged-{seed}-{number:03}.gguf"
        path.write_bytes(data)
        yield Damaged(path, f"{whole.name} {number}: {what}")
        path.unlink()


def _header_size(path: Path) -> int:
    from models.gguf import read_header

    return read_header(str(path)).data_start


def _cut(data: bytearray, header: int, dice: random.Random) -> tuple[bytearray, str]:
    size = dice.randrange(header, len(data))
    return data[:size], f"cut to {size} bytes"


def _cut_in_header(data: bytearray, header: int, dice: random.Random) -> tuple[bytearray, str]:
    size = dice.randrange(0, header)
    return data[:size], f"cut to {size} bytes of its header"


def _flip_bits(data: bytearray, header: int, dice: random.Random) -> tuple[bytearray, str]:
    places = [dice.randrange(header) for _ in range(dice.choice((1, 1, 4, 32)))]
    for place in places:
        data[place] ^= 1 << dice.randrange(8)
    return data, f"bits flipped at {places}"


def _absurd_number(data: bytearray, header: int, dice: random.Random) -> tuple[bytearray, str]:
    """Set one of the model's own numbers: block_count, head_count, epsilon, …"""
    places = list(_scalar_places(bytes(data[:header])))
    name, place, is_float = dice.choice(places)
    value: float = dice.choice(_ABSURD_FLOATS) if is_float else dice.choice(_ABSURD_NUMBERS)
    struct.pack_into("<f" if is_float else "<I", data, place, value)
    return data, f"{name} = {value}"


def _scalar_places(header: bytes) -> Iterator[tuple[str, int, bool]]:
    """Where the 32-bit numbers of the metadata lie, found by their names."""
    for name in _NUMBER_NAMES:
        found = header.find(name)
        if found < 0:
            continue
        start = found + len(name)
        (kind,) = struct.unpack_from("<I", header, start)
        if kind in (4, 5, 6):
            yield name.decode(), start + 4, kind == 6


_NUMBER_NAMES = (
    b".block_count", b".context_length", b".embedding_length", b".feed_forward_length", b".attention.head_count",
    b".attention.head_count_kv", b".attention.layer_norm_rms_epsilon", b".rope.dimension_count", b".rope.freq_base",
    b".vocab_size", b"general.file_type", b"ggml.bos_token_id", b"ggml.eos_token_id", b"ggml.padding_token_id",
    b"general.alignment",
)  # fmt: skip


def _zeroes(data: bytearray, header: int, dice: random.Random) -> tuple[bytearray, str]:
    return _overwrite(data, header, dice, lambda size: bytes(size), "zeroes")


def _garbage(data: bytearray, header: int, dice: random.Random) -> tuple[bytearray, str]:
    return _overwrite(data, header, dice, dice.randbytes, "random bytes")


def _overwrite(
    data: bytearray, header: int, dice: random.Random, make: Callable[[int], bytes], what: str
) -> tuple[bytearray, str]:
    inside = dice.random() < 0.7
    start = dice.randrange(4, header) if inside else dice.randrange(header, len(data))
    size = min(dice.choice((16, 256, 4096)), len(data) - start)
    data[start : start + size] = make(size)
    return data, f"{size} {what} at {start}"


def _absurd_count(data: bytearray, header: int, dice: random.Random) -> tuple[bytearray, str]:
    """The number of tensors (at byte 8) or of metadata entries (at byte 16)."""
    place = dice.choice((8, 16))
    (count,) = struct.unpack_from("<Q", data, place)
    value = dice.choice((0, count - 1, count + 1, count * 2, 2**31, 2**63, 2**64 - 1))
    struct.pack_into("<Q", data, place, value)
    return data, f"count at {place} = {value}"


# ---- what goes with a model


def write_adapter(
    path: Path,
    *,
    architecture: str = "llama",
    width: int = _WIDTH,
    tensors: tuple[str, ...] = ("blk.0.ffn_up.weight", "blk.1.ffn_up.weight"),
    rank: int = 4,
    size: float = 0.5,
    seed: int = 5,
    kind: str = "adapter",
    adapter: str = "lora",
) -> Path:
    """A LoRA adapter for `write_model`'s weights. `size`: how large its numbers are, and so what it changes."""
    writer = GGUFWriter(path, architecture)
    writer.add_string("general.type", kind)
    writer.add_string("adapter.type", adapter)
    writer.add_float32("adapter.lora.alpha", float(rank))
    writer.add_name("Tiny adapter")
    dice = np.random.default_rng(seed)
    for name in tensors:
        rows = _FEED_FORWARD if "ffn_up" in name else _WIDTH
        writer.add_tensor(f"{name}.lora_a", (dice.normal(0, 1, (rank, width)) * size).astype(np.float32))
        writer.add_tensor(f"{name}.lora_b", (dice.normal(0, 1, (rows, rank)) * size).astype(np.float32))
    _write(writer)
    return path
