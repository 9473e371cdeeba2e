"""Which local models there are, which one is in use, and what they are called. Opens no file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from desktop.settings import Settings
from models.starter import NAME, starter_path

if TYPE_CHECKING:
    from models.runtime.values import ModelCard


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
