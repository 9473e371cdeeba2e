"""The parent's side of an embedder: asyncio; one locked child with one model, started when it is needed."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Sequence
from contextlib import suppress

from models.codec import ProtocolError
from models.embedding.messages import (
    Command,
    Embed,
    Embedded,
    Failed,
    Open,
    Opened,
    Opening,
    Ready,
    Report,
    decode_report,
    encode,
)
from models.runtime.faults import Fault, RuntimeFault
from models.runtime.link import ParentSide, Spawn

_SECONDS = {"start": 30.0, "open": 120.0, "embed": 600.0}
"""How long it may be silent."""

_EXIT_SECONDS = 2.0
_CRASHES = ("SIGABRT", "SIGSEGV", "SIGFPE", "SIGILL", "SIGTRAP")


class EmbeddingEngine:
    """One embedding model. All methods belong to one event loop; a child that died is followed by another."""

    def __init__(self, spawn: Spawn, path: str | os.PathLike[str], threads: int | None = None) -> None:
        self._spawn = spawn
        self._path = os.path.abspath(path)
        self._threads = threads
        self._child: ParentSide | None = None
        self._opened: Opened | None = None
        self._turn = asyncio.Lock()

    async def load(self) -> Opened:
        """Load it, unless it is loaded. Raises `RuntimeFault`; then nothing is loaded."""
        async with self._turn:
            return await self._load()

    async def embed(self, texts: Sequence[str]) -> Embedded:
        """Vectors for texts, loading the model first if need be. Raises `RuntimeFault`."""
        async with self._turn:
            await self._load()
            try:
                report = await self._ask(Embed(tuple(texts)), "embed")
            except asyncio.CancelledError:  # it may be busy for a long time with what nobody wants any more
                await self._drop()
                raise
            opened = self._opened
            if not isinstance(report, Embedded) or opened is None or not _fits(report, len(texts), opened):
                await self._drop()
                raise RuntimeFault(Fault.WORKER_STOPPED, f"{type(report).__name__} after Embed")
            return report

    async def close(self) -> None:
        """Free the model. The next `embed` loads it again."""
        await self._drop()

    async def _load(self) -> Opened:
        if self._opened is not None:
            return self._opened
        try:
            self._child = await self._spawn()
        except OSError as error:
            raise RuntimeFault(Fault.WORKER_STOPPED, f"it could not be started: {error}") from error
        try:
            if not isinstance(await self._receive("start"), Ready):
                raise RuntimeFault(Fault.WORKER_STOPPED, "it was not ready")
            report = await self._ask(Open(self._path, self._threads), "open")
            if not isinstance(report, Opened):
                raise RuntimeFault(Fault.WORKER_STOPPED, f"{type(report).__name__} after Open")
        except BaseException:
            await self._drop()
            raise
        self._opened = report
        return report

    async def _ask(self, command: Command, stage: str) -> Report:
        assert self._child is not None
        self._child.send(encode(command))
        while isinstance(report := await self._receive(stage), Opening):
            pass
        return report

    async def _receive(self, stage: str) -> Report:
        assert self._child is not None
        report: Report | None = None
        verdict = ""
        try:
            async with asyncio.timeout(_SECONDS[stage]):
                record = await self._child.receive()
            if record is not None:
                report = decode_report(record)
        except TimeoutError:
            verdict = f"silent for {_SECONDS[stage]:.0f} s"
        except ProtocolError as error:
            verdict = f"it broke the protocol: {error}"
        if report is None:
            raise await self._end(stage, verdict)
        if isinstance(report, Failed):
            raise RuntimeFault(report.fault, report.detail, report.facts)
        return report

    async def _end(self, stage: str, verdict: str) -> RuntimeFault:
        """What its end means: while a file is opened, a crash is the file's doing."""
        child = self._child
        assert child is not None
        if verdict:
            child.kill()
        status: int | None = None
        with suppress(TimeoutError):
            async with asyncio.timeout(_EXIT_SECONDS):
                status = await child.wait()
        words = f"{verdict} {child.last_words}".strip()
        name = _signal_name(status)
        facts: dict[str, int | str] = {"stage": stage, "signal": name}
        await self._drop()
        if stage == "open" and verdict.startswith("silent"):
            return RuntimeFault(Fault.LOAD_STALLED, words, facts)
        if stage == "open" and name == "SIGBUS":
            return RuntimeFault(Fault.FILE_UNREADABLE, words, facts)
        crashed = stage == "open" and not verdict and name in _CRASHES
        return RuntimeFault(Fault.DAMAGED if crashed else Fault.WORKER_STOPPED, words, facts)

    async def _drop(self) -> None:
        child, self._child, self._opened = self._child, None, None
        if child is not None:
            child.kill()
            await asyncio.shield(child.wait())


def _fits(report: Embedded, texts: int, opened: Opened) -> bool:
    """Whether a child that may do a file's will by now says what was asked for."""
    return (
        len(report.vectors) == texts
        and all(len(vector) == opened.width for vector in report.vectors)
        and all(0 <= place < texts for place in report.cut)
    )


def _signal_name(status: int | None) -> str:
    with suppress(ValueError):
        return signal.Signals(-status).name if status is not None and status < 0 else ""
    return ""
