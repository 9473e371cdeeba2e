"""The list of models to begin with: whole, plausible, dated, and never a worse choice with more memory."""

from __future__ import annotations

from datetime import date
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.estimate import GPU_RESERVE, Machine, Verdict
from models.file_names import repository_problem
from models.library.knowledge import family_of, openness_of
from models.recommend import Model, Purpose, licence, list_date, machine_class, models, recommend

GB = 1_000_000_000
FAMILIES = {"Llama", "Mistral", "Mixtral", "DeepSeek", "Qwen", "Gemma", "gpt-oss", "Phi", "SmolLM"}
BITS = {"Q4_K_M": (4.4, 6.6), "Q8_0": (8.2, 8.9), "MXFP4": (4.1, 4.9)}
"""Bits of a parameter, all tensors together: the embeddings of a small model are kept more precisely."""
EXAMPLES = (Machine(3_500_000_000), Machine(7 * GB), Machine(14 * GB), Machine(30 * GB), Machine(90 * GB))
QUICK = (Verdict.GPU, Verdict.PARTLY_GPU, Verdict.CPU)


def test_every_family_and_every_purpose_has_a_model() -> None:
    assert {model.family for model in models()} == FAMILIES
    assert {purpose for model in models() for purpose in model.purposes} == {p.value for p in Purpose}


@pytest.mark.parametrize("model", models(), ids=lambda model: model.name)
def test_a_row_is_plausible_and_says_where_it_is_from(model: Model) -> None:
    low, high = BITS[model.quantization]
    assert low <= model.size * 8 / (model.parameters * GB) <= high
    assert 0 < model.active <= model.parameters
    assert model.purposes and all(0 < ability <= 100 for ability in model.purposes.values())
    assert (model.projector > 0) == ("vision" in model.purposes)
    assert repository_problem(model.repo) is None
    address = urlsplit(model.source)
    assert address.scheme == "https" and address.netloc and model.repo in address.path
    assert model.checked == "" or date.fromisoformat(model.checked) <= date.fromisoformat(list_date())
    assert model.why.endswith(".")


@pytest.mark.parametrize("model", models(), ids=lambda model: model.name)
def test_family_licence_and_openness_are_what_the_library_will_say_of_the_file(model: Model) -> None:
    assert family_of("", (model.repo.rsplit("/", 1)[1],)) == model.family
    assert licence(model.licence) is not None
    assert openness_of(model.licence, model.family, "", (model.maker,)).value == model.openness


def test_every_repository_is_listed_once() -> None:
    repositories = [model.repo for model in models()]
    assert len(set(repositories)) == len(repositories)


@pytest.mark.parametrize("purpose", Purpose)
@pytest.mark.parametrize("machine", EXAMPLES, ids=machine_class)
def test_every_class_of_machine_gets_a_quick_answer_for_every_purpose(
    machine: Machine, purpose: Purpose
) -> None:
    best = recommend(machine, purpose)[0]
    assert best.verdict in QUICK and best.missing_bytes == 0


def test_the_examples_are_of_every_class() -> None:
    assert [machine_class(machine) for machine in EXAMPLES] == ["tiny", "small", "medium", "large", "huge"]


def test_what_does_not_fit_comes_last_and_says_what_is_missing() -> None:
    found = recommend(Machine(6 * GB), Purpose.CHAT)
    verdicts = [row.verdict for row in found]
    first = verdicts.index(Verdict.WONT_FIT)
    assert set(verdicts[first:]) == {Verdict.WONT_FIT}
    missing = [row.missing_bytes for row in found[first:]]
    assert missing == sorted(missing) and missing[0] > 0
    assert all(row.need_bytes < 6 * GB for row in found[:first])


def test_a_large_dense_model_without_a_graphics_card_is_called_slow() -> None:
    found = {row.model.name: row for row in recommend(Machine(90 * GB), Purpose.CHAT)}
    assert found["Llama 3.3 70B"].verdict is Verdict.SLOW
    assert (
        found["gpt-oss 120B"].verdict is Verdict.CPU
    )  # much larger, but a twentieth of it works on each word
    with_card = {r.model.name: r for r in recommend(Machine(90 * GB, gpu_free=80 * GB), Purpose.CHAT)}
    assert with_card["Llama 3.3 70B"].verdict is Verdict.GPU


def test_an_unknown_purpose_is_refused() -> None:
    with pytest.raises(ValueError):
        recommend(Machine(GB), "poetry")


@given(
    purpose=st.sampled_from(list(Purpose)),
    memory=st.integers(0, 200 * GB),
    gpu=st.integers(0, 100 * GB),
    more_memory=st.integers(0, 100 * GB),
    more_gpu=st.integers(0, 100 * GB),
)
def test_more_memory_never_makes_the_choice_worse(
    purpose: Purpose, memory: int, gpu: int, more_memory: int, more_gpu: int
) -> None:
    def ability(machine: Machine) -> int:
        best = recommend(machine, purpose)[0]
        return best.model.purposes[purpose] if best.verdict in QUICK else 0

    less = Machine(memory, gpu_free=gpu)
    assert ability(less) <= ability(Machine(memory + more_memory, gpu_free=gpu + more_gpu))


def test_a_card_that_is_all_reserve_is_none() -> None:
    assert recommend(Machine(8 * GB, gpu_free=GPU_RESERVE), "chat") == recommend(Machine(8 * GB), "chat")
