"""Files in which workers keep what their models have read of recent conversations. They are as private as the
conversations, lie beside them, and never take more room than the person allows.
"""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

log = logging.getLogger(__name__)

_SLOTS = 3
"""Conversations kept for one model. They may take three quarters of the room, older models' the rest."""


class KeptStateFiles:
    """A folder for each model, with a file for each conversation that is kept."""

    def __init__(self, folder: Path, most_bytes: Callable[[], int]) -> None:
        """`most_bytes`: the room all of it may take, asked each time; 0 keeps nothing and deletes what there is."""
        self._folder = folder
        self._most_bytes = most_bytes

    @property
    def slot_bytes(self) -> int:
        """What one conversation may take."""
        return self._most_bytes() // (_SLOTS + 1)

    def open(self, model: Path) -> list[int]:
        """Descriptors of the files for a model, to be handed to its worker and then closed here.

        None on Windows, when nothing may be kept, when another process of this person has them, or when the disk
        refuses: then the model reads everything again, and nothing else is different.
        """
        folder = self._folder / hashlib.sha256(os.fsencode(model)).hexdigest()[:32]
        self._make_room(folder)
        if sys.platform == "win32" or not self.slot_bytes:
            return []
        opened: list[int] = []
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            for number in range(_SLOTS):
                opened.append(_open_alone(folder / f"slot-{number}"))
        except OSError as error:
            log.info("what was read will not be kept: %s", error.strerror)
            for descriptor in opened:
                os.close(descriptor)
            return []
        os.utime(folder)
        return opened

    def forget(self) -> None:
        """Delete everything that is kept."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def _make_room(self, current: Path) -> None:
        """Delete the folders of models that were not used for longest, until the rest is small enough."""
        if not self.slot_bytes:
            self.forget()
            return
        with suppress(OSError):
            others = [folder for folder in self._folder.iterdir() if folder != current]
            others.sort(key=lambda folder: folder.stat().st_mtime, reverse=True)
            room = self.slot_bytes
            for folder in others:
                room -= sum(file.stat().st_size for file in folder.iterdir())
                if room < 0:
                    shutil.rmtree(folder, ignore_errors=True)


def _open_alone(file: Path) -> int:
    """Open a file that no other process has open in this way. Raises OSError."""
    import fcntl

    descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor
