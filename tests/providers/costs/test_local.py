"""What answering here costs: from counters of the processor, a card's reading, or a person's own estimate."""

from __future__ import annotations

import os
from decimal import Decimal
from pathlib import Path

import pytest

from providers.costs.local import (
    Energy,
    Meter,
    break_even_months,
    electricity,
    find_meter,
    mean_watts,
    read_energy,
)


def zone(folder: Path, name: str, microjoules: str, most: str = "262143328850") -> Path:
    made = folder / name
    made.mkdir(parents=True)
    (made / "energy_uj").write_text(microjoules)
    (made / "max_energy_range_uj").write_text(most)
    return made / "energy_uj"


def test_a_machine_that_tells_nothing_has_no_meter(tmp_path: Path) -> None:
    assert find_meter(tmp_path / "none", tmp_path / "neither") == Meter()
    assert read_energy(Meter(), 0.0) is None


def test_each_processor_is_counted_once_with_its_parts_in_it(tmp_path: Path) -> None:
    first, second = zone(tmp_path, "intel-rapl:0", "1000000"), zone(tmp_path, "intel-rapl:1", "5000000")
    zone(tmp_path, "intel-rapl:0:0", "900000")
    meter = find_meter(tmp_path, tmp_path)
    assert meter == Meter((first, second))
    before = read_energy(meter, 10.0)
    first.write_text("61000000")
    second.write_text("45000000\n")
    after = read_energy(meter, 12.0)
    assert before is not None and after is not None
    assert mean_watts(meter, before, after) == pytest.approx(50.0)


def test_a_counter_that_begins_anew_meanwhile_is_followed(tmp_path: Path) -> None:
    counter = zone(tmp_path, "intel-rapl:0", "0", most="1000000000")
    meter = Meter((counter,))
    assert mean_watts(meter, Energy(0.0, (990_000_000,)), Energy(2.0, (50_000_000,))) == pytest.approx(30.0)
    (tmp_path / "intel-rapl:0" / "max_energy_range_uj").unlink()
    assert mean_watts(meter, Energy(0.0, (990_000_000,)), Energy(2.0, (50_000_000,))) is None


@pytest.mark.parametrize(
    ("after", "counts"), [(0.5, (10**6,)), (2.0, (0,)), (2.0, (10**12,)), (2.0, (1, 2)), (-1.0, (10**6,))]
)
def test_readings_too_near_or_of_no_machine_are_none(after: float, counts: tuple[int, ...]) -> None:
    assert mean_watts(Meter((Path("none"),)), Energy(0.0, (0,)), Energy(after, counts)) is None


@pytest.mark.parametrize("written", ["", "many", "1.5", "\x00"])
def test_a_counter_that_says_something_else_is_no_reading(tmp_path: Path, written: str) -> None:
    assert read_energy(Meter((zone(tmp_path, "intel-rapl:0", written),)), 0.0) is None


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="nothing is closed to root")
def test_a_counter_for_administrators_only_is_told_apart_from_none(tmp_path: Path) -> None:
    zone(tmp_path, "intel-rapl:0", "1").chmod(0)
    assert find_meter(tmp_path, tmp_path / "none") == Meter(is_closed=True)


def test_a_graphics_card_says_what_it_takes_now(tmp_path: Path) -> None:
    for name, said in (("hwmon0", "none of it"), ("hwmon1", "35500000\n")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "power1_average").write_text(said)
    assert find_meter(tmp_path / "none", tmp_path) == Meter(watts=35.5)


def test_electricity_and_the_month_in_which_a_machine_has_paid_for_itself() -> None:
    assert electricity(3600, 100, 0.30) == Decimal("0.03")
    assert break_even_months(1200, 101, 1) == 12
    assert break_even_months(1200, 1, 1) is None and break_even_months(1200, 0, 5) is None
    assert break_even_months(0, 10, 1) == 0
