"""A real Alcove in a real window on a virtual screen, driven with key presses as a person would."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path


def wait_until(condition: Callable[[], object], seconds: float = 60.0, what: str = "") -> None:
    """Wait for a condition, or fail after a deadline that no working machine needs."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"did not happen within {seconds} s: {what}")
        time.sleep(0.05)


class AlcoveWindow:
    """One run of the program. `display` as in DISPLAY; `home` becomes ALCOVE_HOME; `under` is what it is run by."""

    def __init__(self, home: Path, display: str, under: Sequence[str] = ()) -> None:
        self._under = under
        self.home = home
        self._display = display
        self.process: subprocess.Popen[str] | None = None
        self.window = ""

    def set(self, **settings: object) -> None:
        """Put settings in force for the next start; `_` stands for the dot in a key's name, once."""
        self.home.mkdir(parents=True, exist_ok=True)
        named = {key.replace("_", ".", 1): value for key, value in settings.items()}
        (self.home / "settings.json").write_text(json.dumps(named), "utf-8")

    def start(self) -> None:
        """Start it and wait until its window takes keys and shows what was there before."""
        environ = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.home),
            "DISPLAY": self._display,
            "ALCOVE_HOME": str(self.home),
            "ALCOVE_TRACE_START": "1",
        }
        self.process = subprocess.Popen(
            [*self._under, sys.executable, "-m", "desktop"],
            env=environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for expected in ("usable", "restored"):
            self._read_line(expected)
        self.window = self._xdotool("search", "--sync", "--onlyvisible", "--name", "Alcove").split()[0]
        self._xdotool("windowfocus", "--sync", self.window)

    def _read_line(self, beginning: str) -> None:
        assert self.process is not None and self.process.stderr is not None
        line = self.process.stderr.readline()
        if not line.startswith(beginning):
            raise AssertionError(f"expected {beginning!r}: {line}{self.process.stderr.read()}")

    def _xdotool(self, *arguments: str) -> str:
        environ = {"PATH": os.environ["PATH"], "DISPLAY": self._display}
        done = subprocess.run(
            ["xdotool", *arguments], env=environ, capture_output=True, text=True, check=True, timeout=60
        )
        return done.stdout

    def type(self, text: str) -> None:
        self._xdotool("type", "--delay", "8", text)

    def press(self, *keys: str) -> None:
        self._xdotool("key", *keys)

    def screenshot(self, file: Path) -> None:
        """The window as a picture (ImageMagick)."""
        environ = {"PATH": os.environ["PATH"], "DISPLAY": self._display}
        subprocess.run(["import", "-window", self.window, str(file)], env=environ, check=True, timeout=60)

    def rows(self, query: str) -> list[tuple[object, ...]]:
        """Ask the database as an outsider."""
        file = self.home / "conversations.db"
        if not file.exists():
            return []
        connection = sqlite3.connect(f"file:{file}?mode=ro", uri=True, timeout=10)
        try:
            return connection.execute(query).fetchall()
        except sqlite3.OperationalError as error:
            if "no such table" in str(error):  # it is being made right now
                return []
            raise
        finally:
            connection.close()

    def quit(self) -> int:
        """Close it with the key for it. Returns the exit status."""
        assert self.process is not None
        self.press("ctrl+q")
        status = self.process.wait(30)
        self._close_pipes()
        return status

    def kill(self) -> None:
        assert self.process is not None
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(30)
        self._close_pipes()

    def _close_pipes(self) -> None:
        assert self.process is not None
        for pipe in (self.process.stdout, self.process.stderr):
            if pipe is not None:
                pipe.close()
