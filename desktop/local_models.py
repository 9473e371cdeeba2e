"""How a local model is put together: a locked child, its engine, its provider."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from desktop.chat.shelf import Loadable
from desktop.kept_states import KeptStateFiles
from desktop.processes.child import ChildProcess, spawn
from desktop.processes.roles import Role
from desktop.templates import Templates
from models.runtime.engine import Engine, Experience
from models.runtime.faults import RuntimeFault
from models.runtime.values import LoadOptions, ModelCard
from models.starter import NAME, starter_path
from providers.errors import ProviderError
from providers.local import Answered, LocalModel

if TYPE_CHECKING:
    from providers.embedding import EmbeddingModel


def make_model(
    path: Path,
    options: LoadOptions,
    kept: KeptStateFiles | None = None,
    answered: Answered | None = None,
    templates: Templates | None = None,
    experience: Experience | None = None,
) -> Loadable:
    """A model that loads with its first answer, or before when asked to. What it has read is in `kept` afterwards.

    `templates`: where it is looked up whether another template was chosen for it. `experience`: where models ran
    well on this machine.
    """
    name = NAME if path == starter_path() else ""
    template = partial(templates.replacement, path) if templates is not None else str
    if kept is None:
        return LocalModel(
            Engine(spawn_worker, experience=experience), path, options, name, answered, template
        )

    async def spawn_with_files() -> ChildProcess:
        files = kept.open(path)
        try:
            return await spawn(Role.WORKER, files=files)
        finally:
            for descriptor in files:
                os.close(descriptor)

    engine = Engine(spawn_with_files, kept.slot_bytes, experience)
    return LocalModel(engine, path, options, name, answered, template)


def make_templates(folder: Path) -> Templates:
    """The chat templates of models; those that were chosen are in `folder`."""
    return Templates(folder, spawn_worker)


async def inspect_model(path: Path) -> ModelCard:
    """What the header of a file says, read in a locked child. Raises `ProviderError`."""
    try:
        return await Engine(spawn_worker).inspect(path)
    except RuntimeFault as fault:
        raise ProviderError(fault.fault, fault.detail, fault.facts) from fault


async def spawn_worker() -> ChildProcess:
    return await spawn(Role.WORKER)


def make_embedding_model(path: Path) -> EmbeddingModel:
    """A model that turns texts into vectors; loads with the first ones."""
    from providers.embedding import EmbeddingModel

    return EmbeddingModel(spawn_embedder, path)


async def spawn_embedder() -> ChildProcess:
    return await spawn(Role.EMBEDDER)
