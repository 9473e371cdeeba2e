"""Money in the window: what remote models cost by day, provider, model, conversation; budgets; answering here."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

from PySide6.QtCore import QObject, Signal

from desktop.bridge import Bridge
from desktop.i18n import tr
from desktop.ledgers import Follower
from desktop.settings import Settings
from desktop.spending import (
    all_of,
    amount_of,
    asked_words,
    budgets_words,
    headline,
    listed,
    name_of,
    prices_words,
    with_limit,
    words_of,
)
from desktop.words.remote import money
from providers.costs.budgets import ALL, Limit, read_budgets, write_budgets
from providers.costs.local import break_even_months, electricity, find_meter
from providers.costs.prices import read_own
from providers.costs.spending import Spending, Sum
from providers.remote.chosen import read_chosen

PLOT_DAYS = 30


class CostsViewModel(QObject):
    """`changed` for all that is shown. `refresh` reads what the ledger got since."""

    changed = Signal()

    def __init__(
        self,
        bridge: Bridge,
        home: Path,
        ledger: Path,
        settings: Settings,
        title_of: Callable[[str], str] = str,
        parent: QObject | None = None,
    ) -> None:
        """`title_of`: what a conversation is called, by its id."""
        super().__init__(parent)
        self._bridge = bridge
        self._home = home
        self._settings = settings
        self._title_of = title_of
        self._follower = Follower(ledger)
        self.spending = Spending()
        self.budgets = read_budgets(str(home))
        self.problem = ""
        self.is_read = False

    def refresh(self) -> None:
        self._bridge.submit(asyncio.to_thread(self._follower.new_rows), self._came, self._not_read)

    def _came(self, found: tuple[bool, list[dict[str, object]]]) -> None:
        is_other, rows = found
        if is_other:
            self.spending = Spending()
        self.spending.take(rows)
        self.is_read = True
        self.budgets = read_budgets(str(self._home))
        self.changed.emit()
        if rows:
            self.refresh()

    def _not_read(self, error: Exception) -> None:
        if not isinstance(error, OSError):
            raise error
        self.problem = tr("The ledger can't be read: {why}.", why=error.strerror or str(error))
        self.changed.emit()

    # ---- what was spent

    @property
    def headline(self) -> str:
        return headline(self.spending, date.today())

    @property
    def days(self) -> list[tuple[date, Sum]]:
        """The last days, oldest first, each with what was spent on it."""
        first = date.today() - timedelta(days=PLOT_DAYS - 1)
        found = self.spending.by_day(first)
        days = [first + timedelta(days=number) for number in range(PLOT_DAYS)]
        return [(day, all_of(found.get(day, {}).values())) for day in days]

    def table(self, by: str) -> list[tuple[str, str, str]]:
        """Of this month: name, what it cost, and how much was asked; what cost most first."""
        own = read_chosen(str(self._home)).own_names
        return [
            (name_of(by, key, self._title_of, own), words_of(total), asked_words(total))
            for key, total in listed(self.spending, by, date.today().replace(day=1))
        ]

    # ---- budgets

    @property
    def budget_names(self) -> dict[str, str]:
        """What can have a budget, with what people call it: all together, then each provider."""
        known = read_chosen(str(self._home)).known.values()
        return {ALL: tr("All together"), **{service.id: service.name for service in known}}

    def limit(self, provider: str, period: str) -> str:
        """A budget as it is edited; "" for none."""
        found = getattr(self.budgets.limits.get(provider, Limit()), period)
        return "" if found is None else f"{found:f}"

    def set_limit(self, provider: str, period: str, text: str) -> None:
        """Change a budget; "" takes it away. It holds from the next request on."""
        amount: Decimal | None = None
        if text.strip():
            try:
                amount = amount_of(text)
            except ValueError:
                self.problem = tr(
                    "“{words}” is not an amount. The budget was not changed.", words=text.strip()
                )
                self.changed.emit()
                return
        before = self.budgets.limits.get(provider, Limit())
        day, month = (amount, before.month) if period == "day" else (before.day, amount)
        changed = with_limit(self.budgets, provider, Limit(day, month))
        try:
            write_budgets(str(self._home), changed)
        except OSError as error:
            self.problem = tr(
                "The budget could not be stored: {why}. Nothing was changed.", why=error.strerror
            )
        else:
            self.budgets, self.problem = changed, ""
        self.changed.emit()

    @property
    def budget_words(self) -> str:
        return budgets_words(self.budgets, self.spending, read_chosen(str(self._home)).own_names)

    # ---- prices

    @property
    def prices_words(self) -> str:
        return prices_words(read_own(str(self._home)))

    # ---- here

    def _power(self) -> tuple[float, str]:
        """The power that answering here takes, in watts (0: unknown), and where that is known from, in a sentence."""
        if own := float(self._settings.get("costs.watts") or 0):
            return own, tr("The power is your own estimate, from the settings.")
        if measured := float(self._settings.get("costs.measured_watts") or 0):
            return measured, tr(
                "The power was measured by the processor while models on this device answered."
            )
        meter = find_meter()
        if meter.watts:
            return meter.watts, tr("The power is what the graphics card says it takes now.")
        if meter.counters:
            return 0, tr(
                "This processor counts the power it takes: it is measured with the next answers given here."
            )
        own_words = tr("Put in your own estimate in the settings, under “Costs”.")
        if meter.is_closed:
            return 0, " ".join((
                tr(
                    "This processor counts the power it takes, but the system lets only an administrator read that: "
                    "from it, other programs could guess at secrets."
                ),
                own_words,
            ))  # fmt: skip
        return 0, " ".join((tr("This machine does not tell how much power it takes."), own_words))

    @property
    def here_words(self) -> tuple[str, ...]:
        """What answering on this device costs, from the person's numbers and what the machine tells."""
        per_kwh = float(self._settings.get("costs.per_kwh") or 0)
        machine = float(self._settings.get("costs.machine") or 0)
        watts, whence = self._power()
        told = [whence]
        if not watts:
            return tuple(told)
        hour = electricity(3600, watts, per_kwh)
        told.append(
            tr(
                "An hour of answering takes about {watts} W, which costs about {amount}.",
                watts=f"{watts:.0f}",
                amount=money(f"{hour:f}", "USD"),
            )
        )
        spent = float(self.spending.sum(date.today() - timedelta(days=29)).dollars)
        if machine:
            months = break_even_months(machine, spent, float(hour) * 30)
            told.append(
                tr(
                    "You spent {spent} on remote models in the last 30 days. At that, a machine of "
                    "{price} that answers an hour "
                    "a day has paid for itself after {months} months.",
                    spent=money(f"{spent:f}", "USD"),
                    price=money(f"{machine:f}", "USD"),
                    months=f"{months:.0f}",
                )
                if months is not None
                else tr(
                    "You spent {spent} on remote models in the last 30 days: less than a machine of your "
                    "own would take in power.",
                    spent=money(f"{spent:f}", "USD"),
                )
            )
        return tuple(told)
