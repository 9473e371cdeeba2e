"""A model's page on the hub: what it says, what can be fetched of it, and what of that runs on this machine."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from desktop.bridge import Bridge, Job
from desktop.paths import Paths
from desktop.viewmodels.hub_link import HubLink
from desktop.viewmodels.hub_words import hub_sentence
from desktop.words.sentence import Sentence
from models.hub_values import HubModel, Listing, Page

if TYPE_CHECKING:
    from desktop.hub import HubFailed
    from desktop.hub_fit import Fitting
    from models.estimate import Machine

CONTEXTS = (2_048, 4_096, 8_192, 16_384, 32_768, 65_536, 131_072)
"""Tokens that can be chosen; 0 besides them is what Alcove takes by itself."""

MOST_HEADERS = 12
"""Headers that are read unasked: a repository of hundreds of models must not cost hundreds of requests."""


@dataclass(frozen=True, slots=True)
class Version:
    """One thing that can be fetched. `fitting`: None until it is known; `problem` why it will not be known."""

    model: HubModel
    fitting: Fitting | None
    problem: Sentence | None
    best: bool

    @property
    def key(self) -> str:
        return self.model.files[0].path


class HubPageViewModel(QObject):
    """One page at a time. `changed` for all that is shown; `opened` when another page has come."""

    changed = Signal()
    opened = Signal()

    def __init__(
        self, bridge: Bridge, link: HubLink, paths: Paths, hub: str, parent: QObject | None = None
    ) -> None:
        """`hub`: its address, for people who want to see the page elsewhere."""
        super().__init__(parent)
        self.hub = hub
        self._bridge = bridge
        self._link = link
        self._paths = paths
        self.repo = ""
        self.page: Page | None = None
        self.listing: Listing | None = None
        self.problem: Sentence | None = None
        self.context = 0
        self.machine: Machine | None = None
        self._look: Job | None = None
        self._judging: Job | None = None
        self._judged: dict[str, Fitting | HubFailed] = {}
        self._judge_problem: Sentence | None = None

    # ---- the page

    @property
    def opening(self) -> bool:
        return self._look is not None

    @property
    def judging(self) -> bool:
        """Whether headers are being read, to say what fits."""
        return self._judging is not None

    def show(self, repo: str) -> None:
        """Fetch and show the page of this repository."""
        if repo == self.repo and (self.page is not None or self._look is not None):
            return
        self.clear()
        self.repo = repo
        self._look = self._bridge.submit(self._fetch(repo), self._came, self._refused)
        self.changed.emit()

    def try_again(self) -> None:
        repo, self.repo = self.repo, ""
        self.show(repo)

    def clear(self) -> None:
        """Give up what is under way."""
        for job in (self._look, self._judging):
            if job is not None:
                job.cancel()
        self._look = self._judging = None
        self.repo, self.page, self.listing = "", None, None
        self.problem = self._judge_problem = None
        self._judged = {}

    async def _fetch(self, repo: str) -> tuple[str, Page, Listing]:
        from desktop.hub import look

        return (repo, *await look(await self._link.client(), repo))

    def _came(self, answer: tuple[str, Page, Listing]) -> None:
        repo, page, listing = answer
        if repo != self.repo:
            return
        self._look = None
        self.page, self.listing = page, listing
        self.opened.emit()
        self.changed.emit()
        self._judge()

    def _refused(self, error: Exception) -> None:
        self._look = None
        self.problem = hub_sentence(error)
        self.changed.emit()

    # ---- what can be fetched, and what of it runs here

    @property
    def versions(self) -> list[Version]:
        """From the smallest to the largest."""
        if self.listing is None:
            return []
        from desktop.hub import HubFailed, whole_models

        best = self.best
        made = []
        for model in whole_models(self.listing):
            judged = self._judged.get(model.files[0].path)
            if isinstance(judged, HubFailed):
                made.append(Version(model, None, hub_sentence(judged), model is best))
            else:
                problem = self._judge_problem if judged is None else None
                made.append(Version(model, judged, problem, model is best))
        return made

    @property
    def best(self) -> HubModel | None:
        """The version to take here; before anything is known of it, the usual one."""
        if self.listing is None:
            return None
        from desktop.hub import usual_choice, whole_models
        from desktop.hub_fit import best_choice

        if self._judging is not None or not self._judged:
            return usual_choice(self.listing) if self._judge_problem is not None else None
        by_path = {model.files[0].path: model for model in whole_models(self.listing)}
        return best_choice((by_path[path], judged) for path, judged in self._judged.items())

    def projector(self, model: HubModel) -> HubModel | None:
        """The part that sees, for a version of a vision model."""
        from desktop.hub import projector_for

        return None if self.listing is None else projector_for(self.listing, model)

    @property
    def contexts(self) -> tuple[int, ...]:
        """The lengths of context that make sense for this model, as far as it is known."""
        longest = max(
            (one.fitting.trained_context for one in self.versions if one.fitting is not None), default=0
        )
        return tuple(tokens for tokens in CONTEXTS if not longest or tokens <= longest)

    def choose_context(self, tokens: int) -> None:
        """Reckon for a conversation of so many tokens; 0 for what Alcove takes by itself."""
        if tokens != self.context:
            self.context = tokens
            if self.page is not None:
                self._judge()

    def _judge(self) -> None:
        if self._judging is not None:
            self._judging.cancel()
        self._judge_problem = None
        assert self.page is not None and self.listing is not None
        self._judging = self._bridge.submit(
            self._judge_all(self.page, self.listing, self.context), self._judged_all, self._not_judged
        )
        self.changed.emit()

    async def _judge_all(
        self, page: Page, listing: Listing, context: int
    ) -> tuple[Page, int, dict[str, Fitting | HubFailed], Machine]:
        from desktop.hub_fit import fit_all
        from desktop.this_machine import this_machine

        client = await self._link.client()
        machine = await this_machine(self._paths)
        judged: dict[str, Fitting | HubFailed] = {}
        some = replace(listing, models=tuple(_of_few_kinds(listing.models)))
        async with aclosing(fit_all(client, page, some, machine, context)) as answers:
            async for model, fitting in answers:
                judged[model.files[0].path] = fitting
                self._bridge.deliver(self._judged_one, page, context, model.files[0].path, fitting)
        return page, context, judged, machine

    def judge_one(self, model: HubModel) -> None:
        """Read the header of a version that nothing is known of yet, because it was chosen."""
        path, page = model.files[0].path, self.page
        if page is None or self._judging is not None or path in self._judged:
            return
        context = self.context

        async def judge() -> Fitting:
            from desktop.hub_fit import fit
            from desktop.this_machine import this_machine

            client = await self._link.client()
            return await fit(client, page, model, await this_machine(self._paths), context)

        def failed(error: Exception) -> None:
            from desktop.hub import HubFailed

            if isinstance(error, HubFailed):
                self._judged_one(page, context, path, error)
            else:
                hub_sentence(error)  # raises what is a mistake of ours; the rest is told by the next request

        self._bridge.submit(judge(), lambda fitting: self._judged_one(page, context, path, fitting), failed)

    def _judged_one(self, page: Page, context: int, path: str, fitting: Fitting | HubFailed) -> None:
        if page is self.page and context == self.context:
            self._judged[path] = fitting
            self.changed.emit()

    def _judged_all(self, answer: tuple[Page, int, dict[str, Fitting | HubFailed], Machine]) -> None:
        page, context, judged, machine = answer
        if page is not self.page or context != self.context:
            return
        self._judging = None
        self._judged, self.machine = judged, machine
        self.changed.emit()

    def _not_judged(self, error: Exception) -> None:
        self._judging = None
        self._judge_problem = hub_sentence(error)
        self.changed.emit()


def _of_few_kinds(models: Iterable[HubModel]) -> Iterator[HubModel]:
    """Those of the first kinds; quantizations of one model are one kind, for which one header is read."""
    kinds: set[str] = set()
    for model in models:
        kind = model.name.casefold().replace(model.quantization.casefold(), "")
        if kind in kinds or len(kinds) < MOST_HEADERS:
            kinds.add(kind)
            yield model
