"""What a request is sent for: the facts that the gate and the ledger need and that no URL says."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from providers.gate.rules import Label, Purpose


@dataclass(slots=True)
class Spent:
    """What a request used, noted in its last row. `cost`: a decimal number as text, "" while unknown."""

    tokens_in: int | None = None
    tokens_out: int | None = None
    cost: str = ""
    currency: str = ""


@dataclass(slots=True, eq=False)
class Errand:
    """One piece of work of the broker, which may take several requests. Given up from any thread."""

    purpose: Purpose
    provider: str = ""
    model: str = ""
    conversation: str = ""
    redacted: Mapping[str, int] = field(default_factory=dict)
    spent: Spent = field(default_factory=Spent)
    label: Label = Label.STAYS
    _given_up: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _cuts: list[Callable[[], None]] = field(default_factory=list)

    @property
    def given_up(self) -> bool:
        return self._given_up.is_set()

    def give_up(self) -> None:
        """Cut the connections in use, and let no other begin."""
        self._given_up.set()
        with self._lock:
            cuts = list(self._cuts)
        for cut in cuts:
            cut()

    def pause(self, seconds: float) -> bool:
        """Wait so long. Returns whether the errand was given up meanwhile, and then at once."""
        return self._given_up.wait(seconds)

    def in_use(self, cut: Callable[[], None]) -> None:
        """A connection begins to work for this errand: `cut` ends it."""
        with self._lock:
            self._cuts.append(cut)
        if self.given_up:
            cut()

    def not_in_use(self, cut: Callable[[], None]) -> None:
        with self._lock:
            if cut in self._cuts:
                self._cuts.remove(cut)

    @contextmanager
    def running(self) -> Iterator[None]:
        """What this thread sends meanwhile, through whatever library, is sent for this errand."""
        before = current_errand()
        _here.errand = self
        try:
            yield
        finally:
            _here.errand = before


_here = threading.local()


def current_errand() -> Errand | None:
    """The errand of this thread."""
    errand: Errand | None = getattr(_here, "errand", None)
    return errand
