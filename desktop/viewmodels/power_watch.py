"""How much power this computer takes while a model on it answers, where it has counters that may be read."""

from __future__ import annotations

import time
from collections.abc import Callable

from PySide6.QtCore import QObject

from desktop.settings import Settings
from desktop.viewmodels.chat import ChatState, ChatViewModel
from providers.costs.local import Energy, Meter, find_meter, mean_watts, read_energy

_NEWEST = 0.25  # how much the newest answer counts against all before


class PowerWatch(QObject):
    """Reads the counters when an answer begins and when it ends. Nothing of it leaves, and nothing waits for it."""

    def __init__(
        self,
        chat: ChatViewModel,
        settings: Settings,
        parent: QObject | None = None,
        meter: Meter | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`meter`: this machine's own unless another is given. `clock`: in seconds."""
        super().__init__(parent)
        self._chat = chat
        self._settings = settings
        self._meter = find_meter() if meter is None else meter
        self._clock = clock
        self._begun: Energy | None = None
        if self._meter.counters:
            chat.state_changed.connect(self._look)
            self._look()

    def _look(self) -> None:
        if self._chat.state is ChatState.IDLE:
            begun, self._begun = self._begun, None
            if begun is not None:
                self._end(begun)
        elif self._begun is None and self._chat.answers_here:
            self._begun = read_energy(self._meter, self._clock())

    def _end(self, begun: Energy) -> None:
        ended = read_energy(self._meter, self._clock())
        watts = mean_watts(self._meter, begun, ended) if ended is not None else None
        if watts is None:
            return
        before = float(self._settings.get("costs.measured_watts") or 0)
        self._settings.set(
            "costs.measured_watts", round(before + (watts - before) * _NEWEST if before else watts, 1)
        )
