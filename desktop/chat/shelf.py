"""Which model answers: one is in use at a time, loaded when needed and let go of when another is chosen."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
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


Make = Callable[[Path, LoadOptions], Loadable]


def _never() -> float | None:
    return None


class Shelf:
    """Owns the loaded model. All methods run on core."""

    def __init__(
        self,
        make: Make,
        idle_seconds: Callable[[], float | None] = _never,
        freed: Callable[[], None] = lambda: None,
    ) -> None:
        """`idle_seconds`: after how long without work the model leaves memory, asked each time; None for never.

        `freed` is called when that has happened.
        """
        self._make = make
        self._idle_seconds = idle_seconds
        self._freed = freed
        self._watch: asyncio.Task[None] | None = None
        self._taken_at = 0.0
        self._path: Path | None = None
        self._options = LoadOptions()
        self._model: Loadable | None = None
        self._changing = asyncio.Lock()

    async def take(self, path: Path, options: LoadOptions) -> Loadable:
        """The model for this file and these options; the one before it is let go of. Loads nothing yet."""
        async with self._changing:
            if self._model is None or (path, options) != (self._path, self._options):
                before, self._model = self._model, None
                if before is not None:
                    await before.close()
                self._path, self._options = path, options
                self._model = self._make(path, options)
            self._taken_at = asyncio.get_running_loop().time()
            self.reconsider()
            return self._model

    def reconsider(self) -> None:
        """Begin to watch for idleness, or watch with a new limit."""
        if self._watch is not None:
            self._watch.cancel()
        self._watch = asyncio.create_task(self._free_when_idle())

    async def _free_when_idle(self) -> None:
        """Sleeps for as long as nothing can have become due: a program that does nothing wakes nobody."""
        clock = asyncio.get_running_loop().time
        while (limit := self._idle_seconds()) is not None:
            model = self._model
            since = model.idle_since if model is not None else None
            left = limit if since is None else max(since, self._taken_at) + limit - clock()
            if left > 0:
                await asyncio.sleep(left)
                continue
            async with self._changing:
                if model is self._model and model is not None and model.idle_since == since:
                    await model.close()
                    self._freed()
            return

    async def close(self) -> None:
        if self._watch is not None:
            self._watch.cancel()
        async with self._changing:
            if self._model is not None:
                await self._model.close()
                self._model = None
