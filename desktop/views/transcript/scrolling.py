"""Text and tables that are wider or longer than their place, and scroll inside themselves."""

from __future__ import annotations

from PySide6.QtCore import QObject, Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtWidgets import QAbstractScrollArea, QAbstractSlider

_NOTCH = 120  # what Qt reports for one notch of the wheel
_STEP = 60  # pixels to scroll for it
TALLEST = 640  # pixels for text of 15 px; what is longer scrolls inside itself


def turn_inside(area: QAbstractScrollArea, event: QWheelEvent) -> None:
    """Scroll an area with this turn of the wheel, or leave the event to the transcript.

    Sideways (also with Shift) always, when there is something to the side. Up and down only while it has the
    keyboard, after a click into it, say, and is not at its end: a page that is scrolled past must not get
    caught in a listing.
    """
    delta = event.angleDelta()
    sideways = abs(delta.x()) > abs(delta.y())
    if sideways or event.modifiers() & Qt.KeyboardModifier.ShiftModifier:
        bar, turned = area.horizontalScrollBar(), delta.x() if sideways else delta.y()
        wanted = True
    else:
        bar, turned = area.verticalScrollBar(), delta.y()
        wanted = area.hasFocus()
    target = max(bar.minimum(), min(bar.maximum(), bar.value() - turned * _STEP // _NOTCH))
    if wanted and target != bar.value():
        bar.setSliderPosition(target)
        bar.triggerAction(QAbstractSlider.SliderAction.SliderMove)  # tells that a person moved it
        event.accept()
    else:
        event.ignore()


class Follower(QObject):
    """Keeps the end of an area in sight while it grows, unless a person has scrolled away from it."""

    def __init__(self, area: QAbstractScrollArea) -> None:
        super().__init__(area)
        self.active = False
        self._at_end = True
        self._bar = area.verticalScrollBar()
        # Not valueChanged: Qt itself scrolls a new text to its start.
        self._bar.actionTriggered.connect(self._moved)
        self._bar.rangeChanged.connect(self._grown)

    def _moved(self, action: int) -> None:
        self._at_end = self._bar.sliderPosition() >= self._bar.maximum() - 4

    def _grown(self, least: int, most: int) -> None:
        if self.active and self._at_end:
            self._bar.setValue(most)


def follows_end(area: QAbstractScrollArea) -> bool:
    """Whether its end is in sight, so that it should stay there while more is written."""
    bar = area.verticalScrollBar()
    return bar.value() >= bar.maximum() - 4
