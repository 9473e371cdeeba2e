"""How much memory a model takes, where it fits, and how fast it will write: arithmetic over a GGUF header.

The one estimate there is: for files that are still on a hub, and for the worker that is about to load one. What is
estimated is the peak of the worker's resident memory (`VmHWM` on Linux), mapped weights included: the cache is
exact, the rest from above. `tests/benchmarks/memory.py` compares it with what real workers took.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from models.buffers import Widths, results_bytes, vocabulary_bytes, widths
from models.cache import (
    MOST_LAYERS,
    MOST_NUMBER,
    cache_rows,
    row_bytes,
    state_bytes,
    window_of,
    windowed_layers,
)
from models.gguf import Header, Tensor, layer_tensors
from models.repacking import staging_bytes

BATCH = 512

GPU_RESERVE = 512 << 20
"""Bytes of a GPU that are left to the screen and to what the driver takes."""

SLOW = 5.0
"""Tokens a second below which a person reads faster than the model writes."""


class Verdict(StrEnum):
    """Where a model would run."""

    GPU = "gpu"
    PARTLY_GPU = "partly_gpu"
    CPU = "cpu"  # no GPU, and the memory is enough
    SLOW = "slow"  # it fits, and writes more slowly than a person reads
    WONT_FIT = "wont_fit"


@dataclass(frozen=True, slots=True)
class Options:
    """Tokens of context, the types of the KV cache, and whether windows are kept whole (to go back in them).

    `batch`: tokens that are evaluated at once.
    """

    context: int
    k_type: str = "F16"
    v_type: str = "F16"
    whole_windows: bool = True
    flash_attention: bool = True
    batch: int = BATCH


@dataclass(frozen=True, slots=True)
class Layer:
    """Bytes of one layer. `read`: of its weights, for each token; less than all where experts take turns."""

    weights: int
    cache: int
    read: int


@dataclass(frozen=True, slots=True)
class Estimate:
    """Bytes. `embedding` stays on the CPU; `output` counts as one more layer when layers go to a GPU.

    `staging`: the largest tensor that is laid out anew, which is in memory twice meanwhile. `besides`: the process
    and the vocabulary. `rough`: from a header without tensors, so that layers are only shares of the file.
    """

    layers: tuple[Layer, ...]
    embedding: int
    output: int
    output_read: int
    compute: int
    rough: bool
    besides: int = 96 << 20
    staging: int = 0

    @property
    def weights(self) -> int:
        return self.embedding + self.output + sum(layer.weights for layer in self.layers)

    @property
    def cache(self) -> int:
        """KV cache and recurrent states."""
        return sum(layer.cache for layer in self.layers)

    @property
    def total(self) -> int:
        return self.weights + max(self.cache + self.compute, self.staging) + self.besides

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
    window = window_of(header)
    windowed = windowed_layers(header) if window else ()
    short = cells if options.whole_windows else min(cells, math.ceil((window + options.batch) / 256) * 256)
    layers = layer_tensors(header)
    if not layers:
        return _rough(header, options, cells)
    found = []
    in_use: dict[bool, int] = {}  # with a window and without: each has a mask of its own
    for number, layer in enumerate(layers):
        sees_window = number < len(windowed) and windowed[number]
        length = short if sees_window else cells
        keys, values = cache_rows(layer)
        if keys:
            in_use[sees_window] = length
        cache = length * (row_bytes(keys, options.k_type) + row_bytes(values, options.v_type))
        weights = sum(tensor.size for tensor in layer.values())
        found.append(Layer(weights, cache + state_bytes(header, layer), _read_bytes(header, layer)))
    beside = {tensor.name: tensor for tensor in header.tensors if not tensor.name.startswith("blk.")}
    embedding = sum(tensor.size for name, tensor in beside.items() if name.startswith("token_embd"))
    output = sum(tensor.size for tensor in beside.values()) - embedding
    # Without a matrix of its own for the output, the one of the embedding is read for each token.
    tied = embedding if "output.weight" not in beside else 0
    return Estimate(
        tuple(found),
        embedding,
        output,
        output + tied,
        _compute(widths(header, layers), sum(in_use.values()), cells, options),
        rough=False,
        besides=vocabulary_bytes(header),
        staging=staging_bytes(header),
    )


def judge(needs: Estimate, machine: Machine) -> Judgement:
    """Where a model fits on a machine, as many layers on the GPU as fit there, and how fast it will be."""
    count = len(needs.layers) + 1
    gpu_layers = next((n for n in range(count, 0, -1) if gpu_bytes(needs, n) <= machine.gpu_free), 0)
    on_gpu = gpu_bytes(needs, gpu_layers) if gpu_layers else 0
    weights_and_cache = needs.weights + needs.cache
    moved = on_gpu - needs.compute - GPU_RESERVE if gpu_layers else 0
    in_memory = weights_and_cache - moved + needs.compute + needs.besides
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


def gpu_bytes(needs: Estimate, gpu_layers: int) -> int:
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


def _read_bytes(header: Header, layer: Mapping[str, Tensor]) -> int:
    """Bytes of weights read for one token: of the experts, only those that take part."""
    arch = header.architecture
    experts = header.number(f"{arch}.expert_count")
    used = header.number(f"{arch}.expert_used_count")
    share = used / experts if 0 < used <= experts else 1.0
    return sum(
        int(tensor.size * share) if "_exps." in name else tensor.size for name, tensor in layer.items()
    )


def _compute(sizes: Widths, masks: int, cells: int, options: Options) -> int:
    batch = min(max(1, options.batch), max(1, options.context))
    return results_bytes(sizes, masks, cells, batch, options.flash_attention)


# ---- a header that was too long to be read to its tensors


def _rough(header: Header, options: Options, cells: int) -> Estimate:
    """From the metadata alone: equal layers, and the size of the file for the weights."""
    arch = header.architecture

    def number(name: str) -> int:
        return max(0, min(header.number(f"{arch}.{name}"), MOST_NUMBER))

    count = max(1, min(number("block_count"), MOST_LAYERS))
    heads = max(1, number("attention.head_count"))
    kv_heads = number("attention.head_count_kv") or heads
    head = number("embedding_length") // heads
    keys = kv_heads * (number("attention.key_length") or head)
    values = kv_heads * (number("attention.value_length") or head)
    cache = cells * (row_bytes(keys, options.k_type) + row_bytes(values, options.v_type))
    weights = header.file_bytes // count
    experts, used = number("expert_count"), number("expert_used_count")
    read = weights * used // experts if 0 < used <= experts else weights
    width = number("embedding_length")
    between = 3 * number("feed_forward_length") + used * (
        3 * number("expert_feed_forward_length") + 2 * width
    )
    sizes = Widths(width, heads * (keys // kv_heads), keys, between, heads)
    layers = (Layer(weights, cache, read),) * count
    compute = _compute(sizes, 2 * cells, cells, options)
    return Estimate(layers, 0, 0, 0, compute, rough=True, besides=vocabulary_bytes(header))
