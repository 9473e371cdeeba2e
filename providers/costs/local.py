"""What answering on this device costs, and from when on that is less than what a provider takes."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

_POWERCAP = Path("/sys/class/powercap")
_HWMON = Path("/sys/class/hwmon")
_PROCESSOR = re.compile(r"intel-rapl:[0-9]+")
_JOULES_PER_KWH = 3_600_000
_SHORTEST = 1.0  # seconds between two readings
_MOST_WATTS = 10_000


@dataclass(frozen=True, slots=True)
class Meter:
    """What this machine tells of the power it takes; nothing where all is empty.

    `counters`: files that count microjoules, one for each processor (Linux: Documentation/power/powercap/powercap.rst);
    `watts`: what a graphics card says it takes now; `is_closed`: there are counters, and only an administrator may
    read them.
    """

    counters: tuple[Path, ...] = ()
    watts: float | None = None
    is_closed: bool = False


@dataclass(frozen=True, slots=True)
class Energy:
    """What the counters said at a moment: microjoules each, and `at` in seconds."""

    at: float
    counts: tuple[int, ...]


def find_meter(powercap: Path = _POWERCAP, hwmon: Path = _HWMON) -> Meter:
    """RAPL's counters of the processors, else a graphics card's own reading. Starts no program, asks for no rights."""
    # "intel-rapl:0" is a whole processor; "intel-rapl:0:1", a part of it, is counted in it.
    found = [
        zone / "energy_uj"
        for zone in sorted(powercap.glob("intel-rapl:*"))
        if _PROCESSOR.fullmatch(zone.name) and (zone / "energy_uj").exists()
    ]
    if found and all(os.access(counter, os.R_OK) for counter in found):
        return Meter(tuple(found))
    for file in sorted(hwmon.glob("hwmon*/power1_average")):
        try:
            return Meter(watts=int(file.read_text()) / 1e6, is_closed=bool(found))
        except (OSError, ValueError):
            continue
    return Meter(is_closed=bool(found))


def read_energy(meter: Meter, now: float) -> Energy | None:
    """What the counters say at `now`; None where there are none, or one can't be read any more."""
    try:
        counts = tuple(int(counter.read_text()) for counter in meter.counters)
    except (OSError, ValueError):
        return None
    return Energy(now, counts) if counts else None


def mean_watts(meter: Meter, before: Energy, after: Energy) -> float | None:
    """The power between two readings. None where they are too near each other, or say what no machine takes."""
    seconds = after.at - before.at
    if seconds < _SHORTEST or len(before.counts) != len(after.counts):
        return None
    used = 0
    for counter, begun, ended in zip(meter.counters, before.counts, after.counts, strict=True):
        used += ended - begun if ended >= begun else ended - begun + _range(counter)
    watts = used / 1e6 / seconds
    return watts if 0 < watts < _MOST_WATTS else None


def _range(counter: Path) -> int:
    """Where a counter begins anew, in microjoules; 0 where it does not tell."""
    try:
        return int(counter.with_name("max_energy_range_uj").read_text())
    except (OSError, ValueError):
        return 0


def electricity(seconds: float, watts: float, per_kwh: float) -> Decimal:
    """What so many seconds of work cost, in the currency of `per_kwh`."""
    return Decimal(str(seconds * watts / _JOULES_PER_KWH * per_kwh))


def break_even_months(machine: float, remote_per_month: float, electricity_per_month: float) -> float | None:
    """Months until a machine of this price has cost less than the provider; None if it never does.

    All in one currency, from the person's own use of the last month.
    """
    saved = remote_per_month - electricity_per_month
    return machine / saved if saved > 0 else None
