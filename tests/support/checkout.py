"""A small checkout that is set up: enough for run.py to start something, made in a moment."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from launcher.environment import LOCKS, SERVERS_LOCK, Environment

ROOT = Path(__file__).parents[2]
# Stands where Alcove would: says how it was started.
PROGRAM = "import json, sys; print(json.dumps([sys.prefix, sys.flags.safe_path, sys.argv[1:]]))\n"


def a_checkout(folder: Path, *, complete: bool = True) -> Environment:
    """run.py and its parts in `folder`, with a real, empty virtual environment if `complete`."""
    folder.mkdir()
    for name in ("run.py", "pyproject.toml", *LOCKS):
        shutil.copy(ROOT / name, folder / name)
    (folder / SERVERS_LOCK).parent.mkdir(parents=True)
    shutil.copy(ROOT / SERVERS_LOCK, folder / SERVERS_LOCK)
    shutil.copytree(ROOT / "packaging/launcher", folder / "packaging/launcher")
    environment = Environment(folder)
    if complete:
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(environment.folder)], check=True)
        packages = next(environment.folder.glob("[lL]ib*/**/site-packages"))
        (packages / "desktop").mkdir()
        (packages / "desktop/__main__.py").write_text(PROGRAM)
        environment.complete({"tests": False, "displays": []})
    return environment
