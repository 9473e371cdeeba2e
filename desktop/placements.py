"""What loads came to on this machine, in a small file: the next load of the same model begins where the last one ended.

The file holds no names: models are known by a hash of their path, size and time. It may be deleted at any time.
"""

from __future__ import annotations

import hashlib
import logging
import os
from pathlib import Path
from typing import Any

from desktop.files import read_json, write_json
from models.runtime.values import Known, LoadOptions

log = logging.getLogger(__name__)

_MOST = 500
"""Loads that are remembered; the oldest go."""


class Placements:
    """Written by the desktop alone; each worker is told what concerns its model. Fits `engine.Experience`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._entries: dict[str, Any] | None = None

    def known(self, path: str, options: LoadOptions) -> Known | None:
        """What came of the last load like this one. That a driver failed holds for all options."""
        model = _model(path)
        for key in (model, f"{model}-{_options(options)}"):
            if (found := _known(self._read().get(key))) is not None:
                return found
        return None

    def keep(self, path: str, options: LoadOptions, known: Known) -> None:
        """Remember it. A disk that refuses is no reason not to answer: then it is found out anew next time."""
        if self.known(path, options) == known:
            return
        model = _model(path)
        key = model if known.failed else f"{model}-{_options(options)}"
        entries = {name: entry for name, entry in self._read().items() if name not in (key, model)}
        entries[key] = [known.devices, known.layers, known.failed]
        self._write(dict(list(entries.items())[-_MOST:]))

    def forget(self, path: str) -> None:
        """Find out anew what this model can do, with any options."""
        model = _model(path)
        self._write({name: entry for name, entry in self._read().items() if not name.startswith(model)})

    def _read(self) -> dict[str, Any]:
        if self._entries is None:
            try:
                found = read_json(self._path).get("loads")
            except (OSError, ValueError) as error:
                log.info("what worked on this machine is found out anew: %s", error)
                found = None
            self._entries = found if isinstance(found, dict) else {}
        return self._entries

    def _write(self, entries: dict[str, Any]) -> None:
        self._entries = entries
        try:
            write_json(self._path, {"loads": entries})
        except OSError as error:
            log.info("what worked on this machine was not written down: %s", error.strerror)


def _known(entry: object) -> Known | None:
    match entry:
        case [str(devices), int(layers), bool(failed)] if 0 <= layers <= 1 << 20:
            return Known(devices, layers, failed)
    return None


def _model(path: str) -> str:
    try:
        status = os.stat(path)
    except OSError:
        return _hash(path)
    return _hash(path, status.st_size, status.st_mtime_ns)


def _options(options: LoadOptions) -> str:
    return _hash(options)


def _hash(*parts: object) -> str:
    return hashlib.sha256(repr(parts).encode("utf-8", "surrogatepass")).hexdigest()[:24]
