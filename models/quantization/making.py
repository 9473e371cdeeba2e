"""The parent's side of a quantization: asyncio; starts the locked child, asks it, believes only what fits."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncGenerator, Sequence
from contextlib import suppress

from models.codec import ProtocolError
from models.quantization.messages import (
    Checking,
    Command,
    Failed,
    Made,
    Make,
    Making,
    Problem,
    Ready,
    Report,
    Survey,
    Surveyed,
    decode_report,
    encode,
)
from models.runtime.faults import Fault
from models.runtime.link import ParentSide, Spawn

_START_SECONDS = 30.0
_SURVEY_SECONDS = 120.0
_TENSOR_SECONDS = 3600.0
"""A person sees how far it is and can stop it; this only keeps a child that hangs from staying for ever."""

_EXIT_SECONDS = 2.0
_CRASHES = ("SIGABRT", "SIGSEGV", "SIGFPE", "SIGILL", "SIGTRAP")


class QuantizeFailed(Exception):
    """Nothing was made, and why, with the numbers and names for the sentence."""

    def __init__(
        self, problem: Problem | Fault, detail: str = "", facts: dict[str, int | str] | None = None
    ) -> None:
        super().__init__(f"{problem.value}: {detail}" if detail else problem.value)
        self.problem = problem
        self.detail = detail
        self.facts = facts or {}


class Quantizer:
    """One locked child. Made by `start`; all methods belong to one event loop and raise `QuantizeFailed`."""

    def __init__(self, child: ParentSide) -> None:
        self._child = child
        self._verdict = ""

    @classmethod
    async def start(cls, spawn: Spawn) -> Quantizer:
        """A quantizer that is ready."""
        try:
            child = await spawn()
        except OSError as error:
            raise QuantizeFailed(Problem.STOPPED, str(error)) from error
        quantizer = cls(child)
        try:
            if not isinstance(await quantizer._receive(_START_SECONDS), Ready):
                raise quantizer._condemned("it was not ready")
        except BaseException:
            await quantizer.close()
            raise
        return quantizer

    @property
    def pid(self) -> int:
        return self._child.pid

    async def survey(self, source: str, types: Sequence[str]) -> Surveyed:
        """What the file at this absolute path is, and how large it would be in each of the types."""
        self._send(Survey(source, tuple(types)))
        report = await self._receive(_SURVEY_SECONDS)
        if not isinstance(report, Surveyed):
            raise self._condemned(f"{type(report).__name__} after Survey")
        return report

    async def make(self, command: Make) -> AsyncGenerator[Making | Checking | Made]:
        """Write the target: ends with `Made`. To stop it, `close` the quantizer."""
        self._send(command)
        while True:
            match report := await self._receive(_TENSOR_SECONDS):
                case Making() | Checking():
                    yield report
                case Made():
                    yield report
                    return
                case _:
                    raise self._condemned(f"{type(report).__name__} after Make")

    async def close(self) -> None:
        """End the child, and wait for it to be gone."""
        self._child.kill()
        await asyncio.shield(self._child.wait())

    def _send(self, command: Command) -> None:
        self._child.send(encode(command))

    async def _receive(self, patience: float) -> Report:
        report: Report | None = None
        try:
            async with asyncio.timeout(patience):
                record = await self._child.receive()
            if record is not None:
                report = decode_report(record)
        except TimeoutError:
            self._condemned(f"silent for {patience:.0f} s")
        except ProtocolError as error:
            self._condemned(str(error))
        if report is None:
            raise await self._ended()
        if isinstance(report, Failed):
            raise QuantizeFailed(report.problem, report.detail, report.facts)
        return report

    def _condemned(self, why: str) -> QuantizeFailed:
        self._verdict = self._verdict or why
        self._child.kill()
        return QuantizeFailed(Problem.STOPPED, why)

    async def _ended(self) -> QuantizeFailed:
        """What its exit says: a crash is the file's doing, because llama.cpp checks little of what it reads."""
        status: int | None = None
        with suppress(TimeoutError):
            async with asyncio.timeout(_EXIT_SECONDS):
                status = await self._child.wait()
        if status is None:
            self._condemned("it closed its end and did not exit")
            status = await self._child.wait()
        words = f"{self._verdict} {self._child.last_words}".strip()
        name = _signal_name(status)
        facts: dict[str, int | str] = {"signal" if name else "status": name or status}
        if self._verdict:
            return QuantizeFailed(Problem.STOPPED, words, facts)
        if name == "SIGBUS":  # a page of the source could not be read
            return QuantizeFailed(Fault.FILE_UNREADABLE, words, facts)
        return QuantizeFailed(Fault.DAMAGED if name in _CRASHES else Problem.STOPPED, words, facts)


def _signal_name(status: int) -> str:
    with suppress(ValueError):
        return signal.Signals(-status).name if status < 0 else ""
    return f"signal {-status}"
