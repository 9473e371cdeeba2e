"""Measures one area and writes its rows as JSON: `python tests/benchmarks NAME FILE [--quick]`. See `run.py bench`."""

from __future__ import annotations

import dataclasses
import importlib
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))


def main() -> None:
    """Imports benchmarks.NAME and calls its `run(quick)`."""
    name, file, *options = sys.argv[1:]
    rows = importlib.import_module(f"benchmarks.{name}").run("--quick" in options)
    Path(file).write_text(json.dumps([dataclasses.asdict(row) for row in rows]), encoding="utf-8")


if __name__ == "__main__":
    main()
