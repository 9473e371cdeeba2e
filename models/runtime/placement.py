"""Where a model runs: how many layers go to a GPU, what is tried when that fails, the sentence about it."""

from __future__ import annotations

from collections.abc import Sequence

from models.runtime.llama import Device

# Shown to a person, through `tr()`: short, plain, and the same every time.
NO_GPU_BUILD = "This copy of llama.cpp was built without GPU support."
NO_GPU_FOUND = "No supported GPU was found."
NO_GPU_WANTED = "The settings say to use no GPU."
SOME_WANTED = "The settings say to run only some of its layers on the GPU."
SOME_FIT = "The memory of the GPU is too small for all of it."
NONE_FIT = "The GPU could not load this model."


def layers_to_try(wanted: int | None, layers: int, gpus: Sequence[Device]) -> list[int]:
    """Numbers of layers to put on the GPU, in the order to try them; the last is always 0.

    llama.cpp counts the output as one more layer. `wanted` None: all of them.
    """
    if not gpus or wanted == 0:
        return [0]
    most = layers + 1
    first = most if wanted is None else max(1, min(wanted, most))
    return list(dict.fromkeys([first, first // 2, 0]))


def reason_for(
    wanted: int | None, on_gpu: int, layers: int, gpus: Sequence[Device], gpu_support: bool
) -> str:
    """Why the model is not wholly on a GPU, in one sentence; "" when it is."""
    if on_gpu > layers:
        return ""
    if on_gpu > 0:
        return SOME_WANTED if wanted is not None and on_gpu == wanted else SOME_FIT
    if not gpu_support:
        return NO_GPU_BUILD
    if not gpus:
        return NO_GPU_FOUND
    return NO_GPU_WANTED if wanted == 0 else NONE_FIT
