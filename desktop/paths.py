"""Where Alcove keeps things. `ALCOVE_HOME` moves all of them; nothing is written anywhere else."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from desktop.processes.home import home_folder


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
    def kept_states(self) -> Path:
        """What models have read of recent conversations."""
        return self.home / "kept-states"

    @property
    def placements(self) -> Path:
        """Where on this machine models ran well."""
        return self.home / "placements.json"

    @property
    def library(self) -> Path:
        """What is known of the models on this disk."""
        return self.home / "library.json"

    @property
    def models(self) -> Path:
        """Models that Alcove downloaded."""
        return self.home / "models"

    @property
    def machine(self) -> Path:
        """How fast this machine was seen to be."""
        return self.home / "machine.json"

    @property
    def templates(self) -> Path:
        """Chat templates that were chosen instead of models' own."""
        return self.home / "templates"

    @property
    def log(self) -> Path:
        return self.home / "alcove.log"

    @property
    def ledger(self) -> Path:
        """What left this machine, and what was refused; written by the broker alone."""
        return self.home / "ledger" / "ledger.jsonl"

    @property
    def lock(self) -> Path:
        """Held by the one process that shows the window."""
        return self.home / "alcove.lock"


def find_paths(environ: Mapping[str, str] = os.environ) -> Paths:
    """The paths for this run. Creates nothing."""
    return Paths(Path(home_folder(environ)))
