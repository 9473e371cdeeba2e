"""Makes resources/prices/snapshot.json out of the package genai-prices (MIT), which Alcove itself does not need.

    python3 -m venv /tmp/prices && /tmp/prices/bin/pip install genai-prices
    /tmp/prices/bin/python packaging/prices/make_snapshot.py

Only what answers a conversation is kept: prices for tokens in and out, of the providers that Alcove knows. Variants
(batches, other regions) are left out: Alcove does not ask for them.
"""

from __future__ import annotations

import datetime
import json
from importlib.metadata import version
from pathlib import Path
from typing import Any

PROVIDERS = (
    *(
        "openai",
        "anthropic",
        "google",
        "cohere",
        "x-ai",
        "mistral",
        "deepseek",
        "together",
        "fireworks",
        "groq",
    ),
    "openrouter",
)
FILE = Path(__file__).resolve().parents[2] / "resources" / "prices" / "snapshot.json"
UNITS = {
    "input_mtok": "input",
    "cache_read_mtok": "cached",
    "cache_write_mtok": "cache_write",
    "output_mtok": "output",
    "requests_kcount": "thousand_requests",
}
CLAUSES = {
    "ClauseEquals": "equals",
    "ClauseStartsWith": "starts_with",
    "ClauseEndsWith": "ends_with",
    "ClauseContains": "contains",
    "ClauseRegex": "regex",
}


def match(clause: Any) -> dict[str, Any]:
    kind = type(clause).__name__
    if kind in ("ClauseOr", "ClauseAnd"):
        name = kind.removeprefix("Clause").lower()
        return {name: [match(inner) for inner in getattr(clause, f"{name}_")]}
    name = CLAUSES[kind]
    found = getattr(clause, name)
    return {name: found if isinstance(found, str) else found.pattern}


def amount(value: Any) -> Any:
    """A price for a million, or one for each size of a request: [[from how many tokens, price], …]."""
    if type(value).__name__ == "TieredPrices":
        return [[0, str(value.base)], *([tier.start, str(tier.price)] for tier in value.tiers)]
    return str(value)


def price(prices: Any, constraint: Any = None) -> dict[str, Any]:
    made = {
        short: amount(found)
        for unit, short in UNITS.items()
        if (found := getattr(prices, unit, None)) is not None
    }
    match type(constraint).__name__:
        case "StartDateConstraint":
            made["from_day"] = constraint.start_date.isoformat()
        case "TimeOfDateConstraint":
            made["hours"] = [constraint.start_time.isoformat(), constraint.end_time.isoformat()]
        case "NoneType":
            pass
        case other:
            raise SystemExit(f"a new kind of constraint: {other}")
    return made


def prices_of(model: Any) -> list[dict[str, Any]]:
    if isinstance(model.prices, list):
        return [price(one.prices, one.constraint) for one in model.prices]
    return [price(model.prices)]


def entry_of(model: Any) -> dict[str, Any] | None:
    prices = prices_of(model)
    if not any("input" in one or "output" in one for one in prices):
        return None  # it draws, or it speaks
    return {"id": model.id, "match": match(model.match), "prices": prices}


def main() -> None:
    from genai_prices import data

    found = {provider.id: provider.models for provider in data.providers}
    snapshot = {
        "date": datetime.date.today().isoformat(),
        "source": f"genai-prices {version('genai-prices')}",
        "providers": {
            name: [entry for model in found[name] if (entry := entry_of(model)) is not None]
            for name in PROVIDERS
        },
    }
    FILE.parent.mkdir(exist_ok=True)
    lines = json.dumps(snapshot, separators=(",", ":"), ensure_ascii=False).replace('},{"id"', '},\n{"id"')
    FILE.write_text(lines + "\n", encoding="utf-8")
    print(FILE, len(lines), {name: len(models) for name, models in snapshot["providers"].items()})


if __name__ == "__main__":
    main()
