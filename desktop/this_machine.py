"""What this machine has free for a model, and how fast its memory is: what a model on a hub is judged against.

Writing a token means reading the model's weights once, so the speed of a model follows from the bandwidth of the
memory it lies in. That is known from answers that were given here, which is best, or from copying memory for a
moment. `machine.json` remembers it; of a GPU only answers tell.
"""

from __future__ import annotations

import asyncio
import ctypes
import math
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from statistics import median
from typing import Any

import psutil

from desktop.files import read_json, write_json
from desktop.local_models import spawn_worker
from desktop.paths import Paths
from models.estimate import Machine
from models.hardware import choose_threads, read_machine, usable_memory
from models.runtime.gpus import find_gpus
from models.runtime.link import Spawn
from models.runtime.values import Gpu, ModelCard, Placement
from providers.events import Usage

COPY_SECONDS = 0.3
_COPY_BYTES = 192 << 20
_MEASUREMENTS = 3  # in as many runs of the program, the best one counts: the machine may have been busy
_ANSWERS = 9  # the median of so many last ones
_SMALLEST_READ = 300_000_000
"""Bytes a token below which an answer tells nothing: in small models what is done besides reading counts too much."""

_SHORTEST_ANSWER = 32
_LONGEST_CONTEXT = 2_048
"""Tokens. Beyond these the cache, which is not counted, is a good part of what is read."""

_FASTEST = 1e14

_measured: set[Path] = set()  # in this run of the program


class How(StrEnum):
    """How a bandwidth is known."""

    UNKNOWN = "unknown"
    COPIED = "copied"  # memory was copied for a moment
    ANSWERS = "answers"  # models have answered here


@dataclass(frozen=True, slots=True)
class Speeds:
    """Bytes a second, 0 while unknown."""

    memory: float = 0.0
    memory_how: How = How.UNKNOWN
    gpu: float = 0.0
    gpu_how: How = How.UNKNOWN


async def this_machine(paths: Paths, spawn: Spawn = spawn_worker) -> Machine:
    """What is free now, on the graphics cards as well, and how fast it is. Beside the event loop; never raises.

    The cards are asked for in a child, once in a run of the program where there are none, else twice a minute.
    """
    gpus = await _gpus(spawn)
    free = sum(gpu.free_bytes for gpu in gpus)
    return await asyncio.to_thread(ThisMachine(paths.machine).machine, free)


_asked: tuple[float, tuple[Gpu, ...]] | None = None
_ASK_AGAIN = 30.0


async def _gpus(spawn: Spawn) -> tuple[Gpu, ...]:
    global _asked
    if _asked is None or (_asked[1] and time.monotonic() - _asked[0] > _ASK_AGAIN):
        _asked = time.monotonic(), await find_gpus(spawn)
    return _asked[1]


class ThisMachine:
    """What is known of the machine that the file is on. Its methods may be called from any thread."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._lock = threading.Lock()

    def machine(self, gpu_free: int = 0) -> Machine:
        """Free memory now, and the bandwidths; `gpu_free`: free bytes of the GPU, if there is one.

        Copies memory for a third of a second in the first runs of the program: not for the main thread, nor for
        the start. Never raises.
        """
        speeds = self.speeds(measure=True)
        return Machine(usable_memory(read_machine()), speeds.memory, gpu_free, speeds.gpu)

    def speeds(self, *, measure: bool = False) -> Speeds:
        """How fast the memories are, and how that is known."""
        with self._lock:
            known = self._read()
            wanted = measure and self._file not in _measured and not known["memory"]
            if wanted and known["copies"] < _MEASUREMENTS:
                _measured.add(self._file)
                known["copied"] = max(known["copied"], copy_bandwidth())
                known["copies"] += 1
                self._write(known)
            copied = known["copied"]
            memory = median(known["memory"]) if known["memory"] else copied
            how = How.ANSWERS if known["memory"] else How.COPIED if copied else How.UNKNOWN
            gpu = median(known["gpu"]) if known["gpu"] else 0.0
            return Speeds(memory, how, gpu, How.ANSWERS if gpu else How.UNKNOWN)

    def answered(self, card: ModelCard, placement: Placement, usage: Usage) -> None:
        """`note_answer` beside whoever tells it. For `providers.local.LocalModel`."""
        threading.Thread(target=self.note_answer, args=(card, placement, usage), name="noting").start()

    def note_answer(self, card: ModelCard, placement: Placement, usage: Usage) -> None:
        """A model has answered here: if it was all in one memory, that tells how fast this is. Never raises."""
        telling = card.read_bytes >= _SMALLEST_READ and usage.generated_tokens >= _SHORTEST_ANSWER
        if not telling or usage.generate_ms <= 0 or usage.context_tokens > _LONGEST_CONTEXT:
            return
        bandwidth = card.read_bytes * usage.tokens_per_second
        if not 0 < bandwidth < _FASTEST:
            return
        with self._lock:
            known = self._read()
            if not placement.on_gpu or placement.gpu_layers == 0:
                known["memory"] = [*known["memory"], bandwidth][-_ANSWERS:]
            elif placement.gpu_layers >= placement.layers:
                before = known["gpu"] if known["device"] == placement.device else []
                known["device"], known["gpu"] = placement.device, [*before, bandwidth][-_ANSWERS:]
            else:
                return
            self._write(known)

    def _read(self) -> dict[str, Any]:
        content: dict[str, Any] = {}
        with suppress(OSError, ValueError):
            content = read_json(self._file)
        return _checked(content if content.get("machine") == _this_one() else {})

    def _write(self, known: dict[str, Any]) -> None:
        with suppress(OSError):  # it is measured again then
            write_json(self._file, {**known, "machine": _this_one()})


def copy_bandwidth(seconds: float = COPY_SECONDS, size: int = _COPY_BYTES) -> float:
    """Bytes a second that this machine's memory reads and writes, from copying in as many threads as generate.

    0 where there is not enough memory to try it. The best round counts: whatever else runs only makes it slower.
    """
    machine = read_machine()
    if usable_memory(machine) < 4 * size:
        return 0.0
    count = choose_threads(machine).generation
    buffer = bytearray(size)
    start = ctypes.addressof(ctypes.c_char.from_buffer(buffer))
    ctypes.memset(start, 1, size)  # now the pages are there
    part = size // 2 // count
    best = [0.0] * count
    until = time.perf_counter() + seconds

    def copy(number: int) -> None:
        source = start + number * part
        while (before := time.perf_counter()) < until:
            ctypes.memmove(source + size // 2, source, part)  # lets the other threads run
            best[number] = max(best[number], 2 * part / max(1e-9, time.perf_counter() - before))

    threads = [threading.Thread(target=copy, args=(number,), name="measuring") for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(best)


def _this_one() -> str:
    """The file may be carried to another machine, or the machine get other memory."""
    return f"{psutil.cpu_count()} processors, {psutil.virtual_memory().total >> 30} GiB"


def _checked(content: dict[str, Any]) -> dict[str, Any]:
    def numbers(name: str) -> list[float]:
        values = content.get(name)
        return [value for value in values[-_ANSWERS:] if _is_speed(value)] if isinstance(values, list) else []

    copied, copies, device = content.get("copied"), content.get("copies"), content.get("device")
    return {
        "copied": copied if _is_speed(copied) else 0.0,
        "copies": copies if type(copies) is int and copies > 0 and _is_speed(copied) else 0,
        "memory": numbers("memory"),
        "gpu": numbers("gpu"),
        "device": device if isinstance(device, str) else "",
    }


def _is_speed(value: object) -> bool:
    return isinstance(value, float) and math.isfinite(value) and 0 < value < _FASTEST
