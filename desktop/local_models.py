"""Which local models there are, and how one is put together: a locked child, its engine, its provider."""

from __future__ import annotations

from pathlib import Path

from desktop.chat.shelf import Loadable
from desktop.processes.child import ChildProcess, spawn
from desktop.processes.roles import Role
from desktop.settings import Settings
from models.runtime.engine import Engine
from models.runtime.protocol import LoadOptions, ModelCard, RuntimeFault
from models.starter import NAME, starter_path
from providers.errors import ProviderError
from providers.local import LocalModel


def known_models(settings: Settings) -> tuple[Path, ...]:
    """The starter model and the files the person opened, the starter first."""
    paths = [starter_path(), *map(Path, settings.get("model.opened_files"))]
    return tuple(dict.fromkeys(path for path in paths if path is not None))


def current_model(settings: Settings) -> Path | None:
    """The file of the model in use. None when none was chosen and the starter is missing."""
    chosen = settings.get("model.current")
    return Path(chosen) if chosen else starter_path()


def model_name(path: Path, card: ModelCard | None) -> str:
    """What a person calls this model: by its own header when that was read, else by its file."""
    title = NAME if path == starter_path() else card.name if card is not None else ""
    if card is None or not title:
        return title or path.stem.replace(".", " ")
    return f"{title} {card.quantization}".strip()


def make_model(path: Path, options: LoadOptions) -> Loadable:
    """A model that loads with its first answer, or before when asked to."""
    name = NAME if path == starter_path() else ""
    return LocalModel(Engine(spawn_worker), path, options, name)


async def inspect_model(path: Path) -> ModelCard:
    """What the header of a file says, read in a locked child. Raises `ProviderError`."""
    try:
        return await Engine(spawn_worker).inspect(path)
    except RuntimeFault as fault:
        raise ProviderError(fault.fault, fault.detail, fault.facts) from fault


async def spawn_worker() -> ChildProcess:
    return await spawn(Role.WORKER)
