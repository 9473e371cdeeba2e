"""What answering on this device costs, and from when on that is less than what a provider takes."""

from __future__ import annotations

import os
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

_POWERCAP = Path("/sys/class/powercap")
_HWMON = Path("/sys/class/hwmon")
_JOULES_PER_KWH = 3_600_000


@dataclass(frozen=True, slots=True)
class Meter:
    """What this machine tells of the power it takes. `watts` now, where one reading says it; `energy_file` counts
    microjoules (Linux: Documentation/power/powercap/powercap.rst); "" and None where the machine tells nothing.
    """

    source: str = ""
    watts: float | None = None
    energy_file: str = ""


def find_meter(powercap: Path = _POWERCAP, hwmon: Path = _HWMON) -> Meter:
    """RAPL's counter of the processor, else a graphics card's own reading. Starts no program and asks for no rights."""
    for file in sorted(powercap.glob("intel-rapl:[0-9]*/energy_uj")):
        if os.access(file, os.R_OK):
            return Meter("RAPL", energy_file=str(file))
    for file in sorted(hwmon.glob("hwmon*/power1_average")):
        try:
            return Meter("hwmon", watts=int(file.read_text()) / 1e6)
        except (OSError, ValueError):
            continue
    return Meter()


def electricity(seconds: float, watts: float, per_kwh: float) -> Decimal:
    """What so many seconds of work cost, in the currency of `per_kwh`."""
    return Decimal(str(seconds * watts / _JOULES_PER_KWH * per_kwh))


def break_even_months(machine: float, remote_per_month: float, electricity_per_month: float) -> float | None:
    """Months until a machine of this price has cost less than the provider; None if it never does.

    All in one currency, from the person's own use of the last month.
    """
    saved = remote_per_month - electricity_per_month
    return machine / saved if saved > 0 else None
