"""What the broker knows of money: prices, what this ledger says was spent, and whether a budget lets more out.

Everything is read anew when it has changed: the person's own files, and what the ledger has got since.
"""

from __future__ import annotations

import threading
from pathlib import Path

from providers.costs.budgets import Verdict, read_budgets
from providers.costs.prices import read_own
from providers.costs.spending import Spending
from providers.events import Billed, Usage
from providers.gate.chain import open_line
from providers.gate.enabled import Enabled
from providers.remote.values import Service

_BLOCK = 1 << 20


class Money:
    """Any thread may ask. What it raises refuses."""

    def __init__(self, home: str, enabled: Enabled) -> None:
        self._home = home
        self._enabled = enabled
        self._ledger = Path(home) / "ledger" / "ledger.jsonl"
        self._lock = threading.Lock()
        self._spending = Spending()
        self._read = 0  # bytes of the ledger
        self._rest = b""

    def within_budget(self, provider: str, model: str) -> bool:
        """Whether one more request may leave, as far as money goes."""
        service = self._enabled.known(provider)
        budgets = read_budgets(self._home)
        if budgets.readable and not budgets.limits:
            return True
        if service is None:
            return False
        price = read_own(self._home).price_of(service, model)
        known = price is not None and price.input is not None and price.output is not None
        verdict = budgets.verdict(provider, known, service.own, self.spending())
        return verdict in (Verdict.OPEN, Verdict.WARN)

    def price(self, service: Service, model: str, usage: Usage) -> Billed:
        """What an answer cost, by the list or by the person's own prices."""
        return read_own(self._home).billed(service, model, usage)

    def spending(self) -> Spending:
        """What was spent until now. Raises OSError when the ledger can't be read."""
        with self._lock:
            try:
                size = self._ledger.stat().st_size
            except FileNotFoundError:
                size = 0
            if size < self._read:  # another file: begin again
                self._spending, self._read, self._rest = Spending(), 0, b""
            if size > self._read:
                with open(self._ledger, "rb") as file:
                    file.seek(self._read)
                    while data := file.read(_BLOCK):
                        self._read += len(data)
                        self._take(data)
            return self._spending

    def _take(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + data).split(b"\n")
        opened = (open_line(line, None) for line in lines)
        self._spending.take(found[0] for found in opened if found is not None)
