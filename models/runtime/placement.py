"""Where a model runs: how many layers go to the GPUs, what is tried when that fails, the sentence about it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from models.estimate import GPU_RESERVE, Estimate, gpu_bytes
from models.runtime.values import Known

if TYPE_CHECKING:
    from models.runtime.llama_devices import Device

# Shown to a person, through `tr()`: short, plain, and the same every time.
NO_GPU_BUILD = "This copy of llama.cpp was built without GPU support."
NO_GPU_FOUND = "No supported GPU was found."
NO_GPU_WANTED = "The settings say to use no GPU."
SOME_WANTED = "The settings say to run only some of its layers on the GPU."
SOME_FIT = "The memory of the GPU is too small for all of it."
NONE_FIT = "The GPU could not load this model."
TOO_SMALL = "The memory of the GPU that is free now is too small for any of it."
GPU_FAILED = (
    "The driver of the GPU failed when it loaded this model, so the model runs on the processor "
    "until you try the GPU again."
)

_FREE = re.compile(r"\|[0-9]+(?=; )")
_FREE_CLASSES = 8
"""Into how many steps the free share of a device's memory is divided, to tell whether it changed."""


def devices_in_use(devices: Sequence[Device]) -> list[Device]:
    """The GPUs that llama.cpp spreads a model over: those with their own memory, else one that shares the machine's."""
    own = [device for device in devices if device.is_gpu and not device.integrated]
    return own or [device for device in devices if device.is_gpu][:1]


def memory_of_gpus(gpus: Sequence[Device]) -> int:
    """Bytes that these add to the memory of the machine, beyond what stays free on each."""
    return sum(max(0, gpu.free_bytes - GPU_RESERVE) for gpu in gpus if not gpu.integrated)


def most_layers(needs: Estimate, gpus: Sequence[Device], memory_free: int) -> int:
    """How many layers fit on the GPUs by the estimate, the output counted as one; 0 to all of them.

    `memory_free`: of the machine, which a GPU without memory of its own can't exceed. The memory of several counts
    as one, less a layer for each further one, because layers are not divided.
    """
    if not gpus:
        return 0
    free = sum(min(gpu.free_bytes, memory_free) if gpu.integrated else gpu.free_bytes for gpu in gpus)
    largest = max((layer.weights + layer.cache for layer in needs.layers), default=0)
    shared = (len(gpus) - 1) * (largest + needs.compute + GPU_RESERVE)
    count = len(needs.layers) + 1
    return next((n for n in range(count, 0, -1) if gpu_bytes(needs, n) + shared <= free), 0)


def could_fit_more(needs: Estimate, gpus: Sequence[Device], fitting: int, memory_free: int) -> bool:
    """Whether more layers than `fitting` would fit if nothing else were on the GPUs."""
    empty = [replace(gpu, free_bytes=gpu.total_bytes) for gpu in gpus if not gpu.integrated]
    return most_layers(needs, empty, memory_free) > fitting


def layers_to_try(wanted: int | None, layers: int, fitting: int, known: Known | None) -> list[int]:
    """Numbers of layers to put on the GPU, in the order to try them: fewer each time, and 0 at last.

    llama.cpp counts the output as one more layer. `wanted` None: as many as fit, which are `fitting`; a number that
    the person chose is tried even if the estimate says that it does not fit. `known`: what came of the last load like
    this one.
    """
    most = layers + 1
    if wanted == 0 or (known is not None and known.failed):
        return [0]
    first = min(fitting, most) if wanted is None else max(1, min(wanted, most))
    if known is not None:
        first = max(0, min(known.layers, most if wanted is None else first))
    steps = (first, first - max(1, first // 8), first * 2 // 3, first // 3, 0)
    return [number for number in dict.fromkeys(steps) if number >= 0]


def signature(gpus: Sequence[Device], version: str) -> str:
    """What a load depends on: each device, its driver's words, its memory and the class of what is free; llama.cpp.

    "" without a GPU. When it changes, what was known of earlier loads is no longer believed.
    """
    if not gpus:
        return ""
    parts = []
    for gpu in gpus:
        free = _FREE_CLASSES * gpu.free_bytes // max(1, gpu.total_bytes)
        parts.append(f"{gpu.name}|{_plain(gpu.description)}|{gpu.total_bytes}|{free}")
    return "; ".join([*parts, version])[:1000]


def _plain(words: str) -> str:
    return words.replace("|", "/").replace(";", ",")[:100]


def described(devices: str) -> list[tuple[str, int]]:
    """What each device of a signature calls itself, and its memory in bytes."""
    found = []
    for part in devices.split("; ")[:-1]:
        fields = part.split("|")
        if len(fields) == 4:
            found.append((fields[1], int(fields[2]) if fields[2].isdecimal() else 0))
    return found


def still_holds(known: Known | None, devices: str) -> Known | None:
    """What is known, if it is known of these devices. That a driver failed does not depend on what is free."""
    if known is not None and known.failed and not known.devices:
        return known  # it failed before it could say which there are, so they are hidden now
    if known is None or not devices:
        return None
    if known.failed:
        return known if _FREE.sub("", known.devices) == _FREE.sub("", devices) else None
    return known if known.devices == devices else None


def reason_for(
    wanted: int | None,
    on_gpu: int,
    layers: int,
    gpus: Sequence[Device],
    gpu_support: bool,
    *,
    fitting: int = 1,
    known: Known | None = None,
) -> str:
    """Why the model is not wholly on a GPU, in one sentence; "" when it is."""
    if on_gpu > layers:
        return ""
    if on_gpu > 0:
        return SOME_WANTED if wanted is not None and on_gpu == wanted else SOME_FIT
    if not gpu_support:
        return NO_GPU_BUILD
    if wanted == 0 and gpus:
        return NO_GPU_WANTED
    if known is not None and known.failed:
        return GPU_FAILED
    if not gpus:
        return NO_GPU_FOUND
    return TOO_SMALL if wanted is None and fitting == 0 else NONE_FIT
