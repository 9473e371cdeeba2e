"""The graphics cards of this machine, as llama.cpp's own drivers see them: asked in a locked child."""

from __future__ import annotations

from models.runtime.faults import RuntimeFault
from models.runtime.link import Spawn
from models.runtime.protocol import Gpus, LookForGpus
from models.runtime.values import Gpu
from models.runtime.watched import WatchedWorker


async def find_gpus(spawn: Spawn) -> tuple[Gpu, ...]:
    """Those that are there now, with what is free on them. None for a driver that ends or stalls its process."""
    try:
        worker = await WatchedWorker.start(spawn)
    except RuntimeFault:
        return ()
    try:
        worker.send(LookForGpus())
        report = await worker.receive()
    except RuntimeFault:
        return ()
    finally:
        await worker.close()
    return report.found if isinstance(report, Gpus) else ()
