"""LoRA adapters in llama.cpp. Belongs to the binding, `llama`."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Sequence
from typing import Any

from models.runtime.llama import Context, LoadRefused, Model
from models.runtime.llama import library as C


def load_adapter(model: Model, path: str) -> Any:
    """The adapter of a file, which lives as long as the model. Raises `LoadRefused`; the words are in the `Log`."""
    adapter = C.llama_adapter_lora_init(model.pointer, os.fsencode(path))
    if not adapter:  # to use it would end the process
        raise LoadRefused
    return adapter


def is_activated(adapter: Any) -> bool:
    """Whether it works only after certain words ("activated LoRA"), which nothing here would say."""
    return int(C.llama_adapter_get_alora_n_invocation_tokens(adapter)) > 0


def set_adapters(context: Context, adapters: Sequence[Any], strengths: Sequence[float]) -> None:
    """From now on compute with these and no others. What is in the KV cache was computed with the ones before."""
    count = len(adapters)
    pointers = (C.llama_adapter_lora_p_ctypes * count)(*adapters)
    if C.llama_set_adapters_lora(context.pointer, pointers, count, (ctypes.c_float * count)(*strengths)):
        raise LoadRefused
