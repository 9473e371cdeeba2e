"""`alcove costs`: what remote models cost, out of the ledger; budgets, and how much of each is spent. Sends nothing.

alcove costs [--by provider|model|conversation|day] [--since YYYY-MM-DD] [--json]
alcove costs budget                         the budgets, and how they stand
alcove costs budget PROVIDER|all [--none] [--day USD] [--month USD]
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from desktop.cli.terminal import failed, print_json, printable
from desktop.i18n import tr

if TYPE_CHECKING:
    from collections.abc import Mapping
    from decimal import Decimal

    from desktop.paths import Paths
    from desktop.spending import Standing
    from providers.costs.budgets import Budgets
    from providers.costs.spending import Spending, Sum

    Commands = argparse._SubParsersAction[argparse.ArgumentParser]

_ALL = "all"  # together; the file has its own word for it, and no provider is called so


def add_costs_command(commands: Commands) -> None:
    """Give the command line its `costs` command. What was chosen goes to `costs`."""
    whole = commands.add_parser("costs", help=tr("what remote models cost, and budgets"))
    whole.add_argument(
        "--by",
        choices=("provider", "model", "conversation", "day"),
        default="provider",
        help=tr("what it is listed by; the provider without it"),
    )
    whole.add_argument(
        "--since",
        type=date.fromisoformat,
        metavar="YYYY-MM-DD",
        help=tr("from this day on; since the first of the month without it"),
    )
    whole.add_argument("--json", action="store_true", help=tr("print JSON"))
    actions = whole.add_subparsers(dest="action", metavar=tr("action"))
    budget = actions.add_parser("budget", help=tr("the budgets; set one, or take it away"))
    budget.add_argument(
        "name", nargs="?", metavar="PROVIDER", help=tr("as “remote” lists it; all: all of them together")
    )
    budget.add_argument("--day", metavar="USD", help=tr("the most for a day, in US dollars"))
    budget.add_argument("--month", metavar="USD", help=tr("the most for a month, in US dollars"))
    budget.add_argument("--none", action="store_true", help=tr("take away what was set for it before"))
    budget.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help=tr("print JSON"))


async def costs(chosen: argparse.Namespace, paths: Paths) -> int:
    """Exit status 0 done, 1 failed, 2 wrong usage."""
    from desktop.spending import read_spending
    from providers.costs.budgets import read_budgets

    home = str(paths.home)
    if chosen.action == "budget" and (status := _set_budget(home, chosen)) != 0:
        return status
    try:
        spending = read_spending(paths.ledger)
    except OSError as error:
        return failed(tr("The ledger can't be read: {why}.", why=error.strerror or str(error)))
    titles = await _titles(paths) if chosen.by == "conversation" else {}
    seen = _Seen(home, spending, read_budgets(home), _own_names(home), titles)
    match chosen.action, chosen.json:
        case "budget", True:
            print_json(_budgets_told(seen))
        case "budget", False:
            _say_budgets(seen)
        case _, True:
            _print_json(seen, chosen.by, chosen.since)
        case _:
            _print(seen, chosen.by, chosen.since)
    return 0


@dataclass(frozen=True, slots=True)
class _Seen:
    """What there is to tell. `own`: the names of servers of one's own; `titles`: of conversations."""

    home: str
    spending: Spending
    budgets: Budgets
    own: Mapping[str, str]
    titles: Mapping[str, str]


def _own_names(home: str) -> dict[str, str]:
    from providers.remote.chosen import read_chosen

    return read_chosen(home).own_names


async def _titles(paths: Paths) -> dict[str, str]:
    """What the conversations are called, by their ids as the ledger has them; those in the trash as well."""
    from desktop.store.faults import StoreFault
    from desktop.store.store import Store
    from desktop.words.store import store_fault

    if not paths.database.exists():
        return {}
    store = Store(paths.database)
    try:
        await store.open()
        found = [*await store.conversations(), *await store.trashed_conversations()]
    except StoreFault as fault:  # what was spent is known all the same
        print(printable(store_fault(fault).text), file=sys.stderr)
        return {}
    finally:
        await store.close()
    return {str(one.id): one.title for one in found}


# ---- for people


def _print(seen: _Seen, by: str, since: date | None) -> None:
    from desktop.spending import asked_words, headline, listed, name_of, prices_words, words_of
    from providers.costs.prices import read_own

    today = date.today()
    spending = seen.spending
    if since is not None:
        amount = words_of(spending.sum(since))
        print(printable(tr("{amount} since {day}.", amount=amount, day=since.isoformat())))
    else:
        print(printable(headline(spending, today)))
    since = since or today.replace(day=1)
    for key, total in listed(spending, by, since):
        name = name_of(by, key, lambda id: seen.titles.get(id) or _untitled(id), seen.own)
        print(printable(f"    {name} · {words_of(total)} · {asked_words(total)}"))
    print()
    _say_budgets(seen)
    print()
    print(printable(prices_words(read_own(seen.home))))


def _untitled(conversation: str) -> str:
    return tr("a conversation that was deleted ({id})", id=conversation)


def _say_budgets(seen: _Seen) -> None:
    from desktop.spending import budgets_words, standings

    for one in standings(seen.budgets, seen.spending, date.today()):
        print(printable(_standing_words(one, seen.own)))
    print(printable(budgets_words(seen.budgets, seen.spending, seen.own)))


def _standing_words(one: Standing, own: Mapping[str, str]) -> str:
    from desktop.spending import words_of
    from desktop.words.remote import money, provider_name
    from providers.costs.budgets import ALL

    name = tr("All together") if one.provider == ALL else provider_name(one.provider, own)
    limit, spent = money(f"{one.limit:f}", "USD"), words_of(one.spent)
    if one.period == "day":
        return tr("{name}: {limit} a day; spent today: {spent}", name=name, limit=limit, spent=spent)
    return tr("{name}: {limit} a month; spent this month: {spent}", name=name, limit=limit, spent=spent)


# ---- for programs


def _print_json(seen: _Seen, by: str, since: date | None) -> None:
    """Amounts are decimal numbers as text, by currency. `unknown`: answers whose cost nobody knows, not in them."""
    from desktop.spending import listed, name_of
    from providers.costs.prices import read_own

    today = date.today()
    spending, prices = seen.spending, read_own(seen.home)
    since = since or today.replace(day=1)

    def title(conversation: str) -> str:
        return seen.titles.get(conversation, "")

    print_json(
        {
            "since": since.isoformat(),
            "by": by,
            "total": _sum_told(spending.sum(since)),
            "today": _sum_told(spending.sum(today)),
            "month": _sum_told(spending.sum(today.replace(day=1))),
            "listed": [
                {by: key, "name": name_of(by, key, title, seen.own), **_sum_told(total)}
                for key, total in listed(spending, by, since)
            ],
            **_budgets_told(seen),
            "prices": {"date": prices.date, "source": prices.source, "currency": "USD"},
        }
    )


def _sum_told(total: Sum) -> dict[str, object]:
    from providers.costs.prices import written

    return {
        "answers": total.requests,
        "tokens_in": total.tokens_in,
        "tokens_out": total.tokens_out,
        "amounts": {currency: written(amount) for currency, amount in sorted(total.amounts.items())},
        "unknown": total.unknown,
    }


def _budgets_told(seen: _Seen) -> dict[str, object]:
    from desktop.spending import standings
    from providers.costs.prices import written

    return {
        "budgets": [
            {
                "provider": one.provider or _ALL,
                "period": one.period,
                "since": one.since.isoformat(),
                "limit": written(one.limit),
                "spent": written(one.spent.dollars),
                "amounts": _sum_told(one.spent)["amounts"],
                "unknown": one.spent.unknown,
            }
            for one in standings(seen.budgets, seen.spending, date.today())
        ],
        "budgets_readable": seen.budgets.readable,
        "unpriced": "refuse" if seen.budgets.refuse_unpriced else "allow",
        "warn": seen.budgets.warn,
    }


# ---- setting a budget


def _set_budget(home: str, chosen: argparse.Namespace) -> int:
    """Write what was said of a budget, if anything was. Exit status."""
    from desktop.spending import with_limit
    from providers.costs.budgets import ALL, Limit, read_budgets, write_budgets
    from providers.remote.chosen import read_chosen

    changes = chosen.none or chosen.day is not None or chosen.month is not None
    if not changes and chosen.name is None:
        return 0
    budgets = read_budgets(home)
    known = {_ALL, *read_chosen(home).known}
    if chosen.name is not None and chosen.name not in known | set(budgets.limits):
        return failed(
            tr(
                "There is no provider called {name}. There are {names}.",
                name=chosen.name,
                names=", ".join(sorted(known)),
            ),
            2,
        )
    if not changes or chosen.name is None:
        return failed(
            tr(
                "A budget has a provider, or “all”, and an amount: --day, --month, or --none to take it away."
            ),
            2,
        )
    provider = ALL if chosen.name == _ALL else chosen.name
    before = Limit() if chosen.none else budgets.limits.get(provider, Limit())
    try:
        day, month = _amount(chosen.day, before.day), _amount(chosen.month, before.month)
    except _NoAmount as error:
        return failed(tr("“{words}” is not an amount. The budget was not changed.", words=error.args[0]), 2)
    try:
        write_budgets(home, with_limit(budgets, provider, Limit(day, month)))
    except OSError as error:
        return failed(tr("The budget could not be stored: {why}. Nothing was changed.", why=error.strerror))
    return 0


class _NoAmount(Exception):
    """What was written instead of an amount."""


def _amount(text: str | None, before: Decimal | None) -> Decimal | None:
    from desktop.spending import amount_of

    if text is None:
        return before
    try:
        return amount_of(text)
    except ValueError as error:
        raise _NoAmount(text) from error
