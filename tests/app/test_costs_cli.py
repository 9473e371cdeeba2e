"""`alcove costs`: what was spent, out of a ledger as the broker writes it, and budgets that the broker reads."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from desktop.store.store import Store
from providers.costs.budgets import ALL, FILE, FOLDER, Limit, read_budgets
from providers.costs.prices import Prices
from providers.gate.chain import Head, seal
from providers.gate.rows import EndRow, RequestRow, to_record
from providers.remote.chosen import Chosen, own_service, write_chosen
from providers.remote.values import Auth

NAMES = ("httpx", "httpcore", "PySide6", "shiboken6")


def alcove(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "desktop", *arguments],
        env={"PATH": os.environ["PATH"], "HOME": str(home.parent), "ALCOVE_HOME": str(home)},
        capture_output=True,
        text=True,
        timeout=110,
    )


def told(home: Path, *arguments: str) -> dict[str, Any]:
    done = alcove(home, "costs", *arguments, "--json")
    assert (done.returncode, done.stderr) == (0, "")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def answer(
    cost: str = "0.25", currency: str = "USD", *, provider: str = "openai", model: str = "gpt-5",
    conversation: str = "", when: datetime | None = None,
) -> dict[str, Any]:  # fmt: skip
    return locals()


def write_ledger(home: Path, answers: Iterable[dict[str, Any]]) -> None:
    """Answers of 100 tokens to questions of 1,000; one of no cost is one of which nobody knows it."""
    path = home / "ledger" / "ledger.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    head, lines = Head(), []
    for number, one in enumerate(answers):
        request = RequestRow(
            id=f"{number:032x}", purpose="chat", method="POST", scheme="https", host="api.example.org", port=443,
            path="/v1/x", verdict="allowed", rule="provider", provider=one["provider"], model=one["model"],
            conversation=one["conversation"],
        )  # fmt: skip
        end = EndRow(request.id, "done", 200, 900, 5000, 1000, 100, one["cost"], one["currency"])
        for row in (request, end):
            line, head = seal(to_record(row, one["when"]), head, None)
            lines.append(line)
    path.write_bytes(b"".join(lines))


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


def test_with_no_ledger_nothing_was_spent_and_the_date_of_the_prices_is_told(home: Path) -> None:
    done = alcove(home, "costs")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("$0.00 this month, $0.00 today.\n")
    assert "No budget is set" in done.stdout and f"Prices are of {Prices().date}" in done.stdout
    found = told(home)
    assert found["total"] == {"answers": 0, "tokens_in": 0, "tokens_out": 0, "amounts": {}, "unknown": 0}
    assert found["listed"] == [] and found["prices"]["date"] == Prices().date


def test_unknown_costs_and_other_currencies_stand_apart_and_are_never_nothing(home: Path) -> None:
    answers = [answer(), answer(), answer("", provider="mistral"), answer("3", "EUR", provider="mistral")]
    write_ledger(home, answers)
    total = told(home)["total"]
    assert total == {
        "answers": 4, "tokens_in": 4000, "tokens_out": 400, "amounts": {"EUR": "3", "USD": "0.5"}, "unknown": 1,
    }  # fmt: skip
    by_provider = {one["provider"]: one for one in told(home)["listed"]}
    assert by_provider["openai"]["amounts"] == {"USD": "0.5"} and by_provider["openai"]["unknown"] == 0
    assert by_provider["mistral"]["amounts"] == {"EUR": "3"} and by_provider["mistral"]["unknown"] == 1
    shown = alcove(home, "costs").stdout
    assert "OpenAI · $0.50 · 2 answers, 2,200 tokens" in shown
    assert "€3.00 + 1 answers of unknown cost · 2 answers" in shown


def test_it_is_listed_by_model_by_day_and_since_a_day(home: Path) -> None:
    long_ago = datetime.now(UTC) - timedelta(days=400)
    write_ledger(home, [answer("1", model="old", when=long_ago), answer(), answer("2", model="dear")])
    assert [one["model"] for one in told(home, "--by", "model")["listed"]] == ["dear", "gpt-5"]
    since = (long_ago - timedelta(days=1)).date().isoformat()
    days = told(home, "--by", "day", "--since", since)
    assert [one["amounts"]["USD"] for one in days["listed"]] == ["1", "2.25"]
    assert days["listed"][0]["day"] == long_ago.astimezone().date().isoformat()
    assert days["total"]["amounts"] == {"USD": "3.25"} and days["month"]["amounts"] == {"USD": "2.25"}
    assert alcove(home, "costs", "--since", since).stdout.startswith(f"$3.25 since {since}.\n")
    wrong = alcove(home, "costs", "--since", "yesterday")
    assert wrong.returncode == 2 and "--since" in wrong.stderr


async def keep(home: Path, question: str) -> str:
    """A conversation in the store: its id."""
    store = Store(home / "conversations.db")
    await store.open()
    kept, _, _ = await store.add_turn(None, None, question, "a model")
    await store.close()
    return str(kept.id)


def test_conversations_have_their_titles(home: Path) -> None:
    kept = asyncio.run(keep(home, "How tall is it?"))
    write_ledger(home, [answer(conversation=kept), answer(conversation="77"), answer()])
    shown = alcove(home, "costs", "--by", "conversation").stdout
    for name in ("How tall is it?", "a conversation that was deleted (77)", "questions that were not kept"):
        assert f"    {name} · $0.25 · " in shown


def test_a_budget_is_set_shown_and_taken_away(home: Path) -> None:
    write_ledger(home, [answer("0.90"), answer("", provider="mistral")])
    done = alcove(home, "costs", "budget", "openai", "--day", "1", "--month", "20,50")
    assert (done.returncode, done.stderr) == (0, "")
    assert "OpenAI: $1.00 a day; spent today: $0.90" in done.stdout
    assert read_budgets(str(home)).limits == {"openai": Limit(Decimal(1), Decimal("20.5"))}
    assert alcove(home, "costs", "budget", "all", "--month", "0.5").returncode == 0
    names = ("provider", "period", "limit", "spent", "unknown")
    assert [tuple(one[name] for name in names) for one in told(home)["budgets"]] == [
        ("all", "month", "0.5", "0.9", 1),
        ("openai", "day", "1", "0.9", 0),
        ("openai", "month", "20.5", "0.9", 0),
    ]
    shown = alcove(home, "costs").stdout
    assert "All together: $0.50 a month; spent this month: $0.90 + 1 answers of unknown cost" in shown
    assert "The budget is spent." in shown
    assert alcove(home, "costs", "budget", "openai", "--none", "--day", "2").returncode == 0
    assert read_budgets(str(home)).limits["openai"] == Limit(Decimal(2), None)
    assert alcove(home, "costs", "budget", "openai", "--none").returncode == 0
    assert set(read_budgets(str(home)).limits) == {ALL}


def test_a_budget_of_a_server_of_ones_own_has_its_name_and_says_when_it_is_spent(home: Path) -> None:
    write_chosen(
        str(home), Chosen((), (own_service(1, "vllm", "Office", "https://m.example.org/v1", Auth.NONE),))
    )
    write_ledger(home, [answer("2", provider="own-1")])
    shown = alcove(home, "costs", "budget", "own-1", "--day", "1").stdout
    assert "Office: $1.00 a day; spent today: $2.00" in shown
    assert "The budget for Office is spent" in shown
    assert "    Office · $2.00" in alcove(home, "costs").stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("nobody", "--day", "1"), "There is no provider called nobody."),
        (("openai", "--day", "much"), "“much” is not an amount."),
        (("openai", "--day=-1"), "“-1” is not an amount."),
        (("openai",), "A budget has a provider"),
        (("--day", "1"), "A budget has a provider"),
    ],
)  # fmt: skip
def test_what_is_no_budget_changes_nothing(home: Path, arguments: tuple[str, ...], said: str) -> None:
    done = alcove(home, "costs", "budget", *arguments)
    assert done.returncode == 2 and done.stdout == "" and said in done.stderr
    assert not (home / FOLDER / FILE).exists()


def test_damaged_budgets_are_said_to_be_damaged_and_a_ledger_that_is_none_too(home: Path) -> None:
    (home / FOLDER).mkdir(parents=True)
    (home / FOLDER / FILE).write_text("{")
    assert "The file of budgets is damaged, so nothing may be spent." in alcove(home, "costs").stdout
    assert told(home)["budgets_readable"] is False
    (home / "ledger" / "ledger.jsonl").mkdir(parents=True)
    done = alcove(home, "costs")
    assert done.returncode == 1 and done.stdout == "" and "The ledger can't be read" in done.stderr


def test_asking_for_help_loads_neither_the_window_nor_a_network() -> None:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "desktop", "--help"],
        env={"PATH": os.environ["PATH"], "HOME": "/nonexistent"},
        capture_output=True,
        text=True,
        timeout=110,
    )
    loaded = {line.rpartition("|")[2].strip().partition(".")[0] for line in done.stderr.splitlines()}
    assert done.returncode == 0 and "costs" in done.stdout and "desktop" in loaded
    assert not loaded & set(NAMES)
