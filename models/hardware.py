"""What this machine has: cores and memory that this process may really use, and how many threads that makes.

`read_machine` looks; everything else is arithmetic over what it found. A container or a service manager may
allow less than the machine has (affinity, control groups), so the smallest limit counts.
"""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from pathlib import Path

import psutil

_MOST_GENERATION_THREADS = 8
"""Generation waits for memory, not for cores: beyond this, more threads only make each other wait."""

_CONTROL_GROUPS = Path("/sys/fs/cgroup")


@dataclass(frozen=True, slots=True)
class Machine:
    """Facts, as far as they could be found. Memory in bytes."""

    physical_cores: int
    allowed_cpus: int  # logical processors this process may run on
    cpu_quota: float | None  # processors' worth of time a control group allows
    free_memory: int
    memory_limit_left: int | None  # what a control group still allows


@dataclass(frozen=True, slots=True)
class Threads:
    generation: int
    prompt: int


def read_machine() -> Machine:
    """Look at the machine, now."""
    return Machine(
        physical_cores=psutil.cpu_count(logical=False) or os.cpu_count() or 1,
        allowed_cpus=_allowed_cpus(),
        cpu_quota=_cpu_quota(),
        free_memory=psutil.virtual_memory().available,
        memory_limit_left=_memory_limit_left(),
    )


def usable_cores(machine: Machine) -> int:
    """Cores this process can keep busy at once."""
    quota = machine.cpu_quota if machine.cpu_quota is not None else math.inf
    return max(1, min(machine.physical_cores, machine.allowed_cpus, int(min(quota, 1 << 16))))


def choose_threads(machine: Machine, wanted: int | None = None) -> Threads:
    """Threads for generating and for reading the prompt.

    Generation leaves one core to the window (a thread that has to share its core holds up all the others);
    reading the prompt gains from every core. A number the person chose is taken for both, up to the
    processors there are.
    """
    cores = usable_cores(machine)
    if wanted is not None:
        chosen = max(1, min(wanted, machine.allowed_cpus))
        return Threads(generation=chosen, prompt=chosen)
    return Threads(generation=max(1, min(cores - 1, _MOST_GENERATION_THREADS)), prompt=cores)


def usable_memory(machine: Machine) -> int:
    """Bytes a model may take without pushing other programs out of memory."""
    if machine.memory_limit_left is None:
        return machine.free_memory
    return max(0, min(machine.free_memory, machine.memory_limit_left))


def peak_memory(pid: int) -> int:
    """The most resident memory a process ever had, in bytes; what it has now where the system keeps no peak.

    Source: VmHWM in proc(5), in KiB; PeakWorkingSetSize on Windows. Raises psutil.NoSuchProcess.
    """
    for line in _text(Path(f"/proc/{pid}/status")).splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) << 10
    found = psutil.Process(pid).memory_info()
    return int(getattr(found, "peak_wset", found.rss))


def parse_cpu_quota(text: str) -> float | None:
    """Processors allowed by the text of `cpu.max`: "200000 100000" is 2.0, "max 100000" is None.

    Source: Linux, Documentation/admin-guide/cgroup-v2.rst.
    """
    quota, _, period = text.strip().partition(" ")
    if not quota.isdigit() or not period.isdigit() or int(period) == 0:
        return None
    return int(quota) / int(period)


def parse_memory(text: str) -> int | None:
    """Bytes from the text of `memory.max` or `memory.current`; None for "max"."""
    text = text.strip()
    return int(text) if text.isdigit() else None


def _allowed_cpus() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _cpu_quota() -> float | None:
    quotas = [parse_cpu_quota(_text(folder / "cpu.max")) for folder in _group_folders()]
    return min((quota for quota in quotas if quota is not None), default=None)


def _memory_limit_left() -> int | None:
    left = []
    for folder in _group_folders():
        limit = parse_memory(_text(folder / "memory.max"))
        if limit is not None:
            left.append(limit - (parse_memory(_text(folder / "memory.current")) or 0))
    return min(left, default=None)


def _group_folders() -> list[Path]:
    """The control group (version 2) of this process and all groups above it."""
    own = _text(Path("/proc/self/cgroup"))
    path = next((line[3:] for line in own.splitlines() if line.startswith("0::")), None)
    if path is None:
        return []
    folder = _CONTROL_GROUPS / path.strip("/")
    return [place for place in (folder, *folder.parents) if place.is_relative_to(_CONTROL_GROUPS)]


def _text(file: Path) -> str:
    """Empty where there is no such file: the topmost group has no limits, and other systems have no groups."""
    try:
        return file.read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""
