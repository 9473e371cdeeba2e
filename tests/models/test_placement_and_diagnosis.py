"""Where a model runs, why, and what llama.cpp's log says about a load that failed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.gguf_files import write_encoder, write_model
from support.workers import starter

from models.estimate import GPU_RESERVE, Estimate, Layer, gpu_bytes
from models.gguf import read_header
from models.runtime import placement
from models.runtime.diagnosis import chat_fault, load_fault
from models.runtime.faults import Fault
from models.runtime.llama_devices import Device
from models.runtime.placement import (
    described,
    devices_in_use,
    layers_to_try,
    memory_of_gpus,
    most_layers,
    reason_for,
    signature,
    still_holds,
)
from models.runtime.values import Known

GPU = [Device("CUDA0", "A graphics card", True, 8 << 30, 8 << 30)]
SHARING = Device("Vulkan0", "In the processor", True, 8 << 30, 8 << 30, integrated=True)
CPU = Device("CPU", "A processor", False, 8 << 30, 8 << 30)


@pytest.mark.parametrize(
    ("wanted", "fitting", "tried"),
    [
        (None, 0, [0]),
        (None, 33, [33, 29, 22, 11, 0]),
        (None, 20, [20, 18, 13, 6, 0]),
        (0, 33, [0]),
        (8, 33, [8, 7, 5, 2, 0]),
        (99, 4, [33, 29, 22, 11, 0]),
        (1, 0, [1, 0]),
    ],
)
def test_what_fits_is_tried_first_and_then_less_and_less(
    wanted: int | None, fitting: int, tried: list[int]
) -> None:
    assert layers_to_try(wanted, 32, fitting, None) == tried


def test_what_worked_is_tried_first_and_what_failed_not_again() -> None:
    assert layers_to_try(None, 32, 33, Known("x", 20))[0] == 20
    assert layers_to_try(8, 32, 33, Known("x", 20))[0] == 8
    assert layers_to_try(None, 32, 33, Known("x", 0, failed=True)) == [0]
    assert layers_to_try(20, 32, 33, Known("x", 0, failed=True)) == [0]


def test_what_is_known_is_forgotten_when_devices_or_drivers_change() -> None:
    here = signature(GPU, "b1")
    assert described(here) == [("A graphics card", 8 << 30)] and described("") == []
    assert still_holds(Known(here, 9), here) == Known(here, 9)
    fuller = signature([replace(GPU[0], free_bytes=1 << 30)], "b1")
    assert still_holds(Known(here, 9), fuller) is None
    failed = Known(here, 0, failed=True)
    assert still_holds(failed, fuller) == failed
    assert still_holds(failed, signature([replace(GPU[0], description="Another card")], "b1")) is None
    assert still_holds(failed, signature(GPU, "b2")) is None
    assert still_holds(failed, signature([], "b1")) is None
    unnamed = Known("", 0, failed=True)
    assert still_holds(unnamed, signature([], "b1")) == unnamed


def test_a_gpu_that_shares_the_memory_is_used_only_when_it_is_the_only_one() -> None:
    assert devices_in_use([CPU, *GPU, SHARING]) == GPU
    assert devices_in_use([CPU, SHARING]) == [SHARING]
    assert devices_in_use([CPU]) == []
    assert memory_of_gpus([SHARING]) == 0
    assert memory_of_gpus(GPU) == (8 << 30) - GPU_RESERVE


sizes = st.integers(0, 1 << 36)
gpus = st.lists(
    st.builds(Device, st.just("GPU"), st.just("x"), st.just(True), sizes, sizes, st.booleans()), max_size=4
)
needs = st.builds(
    lambda layers, output, compute: Estimate(
        tuple(Layer(weights, cache, weights) for weights, cache in layers), output, output, output, compute, False
    ),
    st.lists(st.tuples(sizes, sizes), max_size=40), sizes, sizes,
)  # fmt: skip


@given(needs, gpus, sizes)
def test_a_reserve_stays_free_on_every_gpu(needs: Estimate, found: list[Device], memory: int) -> None:
    gpus = devices_in_use(found)
    layers = most_layers(needs, gpus, memory)
    assert 0 <= layers <= len(needs.layers) + 1
    if layers:
        free = sum(gpu.free_bytes for gpu in gpus)
        assert gpu_bytes(needs, layers) - GPU_RESERVE + len(gpus) * GPU_RESERVE <= free
    more = [replace(gpu, free_bytes=gpu.free_bytes + (1 << 30)) for gpu in gpus]
    assert most_layers(needs, more, memory + (1 << 30)) >= layers


@given(
    st.none() | st.integers(0, 100), st.integers(0, 64), st.integers(0, 65), st.none() | st.integers(0, 99)
)
def test_every_plan_gets_smaller_and_ends_at_the_processor(
    wanted: int | None, layers: int, fitting: int, before: int | None
) -> None:
    known = None if before is None else Known("x", before)
    tried = layers_to_try(wanted, layers, fitting, known)
    assert tried[-1] == 0 and tried == sorted(set(tried), reverse=True)
    assert tried[0] <= layers + 1 and (wanted is None or tried[0] <= wanted)


@pytest.mark.parametrize(
    ("wanted", "on_gpu", "gpus", "support", "reason"),
    [
        (None, 33, GPU, True, ""),
        (None, 16, GPU, True, placement.SOME_FIT),
        (8, 8, GPU, True, placement.SOME_WANTED),
        (None, 0, [], False, placement.NO_GPU_BUILD),
        (None, 0, [], True, placement.NO_GPU_FOUND),
        (0, 0, GPU, True, placement.NO_GPU_WANTED),
        (None, 0, GPU, True, placement.NONE_FIT),
    ],
)
def test_the_processor_is_never_used_without_a_reason_of_the_devices(
    wanted: int | None, on_gpu: int, gpus: list[Device], support: bool, reason: str
) -> None:
    assert reason_for(wanted, on_gpu, 32, gpus, support) == reason


def test_a_gpu_that_is_too_small_or_failed_is_given_as_the_reason() -> None:
    assert reason_for(None, 0, 32, GPU, True, fitting=0) == placement.TOO_SMALL
    failed = Known("x", 0, failed=True)
    assert reason_for(None, 0, 32, GPU, True, known=failed) == placement.GPU_FAILED


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        (
            "llama_model_load: error loading model: unknown model architecture: 'galactic'",
            Fault.UNSUPPORTED_ARCHITECTURE,
        ),
        ("error loading model vocabulary: unknown pre-tokenizer type: 'new'", Fault.UNSUPPORTED_ARCHITECTURE),
        ("ggml_gallocr_reserve_n: failed to allocate CPU buffer of size 99", Fault.NOT_ENOUGH_MEMORY),
        ("error loading model: unable to allocate CUDA0 buffer", Fault.NOT_ENOUGH_MEMORY),
        ("error loading model: mmap failed: Permission denied", Fault.FILE_UNREADABLE),
        ("error loading model: missing tensor 'output_norm.weight'", Fault.DAMAGED),
        ("something nobody has seen before failed", Fault.DAMAGED),
    ],
)
def test_each_way_to_fail_has_its_fault(line: str, fault: Fault) -> None:
    found = load_fault(["loaded meta data with 33 pairs", line], "llama", cancelled=False)
    assert found.fault is fault and line in found.detail


def test_the_unknown_architecture_is_named() -> None:
    line = "unknown model architecture: 'galactic'"
    assert load_fault([line], "x", cancelled=False).facts == {"architecture": "galactic"}


def test_a_load_that_was_stopped_is_no_failure_of_the_file() -> None:
    assert load_fault(["failed to load model"], "llama", cancelled=True).fault is Fault.LOAD_CANCELLED


def test_what_is_no_chat_model_is_known_by_its_header(tmp_path: Path) -> None:
    assert chat_fault(read_header(str(starter()))) is None
    no_template = chat_fault(read_header(str(write_model(tmp_path / "base.gguf", template=None))))
    encoder = chat_fault(read_header(str(write_encoder(tmp_path / "encoder.gguf"))))
    embedder = chat_fault(
        read_header(str(write_model(tmp_path / "embedder.gguf", numbers={"pooling_type": 3})))
    )
    assert no_template is not None and no_template.fault is Fault.NO_TEMPLATE
    assert encoder is not None and encoder.fault is Fault.NOT_A_CHAT_MODEL
    assert embedder is not None and embedder.fault is Fault.NOT_A_CHAT_MODEL
