"""Budgets: they warn, then stop, and in doubt they are spent."""

from __future__ import annotations

import json
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.costs.budgets import ALL, Budgets, Limit, Verdict, read_budgets, write_budgets
from providers.costs.spending import Spending

TODAY = date(2026, 11, 26)


def rows(
    number: int, cost: str, day: date = TODAY, provider: str = "openai", **more: Any
) -> list[dict[str, Any]]:
    request = {
        "kind": "request",
        "verdict": "allowed",
        "purpose": "chat",
        "id": str(number),
        "time": f"{day.isoformat()}T12:00:00.000Z",
        "provider": provider,
        "model": "m",
        "conversation": "7",
    }
    end = {"kind": "end", "id": str(number), "status": 200, "cost": cost, "currency": "USD" if cost else ""}
    return [request, end | {"tokens_in": 10, "tokens_out": 2} | more]


def spent(*costs: str, day: date = TODAY, provider: str = "openai") -> Spending:
    spending = Spending()
    for number, cost in enumerate(costs):
        spending.take(rows(number, cost, day, provider))
    return spending


def verdict(budgets: Budgets, spending: Spending, *, known: bool = True, own: bool = False) -> Verdict:
    return budgets.verdict("openai", known, own, spending, TODAY)


@pytest.mark.parametrize(
    ("cost", "expected"),
    [
        ("0", Verdict.OPEN),
        ("0.79", Verdict.OPEN),
        ("0.80", Verdict.WARN),
        ("0.99", Verdict.WARN),
        ("1", Verdict.STOP),
        ("7", Verdict.STOP),
    ],
)
@pytest.mark.parametrize("limits", [{ALL: Limit(day=Decimal(1))}, {"openai": Limit(month=Decimal(1))}])
def test_a_budget_warns_at_four_fifths_and_stops_when_it_is_spent(
    limits: dict[str, Limit], cost: str, expected: Verdict
) -> None:
    assert verdict(Budgets(limits), spent(cost)) is expected


def test_a_new_day_and_a_new_month_begin_with_nothing_spent() -> None:
    day, month = Budgets({ALL: Limit(day=Decimal(1))}), Budgets({ALL: Limit(month=Decimal(1))})
    yesterday = spent("5", day=TODAY - timedelta(days=1))
    assert (verdict(day, yesterday), verdict(month, yesterday)) == (Verdict.OPEN, Verdict.STOP)
    assert verdict(month, spent("5", day=date(2026, 10, 31))) is Verdict.OPEN


def test_a_budget_of_one_provider_is_not_another_ones() -> None:
    budgets = Budgets({"openai": Limit(day=Decimal(1))})
    assert verdict(budgets, spent("5", provider="anthropic")) is Verdict.OPEN
    assert verdict(Budgets({ALL: Limit(day=Decimal(1))}), spent("5", provider="anthropic")) is Verdict.STOP


def test_what_has_no_price_is_refused_where_there_is_a_budget_unless_that_is_allowed() -> None:
    budgets = Budgets({ALL: Limit(day=Decimal(1))})
    assert verdict(budgets, Spending(), known=False) is Verdict.UNPRICED
    assert verdict(Budgets(budgets.limits, refuse_unpriced=False), Spending(), known=False) is Verdict.OPEN
    assert verdict(budgets, Spending(), known=False, own=True) is Verdict.OPEN
    assert verdict(Budgets(), Spending(), known=False) is Verdict.OPEN


def test_a_budget_is_kept_and_one_that_can_not_be_read_is_spent(tmp_path: Path) -> None:
    home = str(tmp_path)
    assert read_budgets(home) == Budgets()
    budgets = Budgets(
        {ALL: Limit(month=Decimal("20.50")), "openai": Limit(Decimal(1), Decimal(5))}, False, 0.5
    )
    write_budgets(home, budgets)
    assert read_budgets(home) == budgets
    file = tmp_path / "remote" / "budgets.json"
    for damaged in (
        *(
            "",
            "[",
            "[]",
            "{}",
            '{"budgets": 3}',
            '{"budgets": {"": {"month": "-1"}}}',
            '{"budgets": {}, "more": 1}',
        ),
        *(
            '{"budgets": {"": {"month": "NaN"}}}',
            '{"budgets": {"": {"year": "1"}}}',
            '{"budgets": {}, "warn": 2}',
        ),
    ):
        file.write_text(damaged)
        assert verdict(read_budgets(home), Spending()) is Verdict.STOP, damaged


def test_what_is_under_way_or_was_cut_off_is_counted_as_unknown() -> None:
    spending = spent("0.10")
    spending.take(rows(7, "5")[:1])
    total = spending.sum()
    assert (total.requests, total.unknown, total.dollars) == (2, 1, Decimal("0.10"))
    spending.take(rows(7, "5")[1:])
    assert spending.sum().dollars == Decimal("5.10") and spending.sum().unknown == 0


def test_what_was_paid_in_another_currency_is_no_telling_what_is_left() -> None:
    budgets, spending = Budgets({ALL: Limit(day=Decimal(1))}), Spending()
    spending.take(rows(1, "9", currency="EUR"))
    assert verdict(budgets, spending) is Verdict.UNPRICED


def test_costs_that_nobody_knows_are_counted_apart_and_never_as_nothing() -> None:
    total = spent("0.10", "", "0.20", "strange", "-1").sum()
    assert (total.requests, total.unknown, total.dollars) == (5, 3, Decimal("0.30"))
    assert (total.tokens_in, total.tokens_out) == (50, 10)


def test_what_was_refused_or_asked_for_otherwise_is_not_spending() -> None:
    spending = Spending()
    request, end = rows(1, "5")
    spending.take([request | {"verdict": "refused"}, end])
    spending.take([request | {"purpose": "download"}, end])
    spending.take(rows(2, "", status=401))
    assert spending.sum().requests == 0


@given(st.lists(st.tuples(st.decimals(0, 10, places=6), st.integers(0, 60))), st.lists(st.integers(1, 40)))
def test_rows_in_portions_come_to_the_same_as_all_at_once(
    costs: list[tuple[Any, int]], portions: list[int]
) -> None:
    everything = [
        row
        for number, (cost, days) in enumerate(costs)
        for row in rows(number, str(cost), TODAY - timedelta(days=days))
    ]
    whole, pieces = Spending(), Spending()
    whole.take(everything)
    rest = everything
    for size in portions:
        pieces.take(rest[:size])
        rest = rest[size:]
    pieces.take(rest)
    assert pieces.sum().dollars == whole.sum().dollars == sum((cost for cost, _ in costs), Decimal(0))
    assert pieces.by_day(TODAY).keys() == whole.by_day(TODAY).keys()
    json.dumps({name: str(total.dollars) for name, total in whole.by("provider").items()})
