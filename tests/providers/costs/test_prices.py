"""What an answer costs: exact, dated, and unknown rather than nothing."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.costs.prices import Price, Prices, _snapshot, about_tokens, cost, read_own, written
from providers.events import Billed, CostBasis, Usage
from providers.remote.catalogue import catalogue, kinds_of_own_servers

NOW = datetime(2026, 11, 26, 12, 0, tzinfo=UTC)
AMOUNTS = st.decimals(0, 1000, places=4)
COUNTS = st.integers(0, 10_000_000)


def test_the_list_is_dated_and_has_every_provider_and_no_price_below_nothing() -> None:
    snapshot = _snapshot()
    assert date.fromisoformat(snapshot["date"]) >= date(2026, 11, 26)
    assert set(snapshot["providers"]) == {service.prices for service in catalogue().values()}
    for provider, models in snapshot["providers"].items():
        service = next(found for found in catalogue().values() if found.prices == provider)
        for entry in models:
            found = Prices().price_of(service, entry["id"], NOW)
            assert found is not None, entry["id"]
            named = [found.input, found.output, *(amount for _, _, amount in found.steps)]
            assert all(amount is None or amount >= 0 for amount in named)


@pytest.mark.parametrize(
    ("provider", "model", "paid_in", "paid_out"),
    [
        ("anthropic", "claude-sonnet-4-5-20250929", "3", "15"),
        ("openai", "gpt-5-mini-2025-08-07", "0.25", "2"),
        ("google", "models/gemini-2.5-pro", "1.25", "10"),
    ],
)
def test_a_model_is_known_under_the_names_that_services_use(
    provider: str, model: str, paid_in: str, paid_out: str
) -> None:
    price = Prices().price_of(catalogue()[provider], model, NOW)
    assert price is not None and (price.input, price.output) == (Decimal(paid_in), Decimal(paid_out))
    assert price.priced_on == Prices().date


def test_what_nobody_knows_the_price_of_is_unknown_and_not_nothing() -> None:
    for service, model in (
        (catalogue()["openai"], "a-model-of-next-year"),
        (kinds_of_own_servers()["ollama"], "qwen3:8b"),
        (catalogue()["openai"], "m" * 100_000),
    ):
        assert Prices().price_of(service, model, NOW) is None
        billed = Prices().billed(service, model, Usage(prompt_tokens=5, generated_tokens=5), NOW)
        assert billed == Billed("", "", CostBasis.UNKNOWN, "")


def test_a_part_without_a_price_makes_the_whole_unknown() -> None:
    assert cost(Price(input=Decimal(1)), Usage(prompt_tokens=5, generated_tokens=1)) is None
    assert cost(Price(input=Decimal(1)), Usage(prompt_tokens=5)) == Decimal("0.000005")


@given(AMOUNTS, AMOUNTS, AMOUNTS, COUNTS, COUNTS, COUNTS)
def test_a_cost_is_the_exact_sum_of_its_parts(
    paid_in: Decimal, cached: Decimal, paid_out: Decimal, plain: int, reused: int, answer: int
) -> None:
    price = Price(input=paid_in, cached=cached, output=paid_out)
    total = cost(price, Usage(prompt_tokens=plain + reused, reused_tokens=reused, generated_tokens=answer))
    assert total is not None
    assert total * 1_000_000 == paid_in * plain + cached * reused + paid_out * answer
    assert Decimal(written(total)) == total


def test_a_large_request_costs_what_the_list_says_for_large_ones() -> None:
    price = Prices().price_of(catalogue()["google"], "gemini-2.5-pro", NOW)
    assert price is not None
    small = cost(price, Usage(prompt_tokens=200_000))
    large = cost(price, Usage(prompt_tokens=200_001))
    assert small == Decimal("0.25") and large is not None and Decimal("0.5") < large < Decimal("0.51")


def test_prices_by_the_clock_and_by_the_day_hold_when_they_do() -> None:
    deepseek = catalogue()["deepseek"]
    dear = Prices().price_of(deepseek, "deepseek-chat", NOW)
    cheap = Prices().price_of(deepseek, "deepseek-chat", NOW.replace(hour=20))
    assert dear is not None and cheap is not None
    assert (dear.input, cheap.input) == (Decimal("0.27"), Decimal("0.135"))


def test_a_persons_own_prices_go_before_the_list_and_can_be_nothing(tmp_path: Path) -> None:
    (tmp_path / "remote").mkdir()
    file = tmp_path / "remote" / "prices.json"
    file.write_text(
        json.dumps({"openai/gpt-5": {"input": "1", "output": "2"}, "own-1/*": {"input": "0", "output": "0"}})
    )
    prices = read_own(str(tmp_path))
    price = prices.price_of(catalogue()["openai"], "gpt-5", NOW)
    assert price is not None and (price.input, price.source) == (Decimal(1), "own")
    own = prices.price_of(
        kinds_of_own_servers()["ollama"].__class__("own-1", "x", "ollama", "http://localhost"), "any", NOW
    )
    assert own is not None and cost(own, Usage(prompt_tokens=9, generated_tokens=9)) == 0
    for damaged in (
        "[",
        "[]",
        '{"a": 1}',
        '{"a": {"input": "-1"}}',
        '{"a": {"input": "NaN"}}',
        '{"a": {"input": "x"}}',
    ):
        file.write_text(damaged)
        assert read_own(str(tmp_path)).price_of(catalogue()["openai"], "gpt-5-mini", NOW) is not None
    file.write_text(
        json.dumps({"openai/gpt-5": {"input": "1", "currency": "EUR"}, "openai/gpt-5-mini": {"input": "7"}})
    )
    prices = read_own(str(tmp_path))
    assert prices.billed(catalogue()["openai"], "gpt-5", Usage(prompt_tokens=1)).basis is CostBasis.UNKNOWN
    mini = prices.price_of(catalogue()["openai"], "gpt-5-mini", NOW)
    assert mini is not None and mini.input == 7


def test_an_estimate_says_more_for_more() -> None:
    assert (about_tokens(0), about_tokens(1), about_tokens(400), about_tokens(0, 2)) == (0, 1, 100, 2000)
