"""Text and tables that are wider or longer than their place, and scroll inside themselves."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtWidgets import QAbstractScrollArea

TALLEST = 640  # pixels for text of 15 px; what is longer scrolls inside itself


def takes_wheel(area: QAbstractScrollArea, event: QWheelEvent) -> bool:
    """Whether an area scrolls itself with this turn of the wheel, rather than the whole transcript.

    Sideways always, when there is something to the side. Up and down only while it has the keyboard (after a
    click into it, say) and is not at its end: a page that is scrolled past must not get caught in a listing.
    """
    delta = event.angleDelta()
    sideways = abs(delta.x()) > abs(delta.y()) or bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
    if sideways:
        return area.horizontalScrollBar().maximum() > 0
    bar = area.verticalScrollBar()
    if not area.hasFocus() or delta.y() == 0:
        return False
    return bar.value() > bar.minimum() if delta.y() > 0 else bar.value() < bar.maximum()


def follows_end(area: QAbstractScrollArea) -> bool:
    """Whether its end is in sight, so that it should stay there while more is written."""
    bar = area.verticalScrollBar()
    return bar.value() >= bar.maximum() - 4
