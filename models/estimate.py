"""How much memory a model takes, where it fits, and how fast it will write: arithmetic over a GGUF header.

For choosing among files that are still on a hub. What decides at the end is llama.cpp itself when it loads one.
The formulas are those of llama.cpp's allocator for a batch of 512 tokens with one row of logits, checked against
real loads in the tests: the cache exactly, the buffers from above.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from models.fit import cache_rows
from models.ggml_types import BLOCKS
from models.gguf import Header, Tensor, layer_tensors

BATCH = 512
BESIDES = 96 << 20
"""Bytes for Python, the vocabulary and llama.cpp itself."""

GPU_RESERVE = 512 << 20
"""Bytes of a GPU that are left to the screen and to what the driver takes."""

SLOW = 5.0
"""Tokens a second below which a person reads faster than the model writes."""

_MOST_LAYERS = 1 << 12
_MOST_NUMBER = 1 << 24
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


class Verdict(StrEnum):
    """Where a model would run."""

    GPU = "gpu"
    PARTLY_GPU = "partly_gpu"
    CPU = "cpu"  # no GPU, and the memory is enough
    SLOW = "slow"  # it fits, and writes more slowly than a person reads
    WONT_FIT = "wont_fit"


@dataclass(frozen=True, slots=True)
class Options:
    """Tokens of context, the types of the KV cache, and whether windows are kept whole (to go back in them)."""

    context: int
    k_type: str = "F16"
    v_type: str = "F16"
    whole_windows: bool = True
    flash_attention: bool = True


@dataclass(frozen=True, slots=True)
class Layer:
    """Bytes of one layer. `read`: of its weights, for each token; less than all where experts take turns."""

    weights: int
    cache: int
    read: int


@dataclass(frozen=True, slots=True)
class Estimate:
    """Bytes. `embedding` stays on the CPU; `output` counts as one more layer when layers go to a GPU.

    `rough`: from a header without tensors, so that layers are only shares of the file.
    """

    layers: tuple[Layer, ...]
    embedding: int
    output: int
    output_read: int
    compute: int
    rough: bool

    @property
    def weights(self) -> int:
        return self.embedding + self.output + sum(layer.weights for layer in self.layers)

    @property
    def cache(self) -> int:
        """KV cache and recurrent states."""
        return sum(layer.cache for layer in self.layers)

    @property
    def total(self) -> int:
        return self.weights + self.cache + self.compute + BESIDES

    @property
    def read_per_token(self) -> int:
        """Bytes of weights that each token is made of."""
        return self.output_read + sum(layer.read for layer in self.layers)


@dataclass(frozen=True, slots=True)
class Machine:
    """Free bytes and measured bytes a second; 0 where there is no GPU, or nothing was measured."""

    memory_free: int
    memory_bandwidth: float = 0.0
    gpu_free: int = 0
    gpu_bandwidth: float = 0.0


@dataclass(frozen=True, slots=True)
class Judgement:
    """Where it fits, with the numbers. `gpu_layers` counts the output as one more layer.

    Tokens a second at the start of a conversation and with a full context; None when no bandwidth is known.
    """

    verdict: Verdict
    gpu_layers: int
    layers: int
    gpu_bytes: int
    memory_bytes: int
    tokens_per_second: float | None
    tokens_per_second_full: float | None


def estimate(header: Header, options: Options) -> Estimate:
    """What a model takes. Raises ValueError for a type of cache that ggml does not have."""
    cells = max(256, math.ceil(options.context / 256) * 256)
    window = _window(header)
    windowed = _windowed_layers(header, window) if window else ()
    short = cells if options.whole_windows else min(cells, math.ceil((window + BATCH) / 256) * 256)
    layers = layer_tensors(header)
    if not layers:
        return _rough(header, options, cells)
    found = []
    in_use: dict[bool, int] = {}  # with a window and without: each has a mask of its own
    for number, layer in enumerate(layers):
        sees_window = number < len(windowed) and windowed[number]
        rows = short if sees_window else cells
        keys, values = cache_rows(layer)
        if keys:
            in_use[sees_window] = rows
        cache = rows * (_row_bytes(keys, options.k_type) + _row_bytes(values, options.v_type))
        weights = sum(tensor.size for tensor in layer.values())
        found.append(Layer(weights, cache + _state_bytes(header, layer), _read_bytes(header, layer)))
    beside = {tensor.name: tensor for tensor in header.tensors if not tensor.name.startswith("blk.")}
    embedding = sum(tensor.size for name, tensor in beside.items() if name.startswith("token_embd"))
    output = sum(tensor.size for tensor in beside.values()) - embedding
    # Without a matrix of its own for the output, the one of the embedding is read for each token.
    tied = embedding if "output.weight" not in beside else 0
    compute = _compute(_widths(header, layers), sum(in_use.values()), cells, options)
    return Estimate(tuple(found), embedding, output, output + tied, compute, rough=False)


def judge(needs: Estimate, machine: Machine) -> Judgement:
    """Where a model fits on a machine, as many layers on the GPU as fit there, and how fast it will be."""
    count = len(needs.layers) + 1
    gpu_layers = next((n for n in range(count, 0, -1) if _on_gpu(needs, n) <= machine.gpu_free), 0)
    on_gpu = _on_gpu(needs, gpu_layers) if gpu_layers else 0
    weights_and_cache = needs.weights + needs.cache
    moved = on_gpu - needs.compute - GPU_RESERVE if gpu_layers else 0
    in_memory = weights_and_cache - moved + needs.compute + BESIDES
    speeds = [_speed(needs, machine, gpu_layers, full) for full in (False, True)]
    if in_memory > machine.memory_free:
        verdict = Verdict.WONT_FIT
    elif speeds[0] is not None and speeds[0] < SLOW:
        verdict = Verdict.SLOW
    elif gpu_layers == count:
        verdict = Verdict.GPU
    else:
        verdict = Verdict.PARTLY_GPU if gpu_layers else Verdict.CPU
    return Judgement(verdict, gpu_layers, count, on_gpu, in_memory, speeds[0], speeds[1])


def _on_gpu(needs: Estimate, gpu_layers: int) -> int:
    """Bytes on the GPU: llama.cpp puts the last layers there, the output first of all."""
    moved = needs.layers[len(needs.layers) - (gpu_layers - 1) :]
    # A tied embedding is copied there to serve as the output.
    output = max(needs.output, needs.output_read)
    return output + sum(layer.weights + layer.cache for layer in moved) + needs.compute + GPU_RESERVE


def _speed(needs: Estimate, machine: Machine, gpu_layers: int, full: bool) -> float | None:
    """Tokens a second: each reads its weights once, and the cache as far as it is filled."""
    first = len(needs.layers) - max(0, gpu_layers - 1)
    read = [layer.read + (layer.cache if full else 0) for layer in needs.layers]
    output = needs.output_read
    on_gpu = sum(read[first:]) + (output if gpu_layers else 0)
    on_cpu = sum(read[:first]) + (0 if gpu_layers else output)
    if (on_gpu and machine.gpu_bandwidth <= 0) or (on_cpu and machine.memory_bandwidth <= 0):
        return None
    seconds = (on_gpu / machine.gpu_bandwidth if on_gpu else 0.0) + (
        on_cpu / machine.memory_bandwidth if on_cpu else 0.0
    )
    return 1 / seconds if seconds > 0 else None


# ---- the cache


def _row_bytes(numbers: int, kind: str) -> int:
    if kind not in _BLOCK_OF:
        raise ValueError(kind)
    elements, size = _BLOCK_OF[kind]
    return math.ceil(numbers / elements) * size


def _window(header: Header) -> int:
    arch = header.architecture
    window = header.number(f"{arch}.attention.sliding_window")
    return window if 0 < window <= _MOST_NUMBER else 0


def _windowed_layers(header: Header, window: int) -> tuple[bool, ...]:
    """Which layers see only the window; none when nothing says so, which takes more memory, never less."""
    arch = header.architecture
    pattern = header.metadata.get(f"{arch}.attention.sliding_window_pattern", _PATTERNS.get(arch, 0))
    layers = min(header.number(f"{arch}.block_count"), _MOST_LAYERS)
    if isinstance(pattern, tuple):
        return tuple(bool(value) for value in pattern)
    if isinstance(pattern, int) and pattern > 1:
        return tuple(number % pattern < pattern - 1 for number in range(layers))
    return ()


def _state_bytes(header: Header, layer: Mapping[str, Tensor]) -> int:
    """The state of a recurrent layer, as 32-bit numbers: it does not grow with the conversation."""
    arch = header.architecture
    if "ssm_conv1d.weight" in layer and "ssm_out.weight" in layer:
        kernel, channels = (*layer["ssm_conv1d.weight"].shape, 1)[:2]
        state = min(header.number(f"{arch}.ssm.state_size"), 1 << 12)
        return 4 * ((kernel - 1) * channels + max(0, state) * layer["ssm_out.weight"].shape[0])
    if any(name.startswith("time_mix_") for name in layer):
        width = max(tensor.shape[0] for tensor in layer.values() if tensor.shape)
        return 4 * width * (min(max(0, header.number(f"{arch}.wkv.head_size")), 1 << 12) + 2)
    return 0


def _read_bytes(header: Header, layer: Mapping[str, Tensor]) -> int:
    """Bytes of weights read for one token: of the experts, only those that take part."""
    arch = header.architecture
    experts = header.number(f"{arch}.expert_count")
    used = header.number(f"{arch}.expert_used_count")
    share = used / experts if 0 < used <= experts else 1.0
    return sum(
        int(tensor.size * share) if "_exps." in name else tensor.size for name, tensor in layer.items()
    )


# ---- the buffers of a batch


@dataclass(frozen=True, slots=True)
class _Widths:
    """Numbers for each token: of the model, its queries, its keys, what is between two layers' halves; and heads."""

    model: int
    queries: int
    keys: int
    between: int
    heads: int


def _widths(header: Header, layers: list[dict[str, Tensor]]) -> _Widths:
    arch = header.architecture
    model = max(
        (t.shape[0] for layer in layers for n, t in layer.items() if n == "attn_norm.weight"), default=0
    )
    queries = max(
        (
            _rows(layer.get(n))
            for layer in layers
            for n in ("attn_q.weight", "attn_qkv.weight", "attn_q_b.weight")
        ),
        default=0,
    )
    keys = max((sum(cache_rows(layer)) // 2 for layer in layers), default=0)
    used = max(0, min(header.number(f"{arch}.expert_used_count"), 64))
    between = 0
    for layer in layers:
        dense = max(
            (_rows(layer.get(n)) for n in ("ffn_up.weight", "ffn_gate.weight", "ffn_up_shexp.weight")),
            default=0,
        )
        experts = layer.get("ffn_up_exps.weight")
        if experts is not None and len(experts.shape) > 1:
            dense += used * (experts.shape[1] + model) + experts.shape[-1]
        inner = layer["ssm_out.weight"].shape[0] if "ssm_out.weight" in layer else 0
        between = max(between, dense, 2 * inner)
    heads = max(1, min(header.number(f"{arch}.attention.head_count"), 1 << 10))
    return _Widths(model, queries, keys, between, heads)


def _compute(widths: _Widths, masks: int, cells: int, options: Options) -> int:
    """The largest set of intermediate results that are alive together, in bytes, and the masks of attention."""
    batch = min(BATCH, max(1, options.context))
    halves = (4 * widths.model + 3 * widths.between, 2 * widths.queries + 2 * widths.keys + 4 * widths.model)
    scores = 0 if options.flash_attention else cells * widths.heads
    return batch * (2 * masks + 4 * (max(halves) + scores + 16))


def _rows(tensor: Tensor | None) -> int:
    return math.prod(tensor.shape[1:]) if tensor is not None else 0


# ---- a header that was too long to be read to its tensors


def _rough(header: Header, options: Options, cells: int) -> Estimate:
    """From the metadata alone: equal layers, and the size of the file for the weights."""
    arch = header.architecture

    def number(name: str) -> int:
        return max(0, min(header.number(f"{arch}.{name}"), _MOST_NUMBER))

    count = max(1, min(number("block_count"), _MOST_LAYERS))
    heads = max(1, number("attention.head_count"))
    kv_heads = number("attention.head_count_kv") or heads
    head = number("embedding_length") // heads
    keys = kv_heads * (number("attention.key_length") or head)
    values = kv_heads * (number("attention.value_length") or head)
    cache = cells * (_row_bytes(keys, options.k_type) + _row_bytes(values, options.v_type))
    weights = header.file_bytes // count
    experts, used = number("expert_count"), number("expert_used_count")
    read = weights * used // experts if 0 < used <= experts else weights
    between = number("feed_forward_length") + used * (
        number("expert_feed_forward_length") + number("embedding_length")
    )
    widths = _Widths(number("embedding_length"), heads * (keys // kv_heads), keys, between, heads)
    layers = (Layer(weights, cache, read),) * count
    return Estimate(layers, 0, 0, 0, _compute(widths, 2 * cells, cells, options), rough=True)
