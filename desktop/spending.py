"""Money in words and lists: what the ledger says was spent, budgets and how they stand, the price list. No Qt.

The window's page “Costs” and `alcove costs` say the same with it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from pathlib import Path

from desktop.i18n import tr
from desktop.words.remote import money, provider_name
from providers.costs.budgets import ALL, Budgets, Limit, Verdict
from providers.costs.prices import Prices
from providers.costs.spending import Spending, Sum
from providers.gate.verification import rows

GROUPS = ("provider", "model", "conversation", "day")
"""What spending can be listed by."""
MOST_OF_A_BUDGET = 1_000_000
_NONE: Mapping[str, str] = {}


def read_spending(ledger: Path) -> Spending:
    """All that a ledger says was spent; nothing where there is none yet. Raises OSError."""
    spending = Spending()
    if ledger.exists():
        spending.take(rows(ledger))
    return spending


def all_of(sums: Iterable[Sum]) -> Sum:
    """Some sums as one."""
    total = Sum()
    for one in sums:
        total.add(one)
    return total


def listed(spending: Spending, by: str, since: date) -> list[tuple[str, Sum]]:
    """By one of `GROUPS`, since a day. Days in their order, of anything else what cost most first."""
    if by == "day":
        days = spending.by_day(since)
        return [(day.isoformat(), all_of(days[day].values())) for day in sorted(days)]
    return sorted(spending.by(by, since).items(), key=lambda found: (-found[1].dollars, found[0]))


@dataclass(frozen=True, slots=True)
class Standing:
    """One budget: `limit` US dollars for the day or the month that begins at `since`, and what went of it.

    Only dollars count against it: other currencies and unknown costs stand beside them in `spent`.
    """

    provider: str  # `ALL` for all together
    period: str  # "day" or "month"
    since: date
    limit: Decimal
    spent: Sum


def standings(budgets: Budgets, spending: Spending, today: date) -> list[Standing]:
    """Each budget that is set, those for all together first."""
    since = {"day": today, "month": today.replace(day=1)}
    return [
        Standing(provider, period, start, limit, spending.sum(start, provider=provider))
        for provider in sorted(budgets.limits)
        for period, start in since.items()
        if (limit := getattr(budgets.limits[provider], period)) is not None
    ]


def amount_of(text: str) -> Decimal:
    """A budget as a person writes it: "20", "0.50", "0,50". Raises ValueError for what is none."""
    try:
        amount = Decimal(text.strip().replace(",", "."))
    except InvalidOperation as error:
        raise ValueError("no amount") from error
    if not amount.is_finite() or not 0 <= amount <= MOST_OF_A_BUDGET:
        raise ValueError("no amount of a budget")
    return amount


def with_limit(budgets: Budgets, provider: str, limit: Limit) -> Budgets:
    """The same budgets with another one for a provider. Of damaged ones nothing is left but this."""
    return Budgets({**budgets.limits, provider: limit}, budgets.refuse_unpriced, budgets.warn)


# ---- words


def words_of(total: Sum) -> str:
    """An amount of money, with what is not known beside it."""
    amounts = [money(f"{amount:f}", currency) for currency, amount in sorted(total.amounts.items())]
    if total.unknown:
        amounts.append(tr("{count} answers of unknown cost", count=total.unknown))
    return " + ".join(amounts) or money("0", "USD")


def headline(spending: Spending, today: date) -> str:
    """What was spent this month and today, in a sentence."""
    month, day = spending.sum(today.replace(day=1)), spending.sum(today)
    return tr("{month} this month, {today} today.", month=words_of(month), today=words_of(day))


def asked_words(total: Sum) -> str:
    """How much was asked for it."""
    return tr(
        "{count} answers, {tokens} tokens",
        count=total.requests,
        tokens=f"{total.tokens_in + total.tokens_out:,}",
    )


def name_of(by: str, key: str, title_of: Callable[[str], str], own: Mapping[str, str] = _NONE) -> str:
    """What people call a line of `listed`. `title_of`: a conversation's, by its id; `own`: servers of one's own."""
    if by == "provider":
        return provider_name(key, own)
    if by == "conversation":
        return title_of(key) if key else tr("questions that were not kept")
    return key


def budgets_words(budgets: Budgets, spending: Spending, own: Mapping[str, str] = _NONE) -> str:
    """How the budgets stand, in a sentence."""
    if not budgets.readable:
        return tr("The file of budgets is damaged, so nothing may be spent. Set a budget anew to go on.")
    if not any(limit != Limit() for limit in budgets.limits.values()):
        return tr("No budget is set: what remote models may cost is not limited here.")
    match budgets.verdict(ALL, True, False, spending):
        case Verdict.STOP:
            return tr("The budget is spent. Nothing more leaves until it is raised, or the time is over.")
        case Verdict.WARN:
            return tr("Most of the budget is spent.")
        case Verdict.UNPRICED:
            return tr(
                "Something was paid in another currency this month, which can't be set against a budget in US "
                "dollars. Nothing more leaves while there is one."
            )
    spent = [
        provider_name(provider, own)
        for provider in sorted(budgets.limits)
        if budgets.verdict(provider, True, False, spending) is Verdict.STOP
    ]
    if spent:
        return tr(
            "The budget for {provider} is spent: nothing more goes there until it is raised.",
            provider=", ".join(spent),
        )
    return tr("There is money left. A model whose price is not known is not asked while there is a budget.")


def prices_words(prices: Prices) -> str:
    """Of which day the prices are, and what goes before them."""
    return tr(
        "Prices are of {day} ({source}), in US dollars. What a provider says that an answer "
        "cost goes before them; so do "
        "your own prices, in the file remote/prices.json of Alcove's folder. What has no "
        "price is shown as not known.",
        day=prices.date,
        source=prices.source,
    )
