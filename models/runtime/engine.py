"""The engine: one local model for the rest of the program. Parent side; asyncio; knows no window.

It owns one worker. A worker that dies takes nothing with it: the next answer starts a new one and loads the
model again. A person waits for one answer at a time, so a second request waits for the first to end.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing, suppress
from dataclasses import replace
from typing import Protocol

from models.runtime.faults import Fault, RuntimeFault
from models.runtime.link import Spawn
from models.runtime.protocol import (
    Called,
    Cancel,
    Completed,
    Generate,
    Inspect,
    Inspected,
    Load,
    Loaded,
    LoadProgress,
    Park,
    Piece,
    PromptProgress,
    ReadTemplate,
    TemplateText,
    Trying,
)
from models.runtime.values import Adapter, Effort, Known, LoadOptions, ModelCard, Sampling, Tool, Turn
from models.runtime.watched import WatchedWorker

LoadReport = LoadProgress | Loaded
AnswerReport = LoadReport | PromptProgress | Piece | Called | Completed

_AUTOMATIC = LoadOptions()
_USUAL = Sampling()
_PARK_SECONDS = 4.0
"""How long a worker may take to write what it has read before it is ended all the same."""

_SETTLE_SECONDS = 5.0
"""How long a worker may take to become idle after a cancel. On a CPU that is milliseconds, on a GPU a batch."""


async def _no_room() -> bool:
    return False


class Experience(Protocol):
    """What is remembered of loads on this machine, so that the next one begins where the last one ended."""

    def known(self, path: str, options: LoadOptions) -> Known | None:
        """What came of the last load like this one."""

    def keep(self, path: str, options: LoadOptions, known: Known) -> None:
        """Remember what came of a load."""


class Engine:
    """One model, loaded when it is needed. All methods belong to one event loop."""

    def __init__(self, spawn: Spawn, state_bytes: int = 0, experience: Experience | None = None) -> None:
        """`spawn` may hand files to the worker in which it keeps what it has read, each up to `state_bytes`."""
        self._experience = experience
        self._can_make_room: Callable[[], bool] = lambda: False
        self._make_room: Callable[[], Awaitable[bool]] = _no_room
        self._spawn = spawn
        self._state_bytes = state_bytes
        self._wanted: Load | None = None
        self._worker: WatchedWorker | None = None
        self._loaded: Loaded | None = None
        self._tried: Trying | None = None
        self._turn = asyncio.Lock()

    def use_room(self, can_make: Callable[[], bool], make: Callable[[], Awaitable[bool]]) -> None:
        """How to get more memory for a load that does not fit: whether something could leave, and to have it leave."""
        self._can_make_room, self._make_room = can_make, make

    @property
    def loaded(self) -> Loaded | None:
        """What is loaded now; None while nothing is, or when its worker has died."""
        return self._loaded if self._worker is not None and self._worker.alive else None

    @property
    def pid(self) -> int | None:
        """The process that holds the model."""
        return self._worker.pid if self._worker is not None and self._worker.alive else None

    async def inspect(self, path: str | os.PathLike[str]) -> ModelCard:
        """What the header of a file says, read by a worker of its own: the loaded model is not disturbed.

        Raises `RuntimeFault`.
        """
        worker = await WatchedWorker.start(self._spawn)
        try:
            worker.send(Inspect(os.path.abspath(path)))
            report = await worker.receive()
            if not isinstance(report, Inspected):
                raise worker.condemn(f"{type(report).__name__} after Inspect")
        finally:
            await worker.close()
        return report.card

    async def read_template(
        self,
        path: str | os.PathLike[str],
        file: str | os.PathLike[str] | None = None,
        text: str = "",
        try_out: bool = True,
    ) -> TemplateText:
        """The chat template of a model, of a text `file`, or `text`: read and tried out in a worker of its own.

        Raises `RuntimeFault`: NO_TEMPLATE, TEMPLATE_BROKEN (a file or a text), TEMPLATE_ENDLESS, those of `inspect`.
        """
        worker = await WatchedWorker.start(self._spawn)
        try:
            wanted = "" if file is None else os.path.abspath(file)
            worker.send(ReadTemplate(os.path.abspath(path), wanted, text, try_out))
            report = await worker.receive()
            if not isinstance(report, TemplateText):
                raise worker.condemn(f"{type(report).__name__} after ReadTemplate")
        finally:
            await worker.close()
        return report

    async def load(
        self,
        path: str | os.PathLike[str],
        options: LoadOptions = _AUTOMATIC,
        template: str = "",
    ) -> AsyncGenerator[LoadReport]:
        """Load a file: `LoadProgress` now and then, at last `Loaded`. Nothing when exactly this is loaded.

        `template` takes the place of the file's own, if it is not "".

        Closing the iterator stops the load. Raises `RuntimeFault`; then nothing is loaded.
        """
        wanted = Load(os.path.abspath(path), options, template)
        async with self._turn:
            if wanted != self._wanted:
                await self._drop()
                self._wanted = wanted
            async with aclosing(self._loading()) as reports:
                async for report in reports:
                    yield report

    async def generate(
        self,
        turns: Sequence[Turn],
        sampling: Sampling = _USUAL,
        max_tokens: int | None = None,
        grammar: str = "",
        adapters: Sequence[Adapter] = (),
        tools: Sequence[Tool] = (),
        effort: Effort = Effort.AUTOMATIC,
    ) -> AsyncGenerator[AnswerReport]:
        """Answer: `PromptProgress`, `Piece`s and, with `tools`, `Called`s, at last `Completed`.

        Before, the reports of a load if need be.

        `grammar`: in GBNF, what the answer must keep to; "" for any answer. `adapters`: LoRA adapters to answer with.

        Closing the iterator cancels the answer: when that returns, the worker is idle. Raises `RuntimeFault`;
        after WORKER_STOPPED the next call starts anew.
        """
        async with self._turn:
            async with aclosing(self._loading()) as reports:
                async for report in reports:
                    yield report
            worker = self._living_worker()
            worker.send(
                Generate(tuple(turns), sampling, max_tokens, grammar, tuple(adapters), tuple(tools), effort)
            )
            try:
                completed = False
                while not completed:
                    answer = await worker.receive()
                    if not isinstance(answer, PromptProgress | Piece | Called | Completed):
                        raise worker.condemn(f"{type(answer).__name__} in an answer")
                    completed = isinstance(answer, Completed)
                    yield answer
            finally:
                await self._stop(worker)

    async def close(self) -> None:
        """Free the model: its worker keeps what it has read, if it has files for that, and ends.

        A later call of `generate` loads it again.
        """
        await self._park()
        await self._drop()

    async def _park(self) -> None:
        worker = self._worker
        if worker is None or self._loaded is None or not worker.alive or worker.busy or not worker.files:
            return
        worker.send(Park())
        with suppress(TimeoutError, RuntimeFault):  # then it is read again next time
            async with asyncio.timeout(_PARK_SECONDS):
                await worker.receive()

    async def _loading(self) -> AsyncGenerator[LoadReport]:
        """Have a living worker with the wanted model. One that a GPU's driver ended is followed by one without it."""
        if self.loaded is not None:
            return
        wanted = self._wanted
        if wanted is None:
            raise RuntimeFault(Fault.GENERATION_FAILED, "no model was chosen")
        known = self._experience.known(wanted.path, wanted.options) if self._experience else None
        self._tried = None
        try:
            async with aclosing(self._load_with_room(replace(wanted, known=known))) as reports:
                async for report in reports:
                    yield report
        except RuntimeFault as fault:
            if self._tried is None or "stage" not in fault.facts:  # a stage: its worker ended there
                raise
            known = Known(self._tried.devices, 0, failed=True)
            async with aclosing(self._load_with_room(replace(wanted, known=known))) as reports:
                async for report in reports:
                    yield report
        if self._experience is not None and self._loaded is not None:
            place = self._loaded.placement
            if place.devices and not place.gpu_failed:
                known = Known(place.devices, place.gpu_layers)
            if known is not None:
                self._experience.keep(wanted.path, wanted.options, known)

    async def _load_with_room(self, command: Load) -> AsyncGenerator[LoadReport]:
        """While it does not fit, by the estimate or because llama.cpp refuses it, others leave memory."""
        room = True
        while room:
            room = self._can_make_room()
            try:
                async with aclosing(self._load_once(replace(command, may_ask=room))) as reports:
                    async for report in reports:
                        yield report
                return
            except RuntimeFault as fault:
                if not room or fault.fault is not Fault.NOT_ENOUGH_MEMORY:
                    raise
                await self._make_room()

    async def _load_once(self, command: Load) -> AsyncGenerator[LoadReport]:
        await self._drop()
        worker = self._worker = await WatchedWorker.start(self._spawn)
        try:
            worker.send(replace(command, state_files=tuple(worker.files), state_bytes=self._state_bytes))
            while self._loaded is None:
                report = await worker.receive()
                if isinstance(report, Trying):
                    self._tried = report if report.layers else None
                    continue
                if not isinstance(report, LoadProgress | Loaded):
                    raise worker.condemn(f"{type(report).__name__} while loading")
                if isinstance(report, Loaded):
                    self._loaded = report
                yield report
        finally:
            await self._stop(worker)
            if self._loaded is None:  # a worker that failed to load has nothing worth keeping
                await self._drop()

    async def _stop(self, worker: WatchedWorker) -> None:
        if worker.busy and worker.alive:
            worker.send(Cancel())
            await worker.settle(_SETTLE_SECONDS)

    async def _drop(self) -> None:
        worker, self._worker, self._loaded = self._worker, None, None
        if worker is not None:
            await worker.close()

    def _living_worker(self) -> WatchedWorker:
        if self._worker is None:
            raise RuntimeFault(Fault.WORKER_STOPPED, "it was closed")
        return self._worker
