"""Where Alcove keeps things. `ALCOVE_HOME` moves all of them; nothing is written anywhere else."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Paths:
    """Every file and folder of one person's Alcove, below one home."""

    home: Path

    @property
    def database(self) -> Path:
        return self.home / "conversations.db"

    @property
    def settings(self) -> Path:
        return self.home / "settings.json"

    @property
    def library(self) -> Path:
        """What is known of the models on this disk."""
        return self.home / "library.json"

    @property
    def models(self) -> Path:
        """Models that Alcove downloaded."""
        return self.home / "models"

    @property
    def log(self) -> Path:
        return self.home / "alcove.log"

    @property
    def lock(self) -> Path:
        """Held by the one process that shows the window."""
        return self.home / "alcove.lock"


def find_paths(environ: Mapping[str, str] = os.environ) -> Paths:
    """The paths for this run. Creates nothing."""
    chosen = environ.get("ALCOVE_HOME")
    if chosen:
        return Paths(Path(chosen).expanduser().absolute())
    if sys.platform == "linux":  # the answer of the library below, which is a twentieth of the start of the window
        data = environ.get("XDG_DATA_HOME", "")
        return Paths(Path(data if data.startswith("/") else "~/.local/share").expanduser() / "Alcove")
    import platformdirs

    return Paths(Path(platformdirs.user_data_dir("Alcove", appauthor=False)))
