"""What was spent, summed up from the rows of the ledger: by day, provider, model and conversation.

Costs that nobody knows are counted apart, as requests and tokens: they are not nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal, InvalidOperation


@dataclass(slots=True)
class Sum:
    """Of some requests. `amounts` by currency."""

    requests: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    amounts: dict[str, Decimal] = field(default_factory=lambda: defaultdict(Decimal))
    unknown: int = 0  # requests whose cost is not known

    def add(self, other: Sum) -> None:
        self.requests += other.requests
        self.tokens_in += other.tokens_in
        self.tokens_out += other.tokens_out
        self.unknown += other.unknown
        for currency, amount in other.amounts.items():
            self.amounts[currency] += amount

    @property
    def dollars(self) -> Decimal:
        return self.amounts.get("USD", Decimal(0))


@dataclass(frozen=True, slots=True)
class Spent:
    """One request that left. `day` in the person's own time zone."""

    day: date
    provider: str
    model: str
    conversation: str
    sum: Sum


class Spending:
    """Fed with rows of a ledger in their order, in any portions."""

    def __init__(self) -> None:
        self._open: dict[str, Mapping[str, object]] = {}
        self.spent: list[Spent] = []

    def take(self, rows: Iterable[Mapping[str, object]]) -> None:
        for row in rows:
            if row.get("kind") == "request" and row.get("verdict") == "allowed":
                if row.get("purpose") in ("chat", "title"):
                    self._open[str(row.get("id"))] = row
            elif row.get("kind") == "end":
                request = self._open.pop(str(row.get("id")), None)
                if request is not None and row.get("status") in (0, 200):
                    self.spent.append(_spent(request, row))

    def _everything(self) -> list[Spent]:
        """What is over, and what is under way or was cut off: nobody knows what that costs."""
        return [*self.spent, *(_spent(request, {}) for request in self._open.values())]

    def sum(
        self,
        since: date | None = None,
        until: date | None = None,
        provider: str = "",
        conversation: str = "",
    ) -> Sum:
        """Of the days from `since` to `until`, both included; "" for every provider and conversation."""
        total = Sum()
        for one in self._everything():
            if (
                (since is None or one.day >= since)
                and (until is None or one.day <= until)
                and provider in ("", one.provider)
                and conversation in ("", one.conversation)
            ):
                total.add(one.sum)
        return total

    def by_day(self, since: date) -> dict[date, dict[str, Sum]]:
        """For each day its providers' sums."""
        days: dict[date, dict[str, Sum]] = defaultdict(lambda: defaultdict(Sum))
        for one in self._everything():
            if one.day >= since:
                days[one.day][one.provider].add(one.sum)
        return days

    def by(self, name: str, since: date | None = None) -> dict[str, Sum]:
        """By "provider", "model" or "conversation", since a day."""
        sums: dict[str, Sum] = defaultdict(Sum)
        for one in self._everything():
            if since is None or one.day >= since:
                sums[str(getattr(one, name))].add(one.sum)
        return sums


def _spent(request: Mapping[str, object], end: Mapping[str, object]) -> Spent:
    def tokens(name: str) -> int:
        found = end.get(name)
        return found if type(found) is int else 0

    total = Sum(1, tokens("tokens_in"), tokens("tokens_out"))
    amount = _amount(end.get("cost"))
    if amount is None:
        total.unknown = 1
    else:
        total.amounts[str(end.get("currency") or "USD")] = amount
    return Spent(
        _day(str(request.get("time", ""))),
        str(request.get("provider", "")),
        str(request.get("model", "")),
        str(request.get("conversation", "")),
        total,
    )


def _amount(text: object) -> Decimal | None:
    try:
        amount = Decimal(str(text)) if text else None
    except InvalidOperation:
        return None
    return amount if amount is not None and amount.is_finite() and amount >= 0 else None


def _day(moment: str) -> date:
    """The day of a row, here. What is no time is today: a budget counts it at once."""
    try:
        return datetime.fromisoformat(moment.replace("Z", "+00:00")).astimezone().date()
    except ValueError:
        return date.today()
