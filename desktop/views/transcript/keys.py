"""The keyboard in the conversation: keys that scroll, and the order in which Tab goes."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QScrollBar, QWidget

_STEP = 60  # pixels for an arrow key


def scroll_with_key(bar: QScrollBar, event: QKeyEvent, room: int) -> bool:
    """Scroll by an arrow, a page or to an end; whether the key was one of those. `room`: pixels of the window."""
    page = max(_STEP, room - _STEP)
    moves = {
        Qt.Key.Key_Up: bar.value() - _STEP,
        Qt.Key.Key_Down: bar.value() + _STEP,
        Qt.Key.Key_PageUp: bar.value() - page,
        Qt.Key.Key_PageDown: bar.value() + page,
        Qt.Key.Key_Home: bar.minimum(),
        Qt.Key.Key_End: bar.maximum(),
        Qt.Key.Key_Space: bar.value() + page,
    }
    key = Qt.Key(event.key())
    if key not in moves or event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier:
        return False
    bar.setValue(moves[key])
    return True


def chain(first: QWidget, stops: Sequence[QWidget]) -> None:
    """Let Tab go from `first` through the stops in their order. Widgets are made in any order, as one scrolls."""
    before = first
    for stop in stops:
        QWidget.setTabOrder(before, stop)
        before = stop


def first_in_sight(stops: Sequence[QWidget], window: QWidget) -> QWidget | None:
    """The first stop that is not wholly above the window."""
    return next((stop for stop in stops if stop.mapTo(window, QPoint(0, stop.height())).y() > 0), None)


def distance_into_view(top: int, height: int, room: int, margin: int = 24) -> int:
    """How far to scroll so that what stands at `top` is seen, with a margin; 0 when it is."""
    if top < margin:
        return top - margin
    below = top + height - (room - margin)
    return min(below, top - margin) if below > 0 else 0
