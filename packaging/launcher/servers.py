"""The servers that the tests speak to and others wrote: an npm package, put into `.venv/test-servers`.

Node itself comes as a Python package of the tests' lock, so that no other version of it has to be on the system.
What is installed is in tests/servers/package-lock.json, by hash.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Sequence

from launcher.environment import Environment

FILES = ("package.json", "package-lock.json", ".npmrc")


def folder(environment: Environment) -> str:
    """Where they are."""
    return str(environment.folder / "test-servers")


def install(environment: Environment, run: Callable[[Sequence[str]], None]) -> None:
    """Put exactly what the lock names into the folder, running nothing of it. Raises OSError, and what `run` raises."""
    place = folder(environment)
    os.makedirs(place, exist_ok=True)
    for name in FILES:
        shutil.copyfile(environment.root / "tests" / "servers" / name, os.path.join(place, name))
    npm = str(environment.program("npm"))
    run([npm, "ci", "--prefix", place, "--prefer-offline", "--no-progress"])
