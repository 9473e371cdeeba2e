"""How a local model is put together: a locked child, its engine, its provider."""

from __future__ import annotations

import os
from pathlib import Path

from desktop.chat.shelf import Loadable
from desktop.kept_states import KeptStateFiles
from desktop.processes.child import ChildProcess, spawn
from desktop.processes.roles import Role
from models.runtime.engine import Engine, Experience
from models.runtime.faults import RuntimeFault
from models.runtime.values import LoadOptions, ModelCard
from models.starter import NAME, starter_path
from providers.errors import ProviderError
from providers.local import Answered, LocalModel


def make_model(
    path: Path,
    options: LoadOptions,
    kept: KeptStateFiles | None = None,
    experience: Experience | None = None,
    answered: Answered | None = None,
) -> Loadable:
    """A model that loads with its first answer, or before when asked to. What it has read is in `kept` afterwards.

    `experience`: where models ran well on this machine. `answered` is told of each whole answer.
    """
    name = NAME if path == starter_path() else ""
    if kept is None:
        return LocalModel(Engine(spawn_worker, experience=experience), path, options, name, answered)

    async def spawn_with_files() -> ChildProcess:
        files = kept.open(path)
        try:
            return await spawn(Role.WORKER, files=files)
        finally:
            for descriptor in files:
                os.close(descriptor)

    return LocalModel(Engine(spawn_with_files, kept.slot_bytes, experience), path, options, name, answered)


async def inspect_model(path: Path) -> ModelCard:
    """What the header of a file says, read in a locked child. Raises `ProviderError`."""
    try:
        return await Engine(spawn_worker).inspect(path)
    except RuntimeFault as fault:
        raise ProviderError(fault.fault, fault.detail, fault.facts) from fault


async def spawn_worker() -> ChildProcess:
    return await spawn(Role.WORKER)
