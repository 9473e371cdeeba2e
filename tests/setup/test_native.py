"""llama-cpp-python is compiled for the machine at hand, and never mistaken for a build for another."""

from __future__ import annotations

from pathlib import Path

import pytest

from launcher import native
from launcher.native import Backend, choose

GPU, NVCC = "NVIDIA H200", "/usr/local/cuda/bin/nvcc"


@pytest.mark.parametrize(
    ("gpu", "nvcc", "cpu_only", "system", "expected"),
    [
        ("", "", False, "linux", "cpu"),
        ("", NVCC, False, "linux", "cpu"),
        (GPU, "", False, "linux", "cpu"),
        (GPU, NVCC, False, "linux", "cuda"),
        (GPU, NVCC, True, "linux", "cpu"),
        (GPU, NVCC, False, "win32", "cuda"),
        ("", "", False, "darwin", "metal"),
    ],
)
def test_the_gpu_is_used_when_it_and_its_compiler_are_here(
    gpu: str, nvcc: str, cpu_only: bool, system: str, expected: str
) -> None:
    assert choose(gpu=gpu, nvcc=nvcc, cpu_only=cpu_only, system=system).name == expected


def test_a_gpu_without_its_compiler_is_explained() -> None:
    reason = choose(gpu=GPU, nvcc="", cpu_only=False, system="linux").reason
    assert GPU in reason
    assert "python3 run.py setup" in reason


def test_builds_for_different_machines_never_share_a_cached_wheel(tmp_path: Path) -> None:
    include = native.without_common(tmp_path)
    cpu = native.config_settings(Backend("cpu", {}, ""), include, "")
    cuda = native.config_settings(Backend("cuda", {"GGML_CUDA": "ON"}, ""), include, GPU)
    other = native.config_settings(Backend("cuda", {"GGML_CUDA": "ON"}, ""), include, "NVIDIA A2")
    assert len({tuple(sorted(settings.items())) for settings in (cpu, cuda, other)}) == 3
    assert cuda["cmake.define.GGML_CUDA"] == "ON"


@pytest.mark.parametrize(("cores", "gigabytes", "expected"), [(2, 16, 2), (64, 16, 16), (8, 4, 4), (4, 0, 1)])
def test_compilers_are_no_more_than_memory_holds(cores: int, gigabytes: int, expected: int) -> None:
    assert native.parallel_compilers(cores, gigabytes * 1_000_000_000) == expected
