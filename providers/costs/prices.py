"""Prices of remote models: a dated list that comes with Alcove, and a person's own numbers over it.

The list, resources/prices/snapshot.json, is made by packaging/prices/make_snapshot.py from genai-prices (MIT). Prices
are in US dollars for a million tokens. A model that is in no list has no price, which is not a price of nothing.

    remote/prices.json in Alcove's home: {"openai/gpt-5": {"input": "1.25", "output": "10", "cached": "0.125"}}
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time
from decimal import Decimal, InvalidOperation
from functools import cache
from pathlib import Path
from typing import Any

import resources
from providers.events import Billed, CostBasis, Usage
from providers.remote.values import Service

_FILE = Path(resources.__path__[0]) / "prices" / "snapshot.json"
FOLDER, OWN_FILE = "remote", "prices.json"
_MOST_BYTES = 1 << 20
_MILLION = Decimal(1_000_000)
_LONGEST_NAME = 200
_UNITS = ("input", "cached", "cache_write", "output", "thousand_requests")


@dataclass(frozen=True, slots=True)
class Price:
    """US dollars for a million tokens, and for a thousand requests. None: not said.

    `steps`: for each unit, from how many tokens in on another price holds for the whole request.
    """

    input: Decimal | None = None
    output: Decimal | None = None
    cached: Decimal | None = None  # read from the provider's cache
    cache_write: Decimal | None = None
    thousand_requests: Decimal | None = None
    steps: tuple[tuple[str, int, Decimal], ...] = ()
    priced_on: str = ""  # the day of the list, ISO 8601
    source: str = ""

    def at(self, tokens_in: int) -> Price:
        """The price of a request of this size."""
        found = self
        for unit, start, amount in self.steps:
            if tokens_in > start:
                change: dict[str, Any] = {unit: amount}
                found = replace(found, **change)
        return found


class Prices:
    """The list, with a person's own prices over it."""

    def __init__(self, own: Mapping[str, Price] | None = None) -> None:
        self._own = own or {}

    @property
    def date(self) -> str:
        """The day of the list."""
        return str(_snapshot()["date"])

    @property
    def source(self) -> str:
        return str(_snapshot()["source"])

    def price_of(self, service: Service, model: str, now: datetime | None = None) -> Price | None:
        """What a model costs now; None for one that nobody knows the price of."""
        own = self._own.get(f"{service.id}/{model}") or self._own.get(f"{service.id}/*")
        if own is not None:
            return own
        if not service.prices or len(model) > _LONGEST_NAME:
            return None
        moment = (now or datetime.now(UTC)).astimezone(UTC)
        name = model.removeprefix("models/")
        for entry in _snapshot()["providers"].get(service.prices, ()):
            if entry["id"] == name or _matches(entry["match"], name):
                return _price_now(entry["prices"], moment, self.date, self.source)
        return None

    def billed(self, service: Service, model: str, usage: Usage, now: datetime | None = None) -> Billed:
        """What an answer cost, by the list; UNKNOWN where it can't tell."""
        price = self.price_of(service, model, now)
        total = None if price is None else cost(price, usage)
        if price is None or total is None:
            return Billed()
        return Billed(written(total), "USD", CostBasis.COMPUTED, price.priced_on)


def cost(price: Price, usage: Usage) -> Decimal | None:
    """US dollars, exactly. None where something was used that the price does not name."""
    price = price.at(usage.prompt_tokens)
    cached = min(usage.reused_tokens, usage.prompt_tokens)
    put = min(usage.cache_write_tokens, usage.prompt_tokens - cached)
    plain = usage.prompt_tokens - cached - put
    # Where a list has no price of its own for the cache, the usual one holds.
    parts = (
        (plain, price.input),
        (cached, price.input if price.cached is None else price.cached),
        (put, price.input if price.cache_write is None else price.cache_write),
        (usage.generated_tokens, price.output),
    )
    total = Decimal(0) if price.thousand_requests is None else price.thousand_requests / 1000
    for tokens, amount in parts:
        if tokens:
            if amount is None:
                return None
            total += amount * tokens / _MILLION
    return total


def estimated(price: Price | None, tokens: int) -> tuple[Decimal, Decimal] | None:
    """US dollars for sending so many tokens: alone, and with an answer of 1,000. None when that is not known."""
    if price is None:
        return None
    asked = cost(price, Usage(prompt_tokens=tokens))
    answered = cost(price, Usage(prompt_tokens=tokens, generated_tokens=1000))
    return None if asked is None or answered is None else (asked, answered)


def written(amount: Decimal) -> str:
    """The one form of an amount: plain digits, without zeros at the end."""
    text = f"{amount:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def about_tokens(characters: int, images: int = 0) -> int:
    """About how many tokens a text is, with its images: four characters of English each, a thousand an image."""
    return -(-characters // 4) + 1000 * images


def read_own(home: str) -> Prices:
    """The list with the prices of the Alcove at `home`. A damaged file has none."""
    try:
        with open(os.path.join(home, FOLDER, OWN_FILE), "rb") as file:
            record = json.loads(file.read(_MOST_BYTES))
        return Prices({str(name): _own_or_none(entry) for name, entry in record.items()})
    except (OSError, ValueError, TypeError, AttributeError, RecursionError, InvalidOperation):
        return Prices()


def _own_or_none(entry: Mapping[str, Any]) -> Price:
    """A person's price. An entry that can't be understood is a price that nobody knows, not the list's."""
    try:
        return _own_price(entry)
    except (ValueError, TypeError, AttributeError, InvalidOperation):
        return Price(source="own")


def _own_price(entry: Mapping[str, Any]) -> Price:
    if not {*_UNITS, "date"} >= set(entry):
        raise ValueError("not what a price is made of")
    amounts: dict[str, Any] = {unit: Decimal(str(entry[unit])) for unit in _UNITS if unit in entry}
    if not all(amount.is_finite() and 0 <= amount < _MILLION for amount in amounts.values()):
        raise ValueError("no price")
    return Price(**amounts, priced_on=str(entry.get("date", "")), source="own")


def _price_now(prices: list[dict[str, Any]], now: datetime, day: str, source: str) -> Price:
    """The last price whose time it is; the first where it is none's."""
    for entry in reversed(prices):
        if _holds(entry, now):
            return _price(entry, day, source)
    return _price(prices[0], day, source)


def _holds(entry: Mapping[str, Any], now: datetime) -> bool:
    if "from_day" in entry:
        return now.date() >= date.fromisoformat(entry["from_day"])
    if "hours" in entry:
        start, end = (time.fromisoformat(text) for text in entry["hours"])
        clock = now.timetz()
        return start <= clock < end if start <= end else clock >= start or clock < end
    return True


def _price(entry: Mapping[str, Any], day: str, source: str) -> Price:
    amounts: dict[str, Any] = {}
    steps: list[tuple[str, int, Decimal]] = []
    for unit in _UNITS:
        found = entry.get(unit)
        if isinstance(found, str):
            amounts[unit] = Decimal(found)
        elif found:
            amounts[unit] = Decimal(found[0][1])
            steps += [(unit, int(start), Decimal(amount)) for start, amount in found[1:]]
    return Price(**amounts, steps=tuple(steps), priced_on=day, source=source)


def _matches(clause: Mapping[str, Any], model: str) -> bool:
    ((kind, wanted),) = clause.items()
    match kind:
        case "equals":
            return bool(model == wanted)
        case "starts_with":
            return model.startswith(wanted)
        case "ends_with":
            return model.endswith(wanted)
        case "contains":
            return wanted in model
        case "regex":
            return re.search(wanted, model) is not None
        case "or":
            return any(_matches(inner, model) for inner in wanted)
        case "and":
            return all(_matches(inner, model) for inner in wanted)
    raise ValueError(f"unknown rule {kind!r:.40}")


@cache
def _snapshot() -> dict[str, Any]:
    read: dict[str, Any] = json.loads(_FILE.read_text(encoding="utf-8"))
    return read
