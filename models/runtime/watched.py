"""A worker under watch: its reports, its deadlines, and what its end means.

A worker that has opened a damaged file may hang, abort or talk nonsense. Each ends here as a `RuntimeFault`.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Sequence
from dataclasses import dataclass

from models.runtime.faults import Fault, RuntimeFault
from models.runtime.link import Spawn, WorkerSide
from models.runtime.protocol import (
    Command,
    Completed,
    Failed,
    Generate,
    Gpus,
    Inspected,
    Loaded,
    Park,
    Parked,
    ProtocolError,
    Ready,
    Report,
    Stage,
    TemplateText,
    decode_report,
    encode,
)


@dataclass(frozen=True, slots=True)
class _Limit:
    """Seconds without a report before a stage counts as hung, and what that means."""

    seconds: float
    fault: Fault


_LIMITS = {
    "start": _Limit(30, Fault.WORKER_STOPPED),
    "header": _Limit(4, Fault.DAMAGED),
    "vocabulary": _Limit(4, Fault.DAMAGED),
    "weights": _Limit(60, Fault.LOAD_STALLED),
    "context": _Limit(4, Fault.DAMAGED),
    "template": _Limit(3, Fault.TEMPLATE_ENDLESS),
    "adapter": _Limit(60, Fault.ADAPTER_DAMAGED),
    "trial": _Limit(4, Fault.DAMAGED),
    # A large model on a slow computer may take minutes for one batch of the prompt.
    "prompt": _Limit(1800, Fault.WORKER_STOPPED),
    "answer": _Limit(600, Fault.WORKER_STOPPED),
    "image": _Limit(1800, Fault.WORKER_STOPPED),
}
_BLAMES_THE_FILE = (Fault.DAMAGED, Fault.TEMPLATE_ENDLESS)

_LONGEST = 180.0
"""What a worker may be granted when it asks for longer, in seconds."""

_PATIENCE = 5
"""How many times longer it may be silent while it gets no processor, or waits for a disk: no fault of its file."""

_WATCH_SECONDS = 0.1
_EXIT_SECONDS = 2.0

_FINAL = (Inspected, TemplateText, Gpus, Loaded, Completed, Parked, Failed)
"""Each command is answered by exactly one of these, as its last report."""


class WatchedWorker:
    """One child, from its start to its end. It does one command at a time."""

    def __init__(self, child: WorkerSide) -> None:
        self._child = child
        self._loop = asyncio.get_running_loop()
        self._stage = "start"
        self._limit = _LIMITS["start"]
        self._allowed = self._limit.seconds
        self._heard = self._loop.time()
        self._listening = False
        self._worked_before = 0.0  # seconds of processor time when the stage began
        self._busy = True  # it owes its Ready
        self._opening = False  # it is busy with a file, not with an answer
        self._verdict: RuntimeFault | None = None  # why the parent ended it, if the parent did
        self._end: RuntimeFault | None = None
        self._burial = asyncio.create_task(self._await_end())
        self._watch: asyncio.Task[None] | None = asyncio.create_task(self._keep_watch())
        self.ready: Ready

    @classmethod
    async def start(cls, spawn: Spawn) -> WatchedWorker:
        """Start a worker and wait until it is ready. Raises `RuntimeFault` WORKER_STOPPED."""
        try:
            child = await spawn()
        except OSError as error:
            raise RuntimeFault(Fault.WORKER_STOPPED, f"it could not be started: {error}") from error
        worker = cls(child)
        try:
            report = await worker._next()
            if not isinstance(report, Ready):
                raise worker.condemn(f"{type(report).__name__} before Ready")
        except BaseException:
            await worker.close()
            raise
        worker.ready = report
        worker._rest()
        return worker

    @property
    def pid(self) -> int:
        return self._child.pid

    @property
    def files(self) -> Sequence[int]:
        """Descriptors that it was given at its start."""
        return self._child.files

    @property
    def alive(self) -> bool:
        return self._end is None

    @property
    def busy(self) -> bool:
        """Whether a command is still unanswered."""
        return self._busy

    def send(self, command: Command) -> None:
        """Give it a command. Only `Cancel` may be sent while it is busy."""
        if not self._busy:
            self._busy = True
            self._opening = not isinstance(command, Generate | Park)
            self._enter("header" if self._opening else "prompt", 0.0)
            self._watch = asyncio.create_task(self._keep_watch())
        self._child.send(encode(command))

    async def receive(self) -> Report:
        """The next report that is not a `Stage`. Raises the `RuntimeFault` of a `Failed`, or of the worker's end."""
        while True:
            report = await self._next()
            if isinstance(report, Stage):
                continue
            if isinstance(report, _FINAL):
                self._rest()
            if isinstance(report, Failed):
                raise RuntimeFault(report.fault, report.detail, report.facts)
            return report

    async def settle(self, seconds: float) -> None:
        """Read on until it is idle, after a `Cancel`; end it when that takes longer than `seconds`."""
        try:
            async with asyncio.timeout(seconds):
                while self._busy:
                    await self.receive()
        except TimeoutError:
            await self.close()
        except RuntimeFault:
            pass  # it failed, or it ended: either way it is not working any more
        except asyncio.CancelledError:
            self._kill(RuntimeFault(Fault.WORKER_STOPPED, "nobody waited for it"))
            raise

    async def close(self) -> None:
        """End the process and wait for it to be gone."""
        fault = Fault.LOAD_CANCELLED if self._opening else Fault.WORKER_STOPPED
        self._rest()
        self._kill(RuntimeFault(fault, "it was closed"))
        await asyncio.shield(self._burial)

    def condemn(self, what: str) -> RuntimeFault:
        """End a worker that breaks the protocol: it may do somebody else's will by now."""
        fault = RuntimeFault(Fault.WORKER_STOPPED, f"it broke the protocol: {what}", {"stage": self._stage})
        self._rest()
        self._kill(fault)
        return fault

    async def _next(self) -> Report:
        self._heard = self._loop.time()
        self._listening = True
        try:
            record = await self._child.receive()
        finally:
            self._listening = False
        if record is None:
            raise await self._ended()
        try:
            report = decode_report(record)
        except ProtocolError as error:
            raise self.condemn(str(error)) from error
        if isinstance(report, Stage):
            self._enter(report.name, report.seconds)
        return report

    def _enter(self, stage: str, seconds: float) -> None:
        if stage not in _LIMITS:
            raise self.condemn(f"the stage {stage!r:.40}")
        self._stage = stage
        self._limit = _LIMITS[stage]
        self._allowed = max(self._limit.seconds, min(seconds, _LONGEST))
        self._heard = self._loop.time()
        if self._limit.fault in _BLAMES_THE_FILE:
            self._worked_before = _processor_seconds(self._child.pid)

    def _rest(self) -> None:
        self._busy = self._opening = False
        self._stage = "idle"
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None

    async def _keep_watch(self) -> None:
        """End the child when it has been silent for too long while somebody listened.

        One timer for a whole command, instead of one for each report, costs an answer nothing.
        """
        while not self._listening or not self._is_overdue():
            await asyncio.sleep(_WATCH_SECONDS)
        facts: dict[str, int | str] = {"stage": self._stage, "seconds": round(self._allowed)}
        self._kill(RuntimeFault(self._limit.fault, f"no sign of life for {self._allowed:.0f} s", facts))

    def _is_overdue(self) -> bool:
        silent = self._loop.time() - self._heard
        if silent < self._allowed or self._limit.fault not in _BLAMES_THE_FILE:
            return silent >= self._allowed
        return is_stuck(silent, _processor_seconds(self._child.pid) - self._worked_before, self._allowed)

    def _kill(self, why: RuntimeFault) -> None:
        if self._verdict is None and self._end is None:
            self._verdict = why
            self._child.kill()

    async def _ended(self) -> RuntimeFault:
        """After the worker closed its end: what its exit means. One that closes its end and lives on is ended."""
        try:
            await asyncio.wait_for(asyncio.shield(self._burial), _EXIT_SECONDS)
        except TimeoutError:
            self.condemn("it closed its end and did not exit")
            await asyncio.shield(self._burial)
        assert self._end is not None
        return self._end

    async def _await_end(self) -> None:
        """From the first moment to the last, so that an idle worker's death is noticed too."""
        status = await self._child.wait()
        self._end = self._verdict or self._meaning(status)
        self._rest()

    def _meaning(self, status: int) -> RuntimeFault:
        """What the end of a process that nobody ended says about the file, or at least about the worker.

        While a file is opened, a crash is the file's doing: llama.cpp checks little of what it reads.
        """
        name = _signal_name(-status) if status < 0 else ""
        facts: dict[str, int | str] = {"stage": self._stage}
        facts["signal" if name else "status"] = name or status
        words = self._child.last_words.strip()
        if self._stage == "adapter" and (name in _CRASHES or _is_crash_on_windows(status)):
            return RuntimeFault(Fault.ADAPTER_DAMAGED, words, facts)
        if self._opening and name == "SIGBUS":  # a page of the mapped file could not be read
            return RuntimeFault(Fault.FILE_UNREADABLE, words, facts)
        if self._opening and (name in _CRASHES or _is_crash_on_windows(status)):
            return RuntimeFault(Fault.DAMAGED, words, facts)
        if self._stage == "image" and (name in _CRASHES or _is_crash_on_windows(status)):
            return RuntimeFault(Fault.PROJECTOR_DAMAGED, words, facts)
        return RuntimeFault(Fault.WORKER_STOPPED, words, facts)


def is_stuck(silent: float, worked: float, allowed: float) -> bool:
    """Whether a worker that has been silent for so many seconds is to be ended, having worked for so many of them.

    On a machine that is busy with something else, a file is not damaged because reading it takes longer.
    """
    return silent >= allowed and (worked >= allowed / 2 or silent >= allowed * _PATIENCE)


def _processor_seconds(pid: int) -> float:
    import psutil

    try:
        times = psutil.Process(pid).cpu_times()
    except psutil.Error:  # it has ended, which is noticed elsewhere
        return 0.0
    return float(times.user + times.system)


_CRASHES = ("SIGABRT", "SIGSEGV", "SIGFPE", "SIGILL", "SIGTRAP", "SIGBUS")


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _is_crash_on_windows(status: int) -> bool:
    """There are no signals: abort() exits with 3, and what the processor refuses with 0xC0000000 and above."""
    return status == 3 or status >= 0xC0000000
