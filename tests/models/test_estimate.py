"""What a model takes and where it fits is known from its header: the cache exactly, the rest never too little.

Compared with real loads: llama.cpp's own log says what it allocated.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.gguf_families import write_family
from support.gguf_files import write_recurrent_model
from support.workers import starter

from models.estimate import (
    GPU_RESERVE,
    Estimate,
    Layer,
    Machine,
    Options,
    Verdict,
    estimate,
    judge,
)
from models.gguf import Header, read_header

GB = 1 << 30
LOADER = Path(__file__).parents[1] / "support" / "load_sizes.py"

MODELS: dict[str, Callable[[Path], Path]] = {
    "starter": lambda path: starter(),
    "llama": lambda path: write_family(path, width=256, between=512),
    "llama with wide heads": lambda path: write_family(path, width=128, heads=16, head=128),
    "qwen2": lambda path: write_family(path, "qwen2", width=128, between=512, tied=True),
    "qwen3": lambda path: write_family(path, "qwen3", heads=8, kv_heads=8),
    "gemma3": lambda path: write_family(path, "gemma3", window=512, layers=12, tied=True),
    "mixtral": lambda path: write_family(path, width=128, experts=8),
    "phi3": lambda path: write_family(path, "phi3", width=128, heads=4, kv_heads=4, tied=False),
    "mamba": lambda path: write_recurrent_model(path),
}


def loaded(path: Path, options: Options) -> dict[str, float]:
    arguments = [str(path), str(options.context), str(options.whole_windows), options.k_type]
    found = subprocess.run([sys.executable, str(LOADER), *arguments], capture_output=True, text=True)
    assert found.returncode == 0, found.stderr
    sizes: dict[str, float] = json.loads(found.stdout)
    return sizes


@pytest.mark.parametrize("context", [512, 2048, 8192])
@pytest.mark.parametrize("name", MODELS)
def test_cache_and_buffers_are_what_llama_cpp_allocates(tmp_path: Path, name: str, context: int) -> None:
    path = MODELS[name](tmp_path / "model.gguf")
    for whole_windows in (True, False) if name == "gemma3" else (True,):
        options = Options(context, whole_windows=whole_windows)
        found, real = estimate(read_header(str(path)), options), loaded(path, options)
        assert found.cache == pytest.approx(real["cache"], abs=16 << 10)  # the log has two decimals of a MiB
        assert real["compute"] - (16 << 10) <= found.compute <= 1.6 * real["compute"] + (2 << 20)


def test_a_smaller_type_makes_the_cache_as_much_smaller_as_in_a_real_load(tmp_path: Path) -> None:
    path = write_family(tmp_path / "model.gguf", layers=8)
    options = Options(8192, k_type="Q8_0")
    assert estimate(read_header(str(path)), options).cache == loaded(path, options)["cache"]
    with pytest.raises(ValueError):
        estimate(read_header(str(path)), Options(8192, k_type="Q17"))


def test_weights_are_all_tensors_and_experts_that_do_not_take_part_are_not_read(tmp_path: Path) -> None:
    header = read_header(str(write_family(tmp_path / "moe.gguf", experts=8, between=256)))
    needs = estimate(header, Options(2048))
    assert needs.weights == header.weight_bytes
    experts = sum(tensor.size for tensor in header.tensors if "_exps" in tensor.name)
    others = needs.output + sum(layer.weights for layer in needs.layers) - experts
    assert needs.read_per_token == others + experts // 4
    tied = estimate(read_header(str(write_family(tmp_path / "tied.gguf", tied=True))), Options(2048))
    assert tied.output_read > tied.embedding > tied.output  # the embedding is read to make the logits


def test_a_header_without_tensors_still_gives_a_rough_estimate(tmp_path: Path) -> None:
    header = read_header(str(starter()))
    whole = estimate(header, Options(8192))
    rough = estimate(replace(header, tensors=()), Options(8192))
    assert rough.rough and not whole.rough
    assert rough.cache == whole.cache
    assert 0.95 * whole.total < rough.total < 1.1 * whole.total


# ---- verdicts

NEEDS = Estimate(
    layers=(Layer(weights=GB, cache=GB // 4, read=GB),) * 8,
    embedding=GB // 2,
    output=GB // 2,
    output_read=GB // 2,
    compute=64 << 20,
    rough=False,
)


def test_a_model_that_fits_the_gpu_runs_there_and_at_its_speed() -> None:
    found = judge(NEEDS, Machine(16 * GB, 50e9, 24 * GB, 500e9))
    assert (found.verdict, found.gpu_layers, found.layers) == (Verdict.GPU, 9, 9)
    assert found.tokens_per_second == pytest.approx(500e9 / (8.5 * GB))
    assert found.tokens_per_second_full == pytest.approx(500e9 / (10.5 * GB))
    assert found.gpu_bytes == 10 * GB + GB // 2 + (64 << 20) + GPU_RESERVE
    assert found.memory_bytes == GB // 2 + (64 << 20) + NEEDS.besides


def test_as_many_layers_as_fit_go_to_a_smaller_gpu() -> None:
    found = judge(NEEDS, Machine(16 * GB, 50e9, 6 * GB, 500e9))
    assert found.verdict is Verdict.PARTLY_GPU and found.gpu_layers == 4  # the output and three layers
    assert found.gpu_bytes <= 6 * GB < found.gpu_bytes + NEEDS.layers[0].weights + NEEDS.layers[0].cache
    assert found.tokens_per_second == pytest.approx(1 / (3.5 * GB / 500e9 + 5 * GB / 50e9))


def test_without_a_gpu_memory_decides_and_speed_says_whether_it_is_slow() -> None:
    assert judge(NEEDS, Machine(16 * GB, 100e9)).verdict is Verdict.CPU
    assert judge(NEEDS, Machine(16 * GB, 20e9)).verdict is Verdict.SLOW
    unknown = judge(NEEDS, Machine(16 * GB))
    assert unknown.verdict is Verdict.CPU and unknown.tokens_per_second is None
    assert judge(NEEDS, Machine(8 * GB, 100e9)).verdict is Verdict.WONT_FIT


sizes = st.integers(0, 1 << 40)


@given(
    st.lists(st.tuples(sizes, sizes), max_size=60),
    sizes,
    sizes,
    sizes,
    st.floats(0, 1e12),
    st.floats(0, 1e12),
)
def test_no_verdict_puts_more_somewhere_than_is_free(
    layers: list[tuple[int, int]], beside: int, memory: int, gpu: int, bandwidth: float, gpu_bandwidth: float
) -> None:
    parts = tuple(Layer(weights, cache, weights) for weights, cache in layers)
    needs = Estimate(parts, beside, beside, beside, beside, rough=False)
    found = judge(needs, Machine(memory, bandwidth, gpu, gpu_bandwidth))
    assert found.gpu_bytes <= gpu
    assert found.verdict is Verdict.WONT_FIT or found.memory_bytes <= memory
    assert found.gpu_bytes + found.memory_bytes >= needs.total


@given(st.dictionaries(st.sampled_from([
    "block_count", "embedding_length", "attention.head_count", "attention.head_count_kv", "attention.key_length",
    "attention.sliding_window", "attention.sliding_window_pattern", "expert_count", "expert_used_count",
    "feed_forward_length", "ssm.state_size"]), st.integers(-(1 << 63), 1 << 64)), st.booleans())  # fmt: skip
def test_absurd_numbers_make_no_absurd_estimate(numbers: dict[str, int], with_tensors: bool) -> None:
    header = read_header(str(starter()))
    architecture = header.architecture
    metadata = {**header.metadata, **{f"{architecture}.{name}": number for name, number in numbers.items()}}
    odd = Header(3, False, metadata, header.tensors if with_tensors else (), 0, header.file_bytes)
    needs = estimate(odd, Options(4096))
    assert needs.cache >= 0 and 0 < needs.total < 1 << 80
    judge(needs, Machine(8 * GB, 1e10, 8 * GB, 1e11))
