"""How fast a machine is: copied once, told better by answers, and never believed of another machine."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.gguf_families import write_family

from desktop.this_machine import How, Speeds, ThisMachine
from models.estimate import Options, estimate
from models.gguf import card, read_header
from models.runtime.values import ModelCard, Placement
from providers.events import Usage

CARD = ModelCard("/m.gguf", "M", "llama", "1B", "Q4_K_M", 8192, 10**9, "mit", True, "", read_bytes=10**9)
ON_CPU = Placement("CPU", False, 0, 33, "", 1, 2, 4096)
ON_GPU = replace(ON_CPU, device="A card", on_gpu=True, gpu_layers=33)
ANSWER = Usage(generated_tokens=100, generate_ms=10_000.0, context_tokens=200)  # 10 tokens a second


def test_memory_is_measured_when_asked_for_and_remembered(tmp_path: Path) -> None:
    file = tmp_path / "machine.json"
    assert ThisMachine(file).speeds() == Speeds()
    assert not file.exists()
    machine = ThisMachine(file).machine(gpu_free=5)
    assert machine.memory_free > 0 and machine.memory_bandwidth > 1e8
    assert (machine.gpu_free, machine.gpu_bandwidth) == (5, 0.0)
    known = ThisMachine(file).speeds()
    assert known == Speeds(machine.memory_bandwidth, How.COPIED)


def test_answers_tell_better_than_copying_and_each_memory_for_itself(tmp_path: Path) -> None:
    file = tmp_path / "machine.json"
    ThisMachine(file).machine()
    ThisMachine(file).note_answer(CARD, ON_CPU, ANSWER)
    ThisMachine(file).note_answer(CARD, ON_GPU, replace(ANSWER, generate_ms=500.0))
    assert ThisMachine(file).speeds() == Speeds(1e10, How.ANSWERS, 2e11, How.ANSWERS)
    ThisMachine(file).note_answer(
        CARD, replace(ON_GPU, device="Another card"), replace(ANSWER, generate_ms=1000.0)
    )
    assert ThisMachine(file).speeds().gpu == 1e11


@pytest.mark.parametrize(
    ("read_bytes", "placement", "usage"),
    [
        (10**8, ON_CPU, ANSWER),  # a small model
        (0, ON_CPU, ANSWER),  # unknown
        (10**9, replace(ON_GPU, gpu_layers=10), ANSWER),  # in two memories
        (10**9, ON_CPU, replace(ANSWER, generated_tokens=3)),
        (10**9, ON_CPU, replace(ANSWER, context_tokens=6000)),  # with a large cache
        (10**9, ON_CPU, replace(ANSWER, generate_ms=0.0)),
    ],
)
def test_an_answer_that_tells_nothing_about_the_memory_is_not_counted(
    tmp_path: Path, read_bytes: int, placement: Placement, usage: Usage
) -> None:
    machine = ThisMachine(tmp_path / "machine.json")
    machine.note_answer(replace(CARD, read_bytes=read_bytes), placement, usage)
    assert machine.speeds() == Speeds()


def test_one_answer_beside_a_busy_program_does_not_decide(tmp_path: Path) -> None:
    machine = ThisMachine(tmp_path / "machine.json")
    for milliseconds in (10_000.0, 100_000.0, 10_000.0):
        machine.note_answer(CARD, ON_CPU, replace(ANSWER, generate_ms=milliseconds))
    assert machine.speeds().memory == 1e10


def test_what_was_seen_on_another_machine_is_not_believed_here(tmp_path: Path) -> None:
    file = tmp_path / "machine.json"
    ThisMachine(file).note_answer(CARD, ON_CPU, ANSWER)
    file.write_text(json.dumps({**json.loads(file.read_text()), "machine": "another"}))
    assert ThisMachine(file).speeds() == Speeds()


@settings(max_examples=25)
@given(
    content=st.one_of(
        st.binary(max_size=50),
        st.fixed_dictionaries(
            {
                name: st.from_type(object) | st.floats()
                for name in ("copied", "copies", "memory", "gpu", "device")
            }
        ).map(lambda record: repr(record).encode()),
    )
)
def test_a_damaged_file_is_no_crash_and_is_written_anew(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    file = tmp_path_factory.mktemp("odd") / "machine.json"
    file.write_bytes(content)
    assert ThisMachine(file).speeds() == Speeds()
    ThisMachine(file).note_answer(CARD, ON_CPU, ANSWER)
    assert ThisMachine(file).speeds() == Speeds(1e10, How.ANSWERS)


def test_a_models_card_says_what_its_estimate_says_is_read_for_each_token(tmp_path: Path) -> None:
    for number, more in enumerate(({}, {"experts": 8}, {"tied": True})):
        header = read_header(str(write_family(tmp_path / f"{number}.gguf", width=128, **more)))  # type: ignore[arg-type]
        read = card(header, "m.gguf").read_bytes
        assert read == pytest.approx(estimate(header, Options(512)).read_per_token, rel=0.01)
