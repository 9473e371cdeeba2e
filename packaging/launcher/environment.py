"""`.venv`: where things are in it, and whether it is complete for this checkout on this machine."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from pathlib import Path
from typing import Any

from launcher import machine

LOCKS = ("requirements-uv.lock", "requirements-build.lock", "requirements.lock", "requirements-dev.lock")
SERVERS_LOCK = "tests/servers/package-lock.json"  # npm's, for what the tests speak to
FORMAT = "1"  # of the set-up itself: raise it when its steps change


class Environment:
    """The environment of one checkout. Reading it starts no program: that is what makes a second start quick.

    The stamp is written when everything is in place and taken away before anything is changed; `unfinished` is
    there in between. So a set-up that was cut off, by whatever, is seen at the next start.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.folder = root / ".venv"
        self.python = self.program("python")
        self.log = self.folder / "setup.log"
        self.stamp = self.folder / "alcove-setup.json"
        self.unfinished = self.folder / "unfinished"

    def program(self, name: str) -> Path:
        """Where a program of the environment is."""
        if sys.platform == "win32":
            return self.folder / "Scripts" / f"{name}.exe"
        return self.folder / "bin" / name

    def is_ready(self, *, tests: bool = False, display: str = "") -> bool:
        """Complete: with the tests' libraries if `tests`, and looked at for this kind of display."""
        facts = self.facts()
        return (
            facts.get("fingerprint") == self.fingerprint()
            and (facts.get("tests", False) or not tests)
            and (not display or display in facts.get("displays", []))
            and self.python.exists()  # follows the link: a Python that was removed leaves it dangling
        )

    def facts(self) -> dict[str, Any]:
        """What the last complete set-up wrote down; empty if there was none."""
        try:
            facts = json.loads(self.stamp.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return facts if isinstance(facts, dict) else {}

    def fingerprint(self) -> str:
        """Everything that makes an environment out of date: the locks, the project file, the place, the machine."""
        digest = hashlib.sha256()
        for name in (*LOCKS, SERVERS_LOCK, "pyproject.toml"):
            digest.update((self.root / name).read_bytes())
        # Scripts and the .pth file in .venv name the checkout's place: a moved checkout needs a new one.
        digest.update(f"{FORMAT}\n{self.root}\n{machine.built_for()}\n".encode())
        digest.update(self._interpreter())
        return digest.hexdigest()

    def begin(self) -> None:
        """From here on the environment counts as unfinished."""
        self.folder.mkdir(exist_ok=True)
        self.unfinished.touch()
        self.stamp.unlink(missing_ok=True)

    def complete(self, facts: dict[str, Any]) -> None:
        """Everything is in place."""
        written = self.stamp.with_suffix(".new")
        written.write_text(
            json.dumps(facts | {"fingerprint": self.fingerprint()}, indent=1), encoding="utf-8"
        )
        os.replace(written, self.stamp)
        self.unfinished.unlink(missing_ok=True)

    def _interpreter(self) -> bytes:
        """Which Python `.venv` was made with: its version and folder."""
        try:
            return (self.folder / "pyvenv.cfg").read_bytes()
        except OSError:
            return b""
