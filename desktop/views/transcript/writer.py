"""Writes paragraphs into a QTextDocument, and rewrites only from where they differ from what stands there.

A streamed answer changes at its end, so almost always this is one insertion; what stands above keeps its
layout, its selection and its place. No HTML is made or read: text is inserted run by run in ready formats.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtGui import QFontMetricsF, QTextCharFormat, QTextCursor, QTextDocument

from desktop.views.transcript.appearance import Appearance
from desktop.views.transcript.content import Paragraph, Span, reads_right_to_left
from desktop.views.transcript.inline_formula import OBJECT, formula_format

THIN_SPACE = "\u2009"
Drawable = Callable[[str], bool]
"""Whether the drawing of a formula is there."""


class Writer:
    """Keeps one document equal to a row of paragraphs."""

    def __init__(self, document: QTextDocument, look: Appearance, drawable: Drawable) -> None:
        self._document = document
        self._look = look
        self._drawable = drawable
        self._written: list[tuple[Paragraph, tuple[Span, ...]]] = []  # and its spans as they were inserted
        self.soft = False

    def restyle(self, look: Appearance) -> None:
        """Write everything again in another look."""
        paragraphs = [paragraph for paragraph, _ in self._written]
        self._look = look
        self._clear_from(0)
        self.write(paragraphs)

    def redraw(self) -> bool:
        """Put in the formulas that have become drawable since. Whether there were any."""
        paragraphs = [paragraph for paragraph, _ in self._written]
        if all(self._resolved(paragraph) == spans for paragraph, spans in self._written):
            return False
        self.write(paragraphs)
        return True

    @property
    def waits_for_formulas(self) -> bool:
        return any(span.formula and span.text != OBJECT for _, spans in self._written for span in spans)

    def write(self, paragraphs: Sequence[Paragraph]) -> None:
        wanted = [(paragraph, self._resolved(paragraph)) for paragraph in paragraphs]
        same = 0
        while same < min(len(wanted), len(self._written)) and wanted[same] == self._written[same]:
            same += 1
        if same == len(wanted) == len(self._written):
            return
        cursor = QTextCursor(self._document)
        cursor.beginEditBlock()
        self._continue(cursor, wanted, same)
        cursor.endEditBlock()
        self._written = wanted

    def _continue(
        self, cursor: QTextCursor, wanted: list[tuple[Paragraph, tuple[Span, ...]]], same: int
    ) -> None:
        """Write all that follows the first `same` paragraphs, keeping what the next one has in common."""
        if same < min(len(wanted), len(self._written)) and self._alike(
            wanted[same][0], self._written[same][0]
        ):
            new, old = wanted[same][1], self._written[same][1]
            spans, kept = _common(old, new)
            block = self._document.findBlockByNumber(same)
            cursor.setPosition(block.position() + _units(self._marker(wanted[same][0])) + kept)
            self._clear_after(cursor)
            if not kept:  # emptied from its start, a block takes the format of what followed it
                above = wanted[same - 1][0] if same else None
                cursor.setBlockFormat(self._look.block_format(wanted[same][0], above))
            self._insert(cursor, wanted[same][0], spans)
            same += 1
        else:
            self._clear_from(same, cursor)
        for index in range(same, len(wanted)):
            self._new_block(cursor, wanted, index)

    def _new_block(
        self, cursor: QTextCursor, wanted: list[tuple[Paragraph, tuple[Span, ...]]], index: int
    ) -> None:
        paragraph, spans = wanted[index]
        shape = self._look.block_format(paragraph, wanted[index - 1][0] if index else None)
        base = self._look.char_format(Span(""), paragraph.level, self.soft)
        if index:
            cursor.insertBlock(shape, base)
        else:
            cursor.setBlockFormat(shape)
            cursor.setBlockCharFormat(base)
        if paragraph.marker:
            cursor.insertText(self._marker(paragraph), base)
        self._insert(cursor, paragraph, spans)

    def _insert(self, cursor: QTextCursor, paragraph: Paragraph, spans: Sequence[Span]) -> None:
        for span in spans:
            cursor.insertText(span.text.replace("\n", "\u2028"), self._format(span, paragraph))

    def _format(self, span: Span, paragraph: Paragraph) -> QTextCharFormat:
        if span.text != OBJECT:
            return self._look.char_format(span, paragraph.level, self.soft)
        text = self._look.char_format(Span("", span.style), paragraph.level, self.soft)
        return formula_format(text, span.formula)

    def _resolved(self, paragraph: Paragraph) -> tuple[Span, ...]:
        """The spans with the formulas that can be drawn as objects."""
        if not any(span.formula for span in paragraph.spans):
            return paragraph.spans
        return tuple(
            Span(OBJECT, span.style & ~span.style.CODE, formula=span.formula)
            if span.formula and self._drawable(span.formula)
            else span
            for span in paragraph.spans
        )

    def _marker(self, paragraph: Paragraph) -> str:
        if not paragraph.marker:
            return ""
        if not reads_right_to_left(paragraph.spans):
            return f"{paragraph.marker}\t"
        # Qt measures tab stops from the left: from the right, thin spaces fill the indent.
        measure = QFontMetricsF(self._look.body).horizontalAdvance
        room = self._look.indent_px - measure(paragraph.marker)
        return paragraph.marker + THIN_SPACE * max(1, round(room / measure(THIN_SPACE)))

    @staticmethod
    def _alike(one: Paragraph, other: Paragraph) -> bool:
        return (one.kind, one.level, one.place, one.marker, one.in_list) == (
            other.kind,
            other.level,
            other.place,
            other.marker,
            other.in_list,
        )

    def _clear_from(self, index: int, cursor: QTextCursor | None = None) -> None:
        cursor = cursor or QTextCursor(self._document)
        if index == 0:
            cursor.setPosition(0)
        else:
            block = self._document.findBlockByNumber(index - 1)
            cursor.setPosition(block.position() + block.length() - 1)
        self._clear_after(cursor)
        del self._written[index:]

    @staticmethod
    def _clear_after(cursor: QTextCursor) -> None:
        if cursor.atEnd():
            return
        cursor.movePosition(QTextCursor.MoveOperation.End, QTextCursor.MoveMode.KeepAnchor)
        cursor.removeSelectedText()


def _common(old: tuple[Span, ...], new: tuple[Span, ...]) -> tuple[list[Span], int]:
    """The spans of `new` that follow what both begin with, and the length of that in UTF-16 units."""
    kept = 0
    for index, span in enumerate(new):
        before = old[index] if index < len(old) else None
        if before == span:
            kept += _units(span.text)
            continue
        if before is None or (before.style, before.href, before.formula) != (
            span.style,
            span.href,
            span.formula,
        ):
            return list(new[index:]), kept
        length = _common_length(before.text, span.text)
        rest = Span(span.text[length:], span.style, span.href, span.formula)
        return [rest, *new[index + 1 :]], kept + _units(span.text[:length])
    return [], kept


def _common_length(one: str, other: str) -> int:
    if other.startswith(one):
        return len(one)
    shortest = min(len(one), len(other))
    return next((at for at in range(shortest) if one[at] != other[at]), shortest)


def _units(text: str) -> int:
    """Positions in a document count UTF-16 units."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2
