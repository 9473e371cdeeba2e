"""What every part of the models page can be told by the page."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QWidget


class PartOfPage(QWidget):
    """`used`: a model was chosen to answer. `said`: something to say in passing. `part_wanted`: another part.
    `keys_wanted`: to put in the token that a model asks for.
    """

    used = Signal()
    said = Signal(str)
    part_wanted = Signal(str)
    keys_wanted = Signal()

    def open(self) -> None:
        """It is seen from now on."""

    def take_keyboard(self) -> None:
        """To where a person begins."""

    def close_details(self) -> bool:
        """Back to the list, where details are seen instead of it. Whether there was anything to close."""
        return False
