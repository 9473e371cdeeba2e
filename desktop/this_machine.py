"""What this machine has free for a model, and how fast its memory is: what a model on a hub is judged against."""

from __future__ import annotations

import asyncio

from desktop.paths import Paths
from models.estimate import Machine
from models.hardware import read_machine, usable_memory


async def this_machine(paths: Paths) -> Machine:
    """Free memory now, and the bandwidths that are known. Never raises; takes a second at most, once in a lifetime.

    Not for the start of the program.
    """
    return await asyncio.to_thread(_read, paths)


def _read(paths: Paths) -> Machine:
    return Machine(usable_memory(read_machine()))
