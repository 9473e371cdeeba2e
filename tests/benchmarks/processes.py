"""What the lock and the pipe between two processes cost."""

from __future__ import annotations

import asyncio
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from benchmarks.row import Row

from desktop.processes.child import ChildProcess, launch
from desktop.processes.roles import Role

ROOT = Path(__file__).parents[2]
CHILD = ROOT / "tests" / "processes" / "probes" / "talking_child.py"
LOCK = """
import ctypes, json, sys, time
sys.path.insert(0, sys.argv[1])
from desktop.processes import linux
from desktop.processes.lockdown import lock_down
from desktop.processes.roles import Role
before = time.perf_counter()
report = lock_down(Role(sys.argv[2]))
print(json.dumps([report.enforced, time.perf_counter() - before]))
"""


def run(quick: bool) -> list[Row]:
    """The rows of this area; `quick` repeats less."""
    locks = [_lock_row(role, 5 if quick else 15) for role in Role] if sys.platform == "linux" else []
    records = 5_000 if quick else 20_000
    return [*locks, *asyncio.run(_pipe_rows(records, 5 if quick else 15))]


def _lock_row(role: Role, times: int) -> Row:
    command = [sys.executable, "-c", LOCK, str(ROOT), role.value]
    with tempfile.TemporaryDirectory() as home:  # a broker's lock makes the folders that it leaves open
        environ = {**os.environ, "ALCOVE_HOME": home}
        runs = [json.loads(subprocess.check_output(command, env=environ)) for _ in range(times)]
    seconds = median(elapsed for _, elapsed in runs)
    return Row(
        name=f"Locking a {role}, its self-test included",
        figure=f"{seconds * 1e3:.1f} ms",
        target="5 ms",
        met=all(enforced for enforced, _ in runs) and seconds <= 0.005,
        how=f"median of {times} new processes, lock_down() alone",
    )


async def _pipe_rows(records: int, times: int) -> list[Row]:
    starts = []
    for _ in range(times):
        before = time.perf_counter()
        child = await _started()
        starts.append(time.perf_counter() - before)
        await _ended(child)
    child = await _started()
    child.send({"do": "send", "records": records, "bytes": 100})
    before_all, before_us = time.perf_counter(), _processor_seconds()
    for _ in range(records):
        await child.receive()
    wall, ours = time.perf_counter() - before_all, _processor_seconds() - before_us
    await _ended(child)
    return [
        Row(
            name="Starting a locked child, to its first answer",
            figure=f"{median(starts) * 1e3:.0f} ms",
            target="",
            met=None,
            how=f"median of {times}, a child that imports only its lock and its channel",
        ),
        Row(
            name="Receiving 1,000 records from a child",
            figure=f"{ours / records * 1e6:.1f} ms of processor time, {records / wall:,.0f} records/s",
            target="20 ms",
            met=ours / records * 1_000 <= 0.020,
            how=f"{records} records of 130 bytes, the parent's processor time",
        ),
    ]


async def _started() -> ChildProcess:
    child = await launch([sys.executable, str(CHILD), Role.WORKER.value])
    child.send({"do": "echo"})
    await child.receive()
    return child


async def _ended(child: ChildProcess) -> None:
    child.kill()
    await child.wait()


def _processor_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
