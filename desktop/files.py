"""Small JSON files that are either the old or the new one after a crash, never half of one."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def write_json(path: Path, content: Mapping[str, Any], *, compact: bool = False) -> None:
    """Write to a new file, sync it, rename it over `path`. Raises OSError.

    `compact`: for a large file that nobody reads; ASCII, so that file names that are no text survive too.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(path.name + ".new")
    with open(fresh, "w", encoding="utf-8") as file:
        if compact:
            file.write(json.dumps(content, separators=(",", ":")))
        else:
            json.dump(content, file, indent=2, sort_keys=True, ensure_ascii=False)
        file.flush()
        os.fsync(file.fileno())
    os.replace(fresh, path)


def read_json(path: Path) -> dict[str, Any]:
    """The object in the file; empty when there is no file.

    Raises ValueError when the file holds something else, OSError when it can't be read.
    """
    try:
        content = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    if not isinstance(content, dict):
        raise ValueError(f"{path.name} does not hold a JSON object")
    return content
