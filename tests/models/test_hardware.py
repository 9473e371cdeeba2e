"""Threads and memory are chosen from what this process may really use."""

from __future__ import annotations

import dataclasses

import pytest

from models.hardware import (
    Machine,
    Threads,
    choose_threads,
    parse_cpu_quota,
    parse_memory,
    read_machine,
    usable_cores,
    usable_memory,
)

LAPTOP = Machine(
    physical_cores=4, allowed_cpus=8, cpu_quota=None, free_memory=8 << 30, memory_limit_left=None
)


@pytest.mark.parametrize(
    ("cores", "generation", "prompt"), [(1, 1, 1), (2, 1, 2), (4, 3, 4), (8, 7, 8), (64, 8, 64)]
)
def test_generation_leaves_a_core_to_the_window(cores: int, generation: int, prompt: int) -> None:
    machine = dataclasses.replace(LAPTOP, physical_cores=cores, allowed_cpus=2 * cores)
    assert choose_threads(machine) == Threads(generation, prompt)


def test_affinity_and_quota_count_when_they_are_smaller() -> None:
    assert usable_cores(dataclasses.replace(LAPTOP, allowed_cpus=2)) == 2
    assert usable_cores(dataclasses.replace(LAPTOP, cpu_quota=2.5)) == 2
    assert usable_cores(dataclasses.replace(LAPTOP, cpu_quota=0.5)) == 1


def test_a_chosen_number_of_threads_is_taken_up_to_what_there_is() -> None:
    assert choose_threads(LAPTOP, 6) == Threads(6, 6)
    assert choose_threads(LAPTOP, 500) == Threads(8, 8)
    assert choose_threads(LAPTOP, 0) == Threads(1, 1)


def test_a_memory_limit_counts_when_it_is_smaller() -> None:
    assert usable_memory(LAPTOP) == 8 << 30
    assert usable_memory(dataclasses.replace(LAPTOP, memory_limit_left=1 << 30)) == 1 << 30
    assert usable_memory(dataclasses.replace(LAPTOP, memory_limit_left=-5)) == 0


def test_control_files_are_read_as_linux_writes_them() -> None:
    assert parse_cpu_quota("150000 100000\n") == 1.5
    assert parse_cpu_quota("max 100000\n") is None
    assert parse_cpu_quota("") is None
    assert parse_memory("1073741824\n") == 1 << 30
    assert parse_memory("max\n") is None


def test_this_machine_can_be_read() -> None:
    machine = read_machine()
    assert machine.physical_cores >= 1 and machine.allowed_cpus >= 1
    assert usable_memory(machine) > 0
    assert choose_threads(machine).generation >= 1
