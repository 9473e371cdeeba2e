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

    def load(self) -> AsyncGenerator[LoadProgress | ModelReady, None]:
        """Load now, unless it is loaded. Raises `ProviderError`. Closing the iterator cancels."""


Make = Callable[[Path, LoadOptions], Loadable]


class Shelf:
    """Owns the loaded model. All methods run on core."""

    def __init__(self, make: Make) -> None:
        self._make = make
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
            return self._model

    async def close(self) -> None:
        async with self._changing:
            if self._model is not None:
                await self._model.close()
                self._model = None
