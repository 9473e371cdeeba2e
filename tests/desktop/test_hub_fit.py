"""Which quantization is recommended on which machine."""

from __future__ import annotations

from dataclasses import replace

import pytest

from desktop.hub import HubFailed
from desktop.hub_fit import Fitting, best_choice, fitting_of
from models.estimate import Estimate, Layer, Machine, Verdict
from models.hub_values import HubFile, HubModel
from providers.gate.hub_messages import HubFitted

GB = 10**9
SIZES = {"Q2_K": 3, "Q4_K_M": 5, "Q6_K": 7, "Q8_0": 9, "F16": 16}  # of an 8B model, in GB


def judged(machine: Machine, **sizes: float) -> list[tuple[HubModel, Fitting | HubFailed]]:
    return [
        (
            HubModel(f"m-{name}", name, (HubFile(f"m-{name}.gguf", int(size * GB), ""),), False, True),
            fitting_of(_read(int(size * GB)), machine),
        )
        for name, size in (sizes or SIZES).items()
    ]


def _read(size: int) -> HubFitted:
    layer = Layer(size // 32, 1 << 24, size // 32)
    return HubFitted(Estimate((layer,) * 32, 0, 0, 0, 1 << 27, False), 4096, 8192, "llama", size, 1, 1)


@pytest.mark.parametrize(
    ("machine", "best"),
    [
        (Machine(64 * GB, 10e9, 24 * GB), "Q8_0"),  # all of it on the GPU: as exact as makes a difference
        (Machine(64 * GB, 10e9, 8 * GB), "Q4_K_M"),  # the largest that is wholly on the GPU
        (Machine(64 * GB, 100e9), "Q6_K"),  # fast memory
        (
            Machine(64 * GB, 40e9),
            "Q4_K_M",
        ),  # a larger one would be slow, a smaller one worse than it has to be
        (Machine(64 * GB), "Q4_K_M"),  # nobody knows how fast
        (Machine(4 * GB, 20e9), "Q2_K"),  # the usual one does not fit
        (Machine(2 * GB, 20e9), None),
    ],
)
def test_the_best_quantization_is_the_most_exact_that_runs_well_here(
    machine: Machine, best: str | None
) -> None:
    chosen = best_choice(judged(machine))
    assert (chosen.quantization if chosen else None) == best


def test_what_a_vision_model_sees_with_is_in_memory_beside_it() -> None:
    alone = fitting_of(_read(3 * GB), Machine(8 * GB))
    seeing = fitting_of(_read(3 * GB), Machine(8 * GB), GB)
    assert seeing.memory_bytes - alone.memory_bytes == seeing.needed_bytes - alone.needed_bytes == GB
    assert seeing.memory_free == alone.memory_free == 8 * GB
    just_enough = Machine(seeing.memory_bytes)
    assert fitting_of(_read(3 * GB), just_enough, GB).verdict is Verdict.CPU
    assert fitting_of(
        _read(3 * GB), replace(just_enough, memory_free=seeing.memory_bytes - 1), GB
    ).verdict is (Verdict.WONT_FIT)


def test_with_nothing_else_an_unquantized_model_is_taken_and_what_cannot_be_judged_is_not() -> None:
    machine = Machine(64 * GB, 10e9)
    chosen = best_choice(judged(machine, F16=16))
    assert chosen is not None and chosen.quantization == "F16"
    unknown: list[tuple[HubModel, Fitting | HubFailed]] = [
        (model, HubFailed("damaged", "", {})) for model, _ in judged(machine)
    ]
    assert best_choice(unknown) is None and best_choice([]) is None
