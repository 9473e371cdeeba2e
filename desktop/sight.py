"""Which file lets a model see: its projector (mmproj). Opens no file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from models.starter import starter_path

if TYPE_CHECKING:
    from desktop.library import Library


async def projector_for(model: Path, library: Library | None) -> str | None:
    """The projector that belongs to a model: the one the library has paired with it, else the only one beside it.

    Whether it fits is seen when it is loaded, which happens with the first image. Raises nothing.
    """
    if model == starter_path():
        return None
    beside = _beside(model)
    if len(beside) == 1:
        return beside[0]
    try:
        entries = await library.entries() if library is not None else ()
    except OSError:  # the catalogue can't be read: then nothing is known
        entries = ()
    path = os.path.abspath(model)
    paired = next((entry.projectors for entry in entries if path in (file.path for file in entry.files)), ())
    return paired[0] if paired and os.path.exists(paired[0]) else None


def _beside(model: Path) -> list[str]:
    """The projectors in its folder, by their names: "mmproj-model-f16.gguf"."""
    try:
        names = [entry.name for entry in os.scandir(model.parent) if "mmproj" in entry.name.lower()]
    except OSError:
        return []
    return [str(model.absolute().parent / name) for name in names if name.lower().endswith(".gguf")]
