"""Says it once a day when most of a budget for remote models is spent, and when all of it is."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import date
from pathlib import Path

from PySide6.QtCore import QObject, Signal

from desktop.bridge import Bridge
from desktop.i18n import tr
from desktop.ledgers import Follower
from desktop.viewmodels.notice import Notice
from desktop.words.remote import provider_name
from providers.costs.budgets import Verdict, read_budgets
from providers.costs.spending import Spending
from providers.remote.chosen import read_chosen


class BudgetWatch(QObject):
    """Told of each answer that was made elsewhere."""

    notice = Signal(object)

    def __init__(
        self, bridge: Bridge, home: Path, ledger: Path, show_costs: Callable[[], None], parent: QObject
    ) -> None:
        super().__init__(parent)
        self._bridge = bridge
        self._home = home
        self._show_costs = show_costs
        self._follower = Follower(ledger)
        self._spending = Spending()
        self._told: set[tuple[str, Verdict, date]] = set()

    def answered(self, provider: str) -> None:
        """A provider has answered: see how its budget stands. Reads nothing where there are no budgets."""
        self._bridge.submit(
            asyncio.to_thread(self._look, provider),
            lambda verdict: self._found(provider, verdict),
            _is_no_matter,
        )

    def _look(self, provider: str) -> Verdict:
        budgets = read_budgets(str(self._home))
        if budgets.readable and not budgets.limits:
            return Verdict.OPEN
        while True:
            is_other, rows = self._follower.new_rows()
            if is_other:
                self._spending = Spending()
            if not rows:
                return budgets.verdict(provider, True, False, self._spending)
            self._spending.take(rows)

    def _found(self, provider: str, verdict: Verdict) -> None:
        told = (provider, verdict, date.today())
        if verdict not in (Verdict.WARN, Verdict.STOP) or told in self._told:
            return
        self._told.add(told)
        name = provider_name(provider, read_chosen(str(self._home)).own_names)
        text = (
            tr(
                "The budget for {provider} is spent: nothing more goes there until it is raised.",
                provider=name,
            )
            if verdict is Verdict.STOP
            else tr("Most of the budget for {provider} is spent.", provider=name)
        )
        self.notice.emit(Notice(text, "", tr("Show costs"), self._show_costs))


def _is_no_matter(error: Exception) -> None:
    """The gate counts as well, and refuses what is too much: a warning that can't be given is no fault."""
    if not isinstance(error, OSError):
        raise error
