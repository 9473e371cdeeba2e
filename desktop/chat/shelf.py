"""Which models are in memory: loaded when needed, kept while there is room, let go of when nobody asks them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from models.runtime.values import LoadOptions, ModelCard, Placement
from providers.base import Provider
from providers.events import LoadProgress, ModelReady


class Loadable(Provider, Protocol):
    """A provider whose model is in this machine's memory once loaded."""

    @property
    def card(self) -> ModelCard | None: ...

    @property
    def placement(self) -> Placement | None: ...

    @property
    def idle_since(self) -> float | None:
        """When it last stopped working, on the loop's clock; None while it works and while it is not loaded."""

    def load(self) -> AsyncGenerator[LoadProgress | ModelReady, None]:
        """Load now, unless it is loaded. Raises `ProviderError`. Closing the iterator cancels."""

    def use_room(self, can_make: Callable[[], bool], make: Callable[[], Awaitable[bool]]) -> None:
        """How to get more memory for a load that does not fit: whether something could leave, and to have it leave."""


Make = Callable[[Path, LoadOptions], Loadable]


@dataclass(slots=True)
class _Place:
    path: Path
    options: LoadOptions
    model: Loadable
    taken_at: float = 0.0
    is_watched: bool = True  # until it has left for being idle

    @property
    def is_loaded(self) -> bool:
        return self.model.placement is not None


def _never() -> float | None:
    return None


def _no_limit() -> int | None:
    return None


class Shelf:
    """Owns the loaded models, the one used last at the end. All methods run on core."""

    def __init__(
        self,
        make: Make,
        idle_seconds: Callable[[], float | None] = _never,
        freed: Callable[[Path], None] = lambda path: None,
        most: Callable[[], int | None] = _no_limit,
    ) -> None:
        """`idle_seconds`: after how long without work a model leaves memory, asked each time; None for never.

        `freed` is called when one has left. `most`: how many may be in memory, None for as many as fit.
        """
        self._make = make
        self._idle_seconds = idle_seconds
        self._freed = freed
        self._most = most
        self._watch: asyncio.Task[None] | None = None
        self._places: list[_Place] = []
        self._changing = asyncio.Lock()

    async def take(self, path: Path, options: LoadOptions) -> Loadable:
        """The model for this file and these options. Loads nothing yet.

        The same file with other options is let go of; other models stay while there is room, and leave in the order
        in which they were used when there is none.
        """
        async with self._changing:
            place = next((place for place in self._places if place.path == path), None)
            if place is not None:
                self._places.remove(place)
                if place.options != options:
                    await place.model.close()
                    place = None
            if place is None:
                place = _Place(path, options, self._make(path, options))
                place.model.use_room(lambda: self._can_make_room(path), lambda: self._make_room(path))
            self._places.append(place)
            place.is_watched = True
            place.taken_at = asyncio.get_running_loop().time()
            await self._keep_to_the_limit()
            self.reconsider()
            return place.model

    async def drop(self, path: Path) -> None:
        """Let go of this file's model."""
        async with self._changing:
            for place in [place for place in self._places if place.path == path]:
                self._places.remove(place)
                await place.model.close()

    async def _keep_to_the_limit(self) -> None:
        most = self._most()
        if most is None:
            return
        for place in self._places[: max(0, len(self._places) - max(1, most))]:
            if place.model.idle_since is not None or not place.is_loaded:
                await self._let_go(place)

    def _can_make_room(self, wanted: Path) -> bool:
        return any(place.path != wanted and place.model.idle_since is not None for place in self._places)

    async def _make_room(self, wanted: Path) -> bool:
        """The model that was used longest ago leaves, if it has nothing to do. False when there is none."""
        async with self._changing:
            for place in self._places:
                if place.path != wanted and place.model.idle_since is not None:
                    await self._let_go(place)
                    return True
        return False

    async def _let_go(self, place: _Place) -> None:
        self._places.remove(place)
        await place.model.close()
        self._freed(place.path)

    def reconsider(self) -> None:
        """Begin to watch for idleness, or watch with a new limit."""
        if self._watch is not None:
            self._watch.cancel()
        self._watch = asyncio.create_task(self._free_when_idle())

    async def _free_when_idle(self) -> None:
        """Sleeps for as long as nothing can have become due: a program that does nothing wakes nobody."""
        clock = asyncio.get_running_loop().time
        while (limit := self._idle_seconds()) is not None:
            due = [self._due(place, limit) for place in self._places if place.is_watched]
            if not due:
                return
            left = min(limit if at is None else at - clock() for at in due)
            if left > 0:
                await asyncio.sleep(left)
                continue
            async with self._changing:
                for place in self._places:
                    at = self._due(place, limit)
                    if at is not None and at <= clock():
                        place.is_watched = False
                        await place.model.close()
                        self._freed(place.path)

    @staticmethod
    def _due(place: _Place, limit: float) -> float | None:
        """When it has been idle for long enough; None while it works or is not loaded."""
        since = place.model.idle_since
        return None if since is None else max(since, place.taken_at) + limit

    async def close(self) -> None:
        if self._watch is not None:
            self._watch.cancel()
        async with self._changing:
            places, self._places = self._places, []
            for place in places:
                await place.model.close()
