"""“Find models”: what is searched for, what was found, and what to begin with while nothing is searched for."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from desktop.bridge import Bridge, Job
from desktop.paths import Paths
from desktop.viewmodels.hub_link import HubLink
from desktop.viewmodels.hub_words import hub_sentence
from desktop.words.sentence import Sentence
from models.estimate import Machine
from models.hub_values import Found, Query
from models.recommend import Purpose, Recommendation, recommend

if TYPE_CHECKING:
    from collections.abc import Sequence

LIMIT = 50
"""Rows of a search: what a person looks through; another word finds more."""


class HubSearchViewModel(QObject):
    """`changed` when there is something else to show."""

    changed = Signal()

    def __init__(
        self, bridge: Bridge, link: HubLink, paths: Paths, online: bool, parent: QObject | None = None
    ) -> None:
        """`online`: the network switch lets the hub be reached in this run."""
        super().__init__(parent)
        self._bridge = bridge
        self._link = link
        self._paths = paths
        self.online = online
        self.query = Query(limit=LIMIT)
        self.found: Sequence[Found] = ()
        self.problem: Sentence | None = None
        self.has_searched = False  # what is shown are results, not what to begin with
        self.purpose = Purpose.CHAT
        self.machine: Machine | None = None
        self._search: Job | None = None
        self._asking_machine = False

    # ---- searching

    @property
    def searching(self) -> bool:
        return self._search is not None

    def search(self, query: Query) -> None:
        """Ask the hub. An empty query goes back to what to begin with."""
        query = replace(query, text=query.text.strip(), author=query.author.strip(), limit=LIMIT)
        self.cancel()
        self.query, self.problem = query, None
        self.has_searched = query != Query(limit=LIMIT)
        if self.has_searched and self.online:
            self._search = self._bridge.submit(self._ask(query), self._answered, self._refused)
        self.changed.emit()

    def cancel(self) -> None:
        """Give up the search under way. Its connection is cut."""
        if self._search is not None:
            self._search.cancel()
            self._search = None
            self.changed.emit()

    async def _ask(self, query: Query) -> tuple[Found, ...]:
        from desktop.hub import search

        return await search(await self._link.client(), query)

    def _answered(self, found: tuple[Found, ...]) -> None:
        self._search = None
        self.found = found
        self.changed.emit()

    def _refused(self, error: Exception) -> None:
        self._search = None
        self.found = ()
        self.problem = hub_sentence(error)
        self.changed.emit()

    # ---- what to begin with

    def begin(self) -> None:
        """Look at this machine, if that was not done yet: what to begin with depends on it."""
        if self.machine is None and not self._asking_machine:
            self._asking_machine = True
            self._bridge.submit(self._look_at_machine(), self._know_machine)

    async def _look_at_machine(self) -> Machine:
        from desktop.this_machine import this_machine

        return await this_machine(self._paths)

    def _know_machine(self, machine: Machine) -> None:
        self._asking_machine = False
        self.machine = machine
        self.changed.emit()

    def choose_purpose(self, purpose: str) -> None:
        self.purpose = Purpose(purpose)
        self.changed.emit()

    @property
    def recommended(self) -> tuple[Recommendation, ...]:
        """The models of the list for this machine and purpose, best first; empty until the machine is known."""
        return () if self.machine is None else recommend(self.machine, self.purpose)
