"""What run.py says while it works: numbered steps, alive on a terminal, a plain line now and then elsewhere."""

from __future__ import annotations

import contextlib
import shutil
import sys
import time
from collections.abc import Iterator

PLAIN_EVERY = 10.0  # seconds between two lines where no terminal shows a living one
LIVE_EVERY = 0.2


def duration(seconds: float) -> str:
    """ "8 s", "3 min 05 s"."""
    whole = round(seconds)
    return f"{whole} s" if whole < 60 else f"{whole // 60} min {whole % 60:02d} s"


class Console:
    """Writes to standard error, so that `run.py ask … > answer.txt` keeps nothing but the answer.

    `tick` is called often while a step runs: it keeps the line alive.
    """

    def __init__(self, steps: int = 0) -> None:
        self._stream = sys.stderr
        self._live = self._stream.isatty()
        self._steps = steps
        self._step = 0
        self._title = ""
        self._activity = ""
        self._result = ""
        self._began = 0.0
        self._shown = 0.0
        self._width = 0

    def say(self, text: str = "") -> None:
        """A line that stays."""
        self._erase()
        print(text, file=self._stream, flush=True)

    @contextlib.contextmanager
    def step(self, title: str) -> Iterator[None]:
        """The block is one step; it ends with the time it took and "done", or "stopped" if it raised."""
        self._step += 1
        self._title = title
        self._activity = ""
        self._result = "done"
        self._began = self._shown = time.monotonic()
        if self._live:
            self._draw()
        else:
            self.say(f"{self._number()}{title} ...")
        try:
            yield
        except BaseException:
            self._result = "stopped"
            raise
        finally:
            elapsed = duration(time.monotonic() - self._began)
            self.say(f"{self._number()}{self._title}: {self._result} ({elapsed})")

    def result(self, word: str) -> None:
        """What the running step ends with instead of "done"."""
        self._result = word

    def activity(self, text: str) -> None:
        """What the running step is doing right now; shown at the next tick."""
        self._activity = text

    def tick(self) -> None:
        now = time.monotonic()
        if now - self._shown < (LIVE_EVERY if self._live else PLAIN_EVERY):
            return
        self._shown = now
        if self._live:
            self._draw()
        else:
            self.say(f"      {duration(now - self._began)}  {self._activity}".rstrip())

    def _number(self) -> str:
        return f"[{self._step}/{self._steps}] " if self._steps else ""

    def _draw(self) -> None:
        elapsed = duration(time.monotonic() - self._began)
        line = f"{self._number()}{self._title} · {elapsed}" + (
            f" · {self._activity}" if self._activity else ""
        )
        line = line[: shutil.get_terminal_size().columns - 1]
        self._erase()
        self._width = len(line)
        self._stream.write(line)
        self._stream.flush()

    def _erase(self) -> None:
        # Spaces instead of an escape sequence: every terminal of every system understands them.
        if self._live and self._width:
            self._stream.write("\r" + " " * self._width + "\r")
            self._width = 0
