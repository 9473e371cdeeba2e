"""What `run.py check` and the tests hold the source to."""

from __future__ import annotations

import subprocess
from collections.abc import Callable

from launcher.environment import Environment

# What it is for a person → the program in `.venv` and its arguments.
CHECKS = {
    "style": ("ruff", "check", "--quiet", "."),
    "layout": ("ruff", "format", "--check", "--quiet", "."),
    "types": ("mypy", "--no-error-summary"),
    "who imports whom": ("lint-imports", "--no-logo"),
}


def check(environment: Environment, name: str, tick: Callable[[], None] = lambda: None) -> tuple[bool, str]:
    """Whether this check passes, and what it printed. Calls `tick` while it runs."""
    program, *arguments = CHECKS[name]
    process = subprocess.Popen(
        [environment.program(program), *arguments],
        cwd=environment.root,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
    )
    while True:
        try:
            output, _ = process.communicate(timeout=0.2)
        except subprocess.TimeoutExpired:
            tick()
        else:
            return process.returncode == 0, output
