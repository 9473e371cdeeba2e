"""A transcript in a real window, for tests: filled, settled, and asked what stands where."""

from __future__ import annotations

from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtWidgets import QApplication, QWidget
from pytestqt.qtbot import QtBot

from desktop.viewmodels.transcript import Entry, TranscriptModel
from desktop.views.transcript.mathematics import Mathematics
from desktop.views.transcript.message import MessageView
from desktop.views.transcript.textview import TextView
from desktop.views.transcript.view import TranscriptView


def open_transcript(
    qtbot: QtBot, entries: list[Entry], width: int = 900, height: int = 700
) -> TranscriptView:
    view = TranscriptView()
    qtbot.addWidget(view)
    view.resize(width, height)
    model = TranscriptModel(view)
    view.bind(model)
    view.show()
    qtbot.waitExposed(view)
    model.reset(entries)
    settle(qtbot, view)
    return view


def settle(qtbot: QtBot, view: TranscriptView) -> None:
    """Until everything that was told is shown, a little beyond the window too, and formulas are drawn."""
    qtbot.waitUntil(lambda: view.is_settled and not Mathematics.shared().busy, timeout=30_000)
    QApplication.processEvents()


def messages(view: TranscriptView) -> list[MessageView]:
    """The message widgets there are, from top to bottom."""
    found = [child for child in view.viewport().findChildren(MessageView) if not child.isHidden()]
    return sorted(found, key=lambda message: message.y())


def texts(widget: QWidget) -> list[TextView]:
    return [text for text in widget.findChildren(TextView) if text.isVisible()]


def text_with(view: TranscriptView, words: str) -> TextView:
    return next(text for text in texts(view.viewport()) if words in text.toPlainText())


def tops(view: TranscriptView) -> dict[tuple[TextView, int], int]:
    """Where the paragraphs that are in the window begin, in its pixels."""
    viewport = view.viewport()
    found: dict[tuple[TextView, int], int] = {}
    for text in texts(viewport):
        at = text.mapTo(viewport, QPoint(0, 0)).y() - text.verticalScrollBar().value()
        block, layout = text.document().firstBlock(), text.document().documentLayout()
        while block.isValid():
            y = at + round(layout.blockBoundingRect(block).y())
            if 0 <= y < viewport.height():
                found[text, block.blockNumber()] = y
            block = block.next()
    return found


def turn_wheel(
    widget: QWidget, degrees: int, keys: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier
) -> None:
    """Turn the wheel over a widget: 120 for a notch, down is negative.

    What a widget ignores goes to the one it stands in, as Qt does with events from the window system.
    """
    at = QPointF(widget.width() / 2, widget.height() / 2)
    event = QWheelEvent(
        at,
        QPointF(widget.mapToGlobal(at.toPoint())),
        QPoint(),
        QPoint(0, degrees),
        Qt.MouseButton.NoButton,
        keys,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    event.ignore()
    target: QWidget | None = widget
    while target is not None and not event.isAccepted():
        QApplication.sendEvent(target, event)
        target = target.parentWidget()
