"""Formulas within a line of text: one object character each, drawn on the line's baseline."""

from __future__ import annotations

from PySide6.QtCore import QObject, QRect, QRectF, QSizeF
from PySide6.QtGui import QFontMetricsF, QPainter, QPyTextObject, QTextCharFormat, QTextDocument, QTextFormat

from desktop.views.transcript.appearance import FORMULA_OBJECT, FORMULA_PROPERTY
from desktop.views.transcript.mathematics import Drawing, Mathematics

OBJECT = "\ufffc"  # stands in a document for something that is drawn
NO_WIDTH = "\u200b"
FORMULA_SCALE = 1.15  # STIX Two has smaller letters than interface fonts of the same size

_Alignment = QTextCharFormat.VerticalAlignment


def formula_format(text: QTextCharFormat, latex: str) -> QTextCharFormat:
    """The format of the object character of a formula that stands in text of the given format.

    Qt has two ways to place an object on a line (qtextdocumentlayout.cpp, positionInlineObject). AlignBaseline:
    its lower edge is at the text's descent. AlignMiddle: its lower edge is (height - half the x-height) / 2
    below the baseline. The first leaves the line's height alone, so it is used for what hangs no deeper than
    the text does.
    """
    made = QTextCharFormat(text)
    made.clearBackground()
    made.setObjectType(FORMULA_OBJECT)
    made.setProperty(FORMULA_PROPERTY, latex)
    drawing, size = _drawing(made)
    hangs = drawing is not None and drawing.descent * size > QFontMetricsF(text.font()).descent()
    made.setVerticalAlignment(_Alignment.AlignMiddle if hangs else _Alignment.AlignBaseline)
    return made


def formulas_between(document: QTextDocument, start: int, end: int) -> list[str]:
    """The formulas in a stretch of a document, in order, as "$LaTeX$"."""
    found: list[str] = []
    block = document.findBlock(start)
    while block.isValid() and block.position() < end:
        iterator = block.begin()
        while not iterator.atEnd():
            fragment = iterator.fragment()
            shape = fragment.charFormat()
            if shape.objectType() == FORMULA_OBJECT and start <= fragment.position() < end:
                found += [f"${shape.property(FORMULA_PROPERTY)}$"] * fragment.length()
            iterator += 1
        block = block.next()
    return found


def _drawing(shape: QTextFormat) -> tuple[Drawing | None, float]:
    """The drawing and the pixels of its em."""
    latex = str(shape.property(FORMULA_PROPERTY))
    return Mathematics.shared().drawing(latex), shape.toCharFormat().font().pixelSize() * FORMULA_SCALE


class FormulaObject(QPyTextObject):
    """What a document asks for the size and the picture of a formula."""

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)

    def intrinsicSize(self, document: QTextDocument, position: int, shape: QTextFormat) -> QSizeF:
        drawing, size = _drawing(shape)
        if drawing is None:
            return QSizeF(0, 0)
        text = shape.toCharFormat()
        metrics = QFontMetricsF(text.font())
        width = drawing.width * size + 2
        if text.verticalAlignment() == _Alignment.AlignBaseline:
            return QSizeF(width, drawing.ascent * size + metrics.descent())
        half = metrics.xHeight() / 2
        return QSizeF(width, max(2 * drawing.descent * size + half, 2 * drawing.ascent * size - half))

    def drawObject(
        self,
        painter: QPainter,
        rect: QRectF | QRect,
        document: QTextDocument,
        position: int,
        shape: QTextFormat,
    ) -> None:
        drawing, size = _drawing(shape)
        if drawing is None:
            return
        text = shape.toCharFormat()
        metrics = QFontMetricsF(text.font())
        place = QRectF(rect)
        below = metrics.descent()
        if text.verticalAlignment() != _Alignment.AlignBaseline:
            below = (place.height() - metrics.xHeight() / 2) / 2
        top = place.bottom() - below - drawing.ascent * size
        target = QRectF(
            place.left() + 1, top, drawing.width * size, (drawing.ascent + drawing.descent) * size
        )
        latex = str(shape.property(FORMULA_PROPERTY))
        Mathematics.shared().paint(painter, target, latex, False, text.foreground().color().name())
