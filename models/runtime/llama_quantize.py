"""llama.cpp's quantization, as `llama` has the rest of it: a thin typed layer that decides nothing.

It reports through its log alone, in wordings of llama-quant.cpp (llama-cpp-python 0.3.36): "[ 12/ 272] blk.…" as it
begins a tensor, "quant size = 82.41 MiB" at the end. It runs until it is done: only ending the process stops it.
"""

from __future__ import annotations

import ctypes
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from models.runtime import llama
from models.runtime.llama import library as C

_TENSOR = re.compile(r"\[ *(\d+)/ *(\d+)\] ")
_SIZE = re.compile(r"quant size += +([\d.]+) MiB")
_WANTS_MEASURING = "require an imatrix"
_MOST_MEMORY = 1 << 30
"""Bytes of rows held at once: a vocabulary of 256,000 words in full precision is several times that."""


class QuantizeRefused(Exception):
    """llama.cpp gave up; its own words are in the `Log`."""


@dataclass(frozen=True, slots=True)
class Size:
    """Bytes of all tensors, to a hundredth of a MiB, and whether an importance matrix would be wanted."""

    bytes: int
    wants_measuring: bool


def size_of(log: llama.Log, source: str, file_type: int) -> Size:
    """How large the tensors of `source` would be as this `llama_ftype`. Reads no tensor. Raises `QuantizeRefused`."""
    sizes, wants = [0.0], []

    def read(line: str) -> None:
        if (match := _SIZE.search(line)) is not None:
            sizes.append(float(match[1]))
        if _WANTS_MEASURING in line:
            wants.append(line)

    parameters = _parameters(file_type, threads=1)
    parameters.dry_run = True
    _run(log, source, "", parameters, read)
    return Size(int(sizes[-1] * (1 << 20)), bool(wants))


def quantize(
    log: llama.Log,
    source: str,
    target: str,
    file_type: int,
    *,
    threads: int,
    keep_output: bool,
    again: bool,
    on_tensor: Callable[[int, int], None],
) -> None:
    """Write `target`. `on_tensor` gets the number of each tensor as it is begun, and how many there are.

    `again`: tensors that are quantized already are read and quantized once more. Raises `QuantizeRefused`.
    """

    def read(line: str) -> None:
        if (match := _TENSOR.search(line)) is not None:
            on_tensor(int(match[1]), int(match[2]))

    parameters = _parameters(file_type, threads)
    parameters.quantize_output_tensor = not keep_output
    parameters.allow_requantize = again
    _run(log, source, target, parameters, read)


def _parameters(file_type: int, threads: int) -> Any:
    parameters = C.llama_model_quantize_default_params()
    parameters.ftype = file_type
    parameters.nthread = threads
    parameters.max_buf_size = _MOST_MEMORY
    return parameters


def _run(
    log: llama.Log,
    source: str,
    target: str,
    parameters: Any,
    read: Callable[[str], None],
) -> None:
    log.lines.clear()
    log.on_line = read
    try:
        status = C.llama_model_quantize(os.fsencode(source), os.fsencode(target), ctypes.byref(parameters))
    finally:
        log.on_line = None
    if status:
        raise QuantizeRefused
