"""How fast a download is and how long it will take, told a few times a second."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

from models.download_values import Event, Progress

_EVERY = 0.2
_WINDOW = 5.0


class Meter:
    """Speed over the last five seconds; bytes that were there before count as progress, not as speed."""

    def __init__(self, name: str, emit: Callable[[Event], None]) -> None:
        self._name = name
        self._emit = emit
        self._last = -1
        self._told = 0.0
        self._seen: deque[tuple[float, int]] = deque()
        self._came = 0

    def at(self, done: int, total: int) -> None:
        """`done` of `total` bytes are here."""
        now = time.monotonic()
        if 0 <= self._last < done:
            self._came += done - self._last
        self._last = done
        if now - self._told < _EVERY and done < total:
            return
        self._told = now
        self._seen.append((now, self._came))
        while now - self._seen[0][0] > _WINDOW:
            self._seen.popleft()
        speed = self._speed(now)
        left = (total - done) / speed if speed > 0 else None
        self._emit(Progress(self._name, done, total, speed, left))

    def _speed(self, now: float) -> float:
        first, came = self._seen[0]
        return (self._came - came) / (now - first) if now > first else 0.0
