"""Budgets: how much may be spent on remote models in a day and a month, in all and for each provider.

    remote/budgets.json in Alcove's home:
    {"budgets": {"": {"month": "20"}, "openai": {"day": "1", "month": "5"}}, "unpriced": "refuse", "warn": 0.8}

In US dollars; "" is all providers together. A file that is there and can't be read is a spent budget.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal, InvalidOperation
from enum import StrEnum

from providers.costs.spending import Spending

FOLDER, FILE = "remote", "budgets.json"
ALL = ""
"""The provider that stands for all of them."""
_MOST_BYTES = 64 * 1024
_MOST = Decimal(1_000_000_000)


class Verdict(StrEnum):
    """What a budget has to say about one more request, from least to most."""

    OPEN = "open"
    WARN = "warn"  # most of it is spent
    UNPRICED = "unpriced"  # there is a budget, and no telling what this would cost
    STOP = "stop"  # it is spent, or could not be read


@dataclass(frozen=True, slots=True)
class Limit:
    """US dollars. None: no limit."""

    day: Decimal | None = None
    month: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Budgets:
    """`limits` by provider; `readable` False: they are there and damaged, so nothing may be spent."""

    limits: Mapping[str, Limit] = field(default_factory=dict)
    refuse_unpriced: bool = True
    warn: float = 0.8
    readable: bool = True

    def verdict(
        self, provider: str, price_known: bool, own: bool, spending: Spending, today: date | None = None
    ) -> Verdict:
        """About one more request to a provider. A server of one's own without a price costs nothing that counts."""
        if not self.readable:
            return Verdict.STOP
        today = today or date.today()
        found = [
            self._of(limit, name, spending, today)
            for name in (ALL, provider)
            if (limit := self.limits.get(name)) is not None and limit != Limit()
        ]
        if not found or (own and not price_known):
            return Verdict.OPEN
        worst = max(found, key=list(Verdict).index)
        # What was paid in another currency can't be set against a limit in dollars.
        is_clear = price_known and set(spending.sum(today.replace(day=1)).amounts) <= {"USD"}
        if worst is not Verdict.STOP and not is_clear and self.refuse_unpriced:
            return Verdict.UNPRICED
        return worst

    def _of(self, limit: Limit, provider: str, spending: Spending, today: date) -> Verdict:
        verdict = Verdict.OPEN
        for most, since in ((limit.day, today), (limit.month, today.replace(day=1))):
            if most is None:
                continue
            spent = spending.sum(since, provider=provider).dollars
            if spent >= most:
                return Verdict.STOP
            if spent >= most * Decimal(str(self.warn)):
                verdict = Verdict.WARN
        return verdict


def read_budgets(home: str) -> Budgets:
    """The budgets of the Alcove at `home`. Never raises; none where there is no file."""
    try:
        with open(os.path.join(home, FOLDER, FILE), "rb") as file:
            return _from_record(json.loads(file.read(_MOST_BYTES)))
    except FileNotFoundError:
        return Budgets()
    except (OSError, ValueError, TypeError, AttributeError, KeyError, RecursionError, InvalidOperation):
        return Budgets(readable=False)


def write_budgets(home: str, budgets: Budgets) -> None:
    """Replace the file in one step; it holds from the next request on. Raises OSError; then the old one stands."""
    folder = os.path.join(home, FOLDER)
    os.makedirs(folder, mode=0o700, exist_ok=True)
    path = os.path.join(folder, FILE)
    record = {
        "budgets": {
            name: {
                period: str(amount)
                for period, amount in (("day", limit.day), ("month", limit.month))
                if amount is not None
            }
            for name, limit in budgets.limits.items()
            if limit != Limit()
        },
        "unpriced": "refuse" if budgets.refuse_unpriced else "allow",
        "warn": budgets.warn,
    }
    with open(
        os.open(path + ".new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8"
    ) as file:
        json.dump(record, file, sort_keys=True, indent=1)
        file.write("\n")
        file.flush()
        os.fsync(file.fileno())
    os.replace(path + ".new", path)


def _from_record(record: Mapping[str, object]) -> Budgets:
    if not {"budgets", "unpriced", "warn"} >= record.keys() or "budgets" not in record:
        raise ValueError("not what this version writes")
    limits, unpriced, warn = record["budgets"], record.get("unpriced", "refuse"), record.get("warn", 0.8)
    if not isinstance(limits, dict) or unpriced not in ("refuse", "allow"):
        raise ValueError("not what this version writes")
    if isinstance(warn, bool) or not isinstance(warn, int | float) or not 0 < warn <= 1:
        raise ValueError("no share")
    return Budgets({name: _limit(entry) for name, entry in limits.items()}, unpriced == "refuse", float(warn))


def _limit(entry: Mapping[str, object]) -> Limit:
    if not {"day", "month"} >= entry.keys():
        raise ValueError("no budget")
    amounts = {name: Decimal(str(amount)) for name, amount in entry.items()}
    if not all(amount.is_finite() and 0 <= amount <= _MOST for amount in amounts.values()):
        raise ValueError("no amount")
    return Limit(**amounts)
