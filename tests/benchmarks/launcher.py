"""What starting through run.py costs over starting Alcove itself."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from statistics import median

from benchmarks.row import Row

ROOT = Path(__file__).parents[2]
ALLOWED = 0.3  # seconds


def run(quick: bool) -> list[Row]:
    """The rows of this area; `quick` repeats less."""
    # The Python that `.venv` was made with, and not a version manager's shim in front of it.
    python = Path(sys._base_executable)  # type: ignore[attr-defined]
    bare = [str(Path(sys.executable).with_name("alcove")), "--version"]
    through = [str(python), str(ROOT / "run.py"), "--version"]
    times = 7 if quick else 25
    seconds: dict[str, list[float]] = {"bare": [], "through": []}
    for _ in range(times):  # in turns: a busy moment of the machine meets both
        seconds["bare"].append(_seconds(bare))
        seconds["through"].append(_seconds(through))
    added = median(seconds["through"]) - median(seconds["bare"])
    return [
        Row(
            "A second start through run.py",
            f"{added * 1000:+.0f} ms",
            f"at most {ALLOWED * 1000:.0f} ms more",
            added <= ALLOWED,
            f"median of {times}, `run.py --version` less `alcove --version`",
        )
    ]


def _seconds(command: list[str]) -> float:
    before = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - before
