"""How long until the window can be typed into, against an empty PySide6 window started the same way."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from benchmarks.row import Row

ROOT = Path(__file__).parents[2]
TARGET = 2.0  # times the empty window

EMPTY_WINDOW = """
import sys
from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QApplication, QMainWindow, QPlainTextEdit

qt = QApplication([])
window = QMainWindow()
field = QPlainTextEdit()
window.setCentralWidget(field)
window.show()
field.setFocus()
QTimer.singleShot(0, lambda: print("usable", file=sys.stderr, flush=True))
qt.exec()
"""


def run(quick: bool) -> list[Row]:
    """Medians of alternated runs, from the start of the process to the first turn of its event loop."""
    runs = 7 if quick else 15
    with tempfile.TemporaryDirectory(prefix="alcove-startup-") as name:
        folder = Path(name)
        for warm_up in (_empty, _alcove):  # compiles the modules and fills the disk cache
            warm_up(folder)
        pairs = [(_empty(folder), _alcove(folder)) for _ in range(runs)]
    empty, alcove = (median(times) for times in zip(*pairs, strict=True))
    ratio = median(ours / theirs for theirs, ours in pairs)
    return [
        Row(
            "Window usable, against an empty window",
            f"{ratio:.2f} × ({alcove * 1000:.0f} ms against {empty * 1000:.0f} ms)",
            f"at most {TARGET} ×",
            ratio <= TARGET,
            f"median of {runs} alternated starts, offscreen, fresh home; process start to focused composer",
        )
    ]


def _empty(folder: Path) -> float:
    return _seconds([sys.executable, "-c", EMPTY_WINDOW], folder)


def _alcove(folder: Path) -> float:
    return _seconds([sys.executable, "-m", "desktop"], folder)


def _seconds(command: list[str], folder: Path) -> float:
    """From the start of the process to its line that says it can be used."""
    with tempfile.TemporaryDirectory(prefix="home-", dir=folder, ignore_cleanup_errors=True) as home:
        environ = {
            **os.environ,
            "HOME": home,
            "XDG_DATA_HOME": home,
            "ALCOVE_TRACE_START": "1",
            "QT_QPA_PLATFORM": "offscreen",
            "PYTHONPYCACHEPREFIX": str(folder / "bytecode"),
        }
        environ.pop("PYTHONDONTWRITEBYTECODE", None)
        environ.pop("ALCOVE_HOME", None)  # people have none, and finding their folder is part of the start
        started = time.perf_counter()
        process = subprocess.Popen(command, cwd=ROOT, env=environ, stderr=subprocess.PIPE, text=True)
        try:
            assert process.stderr is not None
            for line in process.stderr:
                if line.startswith("usable"):
                    return time.perf_counter() - started
            raise RuntimeError(f"{command[1:]} ended with {process.wait()} before its window was usable")
        finally:
            process.kill()
            process.wait()
            if process.stderr is not None:
                process.stderr.close()
