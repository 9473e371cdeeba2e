"""The devices llama.cpp can compute on. Belongs to the binding, `llama`."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass

from models.runtime.llama import ggml


@dataclass(frozen=True, slots=True)
class Device:
    """A device llama.cpp can compute on. Memory in bytes."""

    name: str  # "CUDA0"
    description: str  # the driver's name for it
    is_gpu: bool
    free_bytes: int
    total_bytes: int
    integrated: bool = False  # it has no memory of its own


def devices() -> list[Device]:
    """Every device found. The CPU is one of them; its free memory is not to be believed (it says all of it)."""
    count = ggml("ggml_backend_dev_count", ctypes.c_size_t)()
    get = ggml("ggml_backend_dev_get", ctypes.c_void_p, ctypes.c_size_t)
    return [_device(get(index)) for index in range(count)]


def has_gpu_support() -> bool:
    """Whether this build holds any backend for a GPU, present or not."""
    count = ggml("ggml_backend_reg_count", ctypes.c_size_t)()
    get = ggml("ggml_backend_reg_get", ctypes.c_void_p, ctypes.c_size_t)
    name = ggml("ggml_backend_reg_name", ctypes.c_char_p, ctypes.c_void_p)
    return any(name(get(index)) not in (b"CPU", b"BLAS", b"RPC") for index in range(count))


def _device(pointer: int) -> Device:
    free, total = ctypes.c_size_t(), ctypes.c_size_t()
    memory = ggml("ggml_backend_dev_memory", None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p)
    memory(pointer, ctypes.byref(free), ctypes.byref(total))
    text = [
        ggml(f"ggml_backend_dev_{what}", ctypes.c_char_p, ctypes.c_void_p)(pointer).decode("utf-8", "replace")
        for what in ("name", "description")
    ]
    kind = ggml("ggml_backend_dev_type", ctypes.c_int, ctypes.c_void_p)(pointer)
    # enum ggml_backend_dev_type: 1 is a GPU, 2 one that shares the machine's memory
    return Device(text[0], text[1], kind in (1, 2), free.value, total.value, kind == 2)
