"""`run.py bench`: one child per file of tests/benchmarks, one table, kept when it is whole.

Each area measures in a process of its own, so that none pays for the windows and models of another.
"""

from __future__ import annotations

import datetime
import json
import os
import platform
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from launcher import native, running
from launcher.console import Console
from launcher.environment import Environment

FOLDER = "tests/benchmarks"
PREFACE = """\
# What was measured
The newest full run of `python3 run.py bench`: medians and ratios within one run. A shared or busy machine shows in
the seconds, hardly in the ratios.

"""


class Line(NamedTuple):
    """A row of the table (`benchmarks.row.Row`). `met` is None for a figure without a target."""

    name: str
    figure: str
    target: str
    met: bool | None
    how: str


def areas(root: Path) -> list[str]:
    """The names of all benchmarks: the files that have a `run(quick)`."""
    files = sorted((root / FOLDER).glob("*.py"))
    return [file.stem for file in files if "\ndef run(quick: bool)" in file.read_text(encoding="utf-8")]


def run(environment: Environment, names: Sequence[str], *, quick: bool) -> int:
    """Measures, prints the table, keeps it if nothing was left out. 1 if a target was missed or an area failed."""
    chosen = list(names) or areas(environment.root)
    console = Console(len(chosen))
    lines: list[Line] = []
    failed: list[str] = []
    for name in chosen:
        try:
            with console.step(name):
                lines += _measure(environment, name, quick, console)
        except running.CommandFailed as error:
            failed.append(name)
            console.say("\n".join(f"      {line}" for line in error.tail))
    result = f"{table(lines)}\n\n{hardware()}; {_now()}{', quick: few repetitions' if quick else ''}\n"
    print(result)
    missed = [line.name for line in lines if line.met is False]
    for word, which in (("Missed", missed), ("Failed", failed)):
        if which:
            print(f"{word}: {', '.join(which)}")
    if not (quick or names or failed):
        (environment.root / FOLDER / "RESULTS.md").write_text(PREFACE + result, encoding="utf-8")
    return 1 if missed or failed else 0


def table(lines: Sequence[Line]) -> str:
    """A Markdown table with its columns in line, so that a terminal and a browser both show it well."""
    marks = {True: "met", False: "MISSED", None: ""}
    cells = [[line.name, line.figure, line.target, marks[line.met], line.how] for line in lines]
    rows = [
        ["what", "figure", "target", "", "how"],
        *([cell.replace("|", "\\|") for cell in row] for row in cells),
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(5)]
    padded = [[cell.ljust(width) for cell, width in zip(row, widths, strict=True)] for row in rows]
    texts = [f"| {' | '.join(row)} |" for row in padded]
    texts.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(texts)


def hardware() -> str:
    """The machine in one line: processor, cores, memory, GPU, system, Python."""
    gigabytes = f"{native.memory() / 1e9:.0f} GB"
    parts = [
        native.processor_name(),
        f"{os.cpu_count()} cores",
        gigabytes,
        native.nvidia_gpu() or "no NVIDIA GPU",
    ]
    return ", ".join(
        [*parts, f"{platform.system()} {platform.release()}", f"Python {platform.python_version()}"]
    )


def _measure(environment: Environment, name: str, quick: bool, console: Console) -> list[Line]:
    """Runs one area in the environment. What it prints is the progress shown."""
    with tempfile.TemporaryDirectory(prefix="alcove-bench-") as folder:
        answer = Path(folder, "rows.json")
        command = [str(environment.python), "-X", "utf8", "-P", f"{FOLDER}/__main__.py", name, str(answer)]
        with Path(folder, "log").open("w", encoding="utf-8") as log:
            running.run(
                command + (["--quick"] if quick else []),
                console,
                log,
                read=lambda line: line[:120],
                environment={"QT_QPA_PLATFORM": "offscreen", **os.environ, "ALCOVE_HOME": folder},
                directory=environment.root,
            )
        return [Line(**row) for row in json.loads(answer.read_text(encoding="utf-8"))]


def _now() -> str:
    return datetime.datetime.now().astimezone().strftime("%Y-%m-%d %H:%M")
