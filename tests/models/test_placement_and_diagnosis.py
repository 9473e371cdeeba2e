"""Where a model runs, why, and what llama.cpp's log says about a load that failed."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.gguf_files import write_encoder, write_model
from support.workers import starter

from models.gguf import read_header
from models.runtime import placement
from models.runtime.diagnosis import chat_fault, load_fault
from models.runtime.faults import Fault
from models.runtime.llama import Device
from models.runtime.placement import layers_to_try, reason_for

GPU = [Device("CUDA0", "A graphics card", True, 8 << 30, 8 << 30)]


@pytest.mark.parametrize(
    ("wanted", "gpus", "tried"),
    [
        (None, [], [0]),
        (None, GPU, [33, 16, 0]),
        (0, GPU, [0]),
        (8, GPU, [8, 4, 0]),
        (99, GPU, [33, 16, 0]),
        (1, GPU, [1, 0]),
    ],
)
def test_less_and_less_is_put_on_the_gpu_until_it_works(
    wanted: int | None, gpus: list[Device], tried: list[int]
) -> None:
    assert layers_to_try(wanted, 32, gpus) == tried


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
def test_the_processor_is_never_used_without_a_reason(
    wanted: int | None, on_gpu: int, gpus: list[Device], support: bool, reason: str
) -> None:
    assert reason_for(wanted, on_gpu, 32, gpus, support) == reason


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
