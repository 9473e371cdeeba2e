"""How llama-cpp-python is compiled for this machine.

Every flag is a config setting of the build, because uv keeps compiled wheels under a key made of exactly these:
two machines or two flag sets that share a cache never get each other's wheel.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from launcher import machine

PACKAGE = "llama-cpp-python"
WITHOUT_COMMON = "set(LLAMA_BUILD_COMMON OFF)\n"
MEMORY_PER_COMPILER = 1_000_000_000  # bytes; g++ takes up to 0.8 GB for one file of llama.cpp


class Backend(NamedTuple):
    """What computes: "cpu", "cuda" or "metal"; the settings of its build; and why it is this one, as a sentence."""

    name: str
    settings: Mapping[str, str]
    reason: str


def choose(*, gpu: str, nvcc: str, cpu_only: bool, system: str = sys.platform) -> Backend:
    """The build for this machine. `gpu` is the NVIDIA GPU's name or "", `nvcc` CUDA's compiler or ""."""
    if system == "darwin":
        return Backend("metal", {}, "Metal comes with macOS.")
    if cpu_only:
        return Backend("cpu", {}, "The CPU build was asked for.")
    if gpu and nvcc:
        return Backend(
            "cuda", {"GGML_CUDA": "ON", "CMAKE_CUDA_COMPILER": nvcc}, f"{gpu} and {nvcc} are here."
        )
    if gpu:
        return Backend(
            "cpu",
            {},
            f"{gpu} is here, but CUDA's compiler (nvcc) is not. To use the GPU, install the CUDA toolkit, "
            "then: python3 run.py setup",
        )
    return Backend("cpu", {}, "No NVIDIA GPU was found.")


def config_settings(backend: Backend, include: Path, gpu: str) -> dict[str, str]:
    """All settings of the build, by their names in scikit-build-core. `include`: see `without_common`."""
    made_for = [machine.built_for()] + ([machine.digest(gpu)] if backend.name == "cuda" else [])
    return (
        {f"cmake.define.{name}": value for name, value in backend.settings.items()}
        | {
            "cmake.define.LLAVA_BUILD": "ON",  # mtmd: models that see images
            "cmake.define.MTMD_VIDEO": "OFF",  # it would start another program, ffmpeg, for what it can't read itself
            "cmake.define.CMAKE_PROJECT_llama.cpp_INCLUDE": include.as_posix(),
            # CMake ignores this one; it makes the key of the cached wheel name the machine that it was compiled for.
            "cmake.define.ALCOVE_BUILT_FOR": "-".join(made_for),
        }
    )


def recorded_settings(file: Path) -> dict[str, str]:
    """What uv wrote down (uv_build.json) about the build of an installed package."""
    recorded = json.loads(file.read_text(encoding="utf-8")).get("config_settings", {})
    return {str(name): str(value) for name, value in recorded.items()}


def without_common(cache: Path) -> Path:
    """A CMake file that leaves out llama.cpp's command-line helpers: half of the compiling, and used by none of it.

    The binding's own CMake file forces them on; this hook of CMake's runs after that. It lies in uv's cache
    because its path is part of the key of the cached wheel, and has to stay when the checkout moves.
    """
    include = cache / "alcove-llama-cpp.cmake"
    if not include.exists() or include.read_text() != WITHOUT_COMMON:
        include.parent.mkdir(parents=True, exist_ok=True)
        include.write_text(WITHOUT_COMMON)
    return include


def processor_name() -> str:
    """What the processor calls itself, where the system tells."""
    return machine.cpuinfo("model name") or platform.processor() or platform.machine()


def nvidia_gpu() -> str:
    """The name of the first NVIDIA GPU that its driver reports, or ""."""
    program = shutil.which("nvidia-smi")
    if not program:
        return ""
    command = [program, "--query-gpu=name", "--format=csv,noheader"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip().splitlines()[0] if done.returncode == 0 and done.stdout.strip() else ""


def cuda_compiler() -> str:
    """The path of nvcc, on PATH or where CUDA's installers put it, or ""."""
    name = "nvcc.exe" if sys.platform == "win32" else "nvcc"
    folders = [os.environ.get("CUDA_PATH", ""), os.environ.get("CUDA_HOME", ""), "/usr/local/cuda"]
    places = [Path(folder, "bin", name) for folder in folders if folder]
    found = shutil.which(name) or next((str(place) for place in places if place.exists()), "")
    return Path(found).as_posix() if found else ""


def parallel_compilers(cores: int, memory: int) -> int:
    """How many compilers may run at once, for `memory` bytes of RAM."""
    return max(1, min(cores, memory // MEMORY_PER_COMPILER))


def memory() -> int:
    """Bytes of RAM; where nobody says, plenty."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return sys.maxsize
