"""Some rows of a table in a document of their own: selectable, and readable for screen readers, like other text."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import Qt
from PySide6.QtGui import (
    QTextBlockFormat,
    QTextCharFormat,
    QTextCursor,
    QTextFrameFormat,
    QTextLength,
    QTextTable,
    QTextTableCell,
    QTextTableCellFormat,
    QTextTableFormat,
)
from PySide6.QtWidgets import QWidget

from desktop.views.transcript.appearance import Appearance
from desktop.views.transcript.content import Span, Style, Table, reads_right_to_left
from desktop.views.transcript.inline_formula import NO_WIDTH, OBJECT, formula_format
from desktop.views.transcript.mathematics import Mathematics
from desktop.views.transcript.textview import TextView

Row = tuple[tuple[Span, ...], ...]


@dataclass(frozen=True, slots=True)
class Shape:
    """What all slabs of a table have in common. `widths` from left to right, padding included."""

    widths: tuple[int, ...]
    alignments: tuple[str, ...]
    from_right: bool  # the first column is the one at the right
    look: Appearance

    def alignment(self, column: int) -> Qt.AlignmentFlag:
        """Where a column's text stands. Numbers stand with the words: at the right in a table read from there."""
        match self.alignments[column]:
            case "center":
                side = Qt.AlignmentFlag.AlignHCenter
            case "right":
                side = Qt.AlignmentFlag.AlignLeft if self.from_right else Qt.AlignmentFlag.AlignRight
            case _:
                side = Qt.AlignmentFlag.AlignRight if self.from_right else Qt.AlignmentFlag.AlignLeft
        return side | Qt.AlignmentFlag.AlignAbsolute


def reads_from_right(table: Table) -> bool:
    return bool(table.rows) and any(reads_right_to_left(cell) for cell in table.rows[0])


class SlabView(TextView):
    """Writes only the rows that are new or different."""

    def __init__(self, look: Appearance, parent: QWidget) -> None:
        super().__init__(look, parent)
        self._rows: tuple[Row, ...] = ()
        self._table: QTextTable | None = None
        self._shape: Shape | None = None

    def show_rows(self, rows: tuple[Row, ...], shape: Shape, header: bool) -> None:
        """`header`: the first of the rows is the table's."""
        if shape == self._shape and rows == self._rows:
            return
        with self.writing():
            cursor = QTextCursor(self.document())
            cursor.beginEditBlock()
            self._write(rows, shape, header)
            cursor.endEditBlock()

    def _write(self, rows: tuple[Row, ...], shape: Shape, header: bool) -> None:
        if self._table is None or shape != self._shape or len(rows) < len(self._rows):
            self._shape, self._rows = shape, ()
            self._table = self._new_table(len(rows), shape)
        if len(rows) > self._table.rows():
            self._table.appendRows(len(rows) - self._table.rows())
        for index, row in enumerate(rows):
            if index >= len(self._rows) or self._rows[index] != row:
                self._write_row(self._table, index, row, shape, header and index == 0)
        self._rows = rows

    def rewrite(self) -> None:
        """Write all rows again next time: formulas have been drawn."""
        self._rows = ()

    def _new_table(self, rows: int, shape: Shape) -> QTextTable:
        self.document().clear()
        made = QTextTableFormat()
        made.setBorder(0)
        made.setCellSpacing(0)
        made.setCellPadding(0)
        made.setMargin(0)
        made.setBorderStyle(QTextFrameFormat.BorderStyle.BorderStyle_None)
        fixed = QTextLength.Type.FixedLength
        made.setWidth(QTextLength(fixed, sum(shape.widths)))
        made.setColumnWidthConstraints([QTextLength(fixed, width) for width in shape.widths])
        table = QTextCursor(self.document()).insertTable(max(1, rows), len(shape.widths), made)
        # Qt keeps an empty paragraph after a table: it must not take room.
        after = QTextCursor(self.document())
        after.movePosition(QTextCursor.MoveOperation.End)
        nothing = QTextBlockFormat()
        nothing.setLineHeight(0.01, QTextBlockFormat.LineHeightTypes.FixedHeight.value)
        after.setBlockFormat(nothing)
        return table

    def _write_row(self, table: QTextTable, index: int, row: Row, shape: Shape, header: bool) -> None:
        last = len(row) - 1
        format_of_cells = self._cell_format(header)
        for column, spans in enumerate(row):
            # Qt lays tables out from the left only.
            cell = table.cellAt(index, last - column if shape.from_right else column)
            cell.setFormat(format_of_cells)
            self._write_cell(cell, spans, shape.alignment(column), header)

    def _cell_format(self, header: bool) -> QTextTableCellFormat:
        shape = QTextTableCellFormat()
        across, down = self.look.px(12), self.look.px(6)
        shape.setLeftPadding(across)
        shape.setRightPadding(across)
        shape.setTopPadding(down)
        shape.setBottomPadding(down)
        shape.setBottomBorder(1)
        shape.setBottomBorderStyle(QTextFrameFormat.BorderStyle.BorderStyle_Solid)
        shape.setBottomBorderBrush(self.look.color("outline" if header else "line"))
        return shape

    def _write_cell(
        self, cell: QTextTableCell, spans: tuple[Span, ...], alignment: Qt.AlignmentFlag, header: bool
    ) -> None:
        cursor = cell.firstCursorPosition()
        cursor.setPosition(cell.lastCursorPosition().position(), QTextCursor.MoveMode.KeepAnchor)
        cursor.removeSelectedText()
        shape = QTextBlockFormat()
        shape.setLineHeight(self.look.line_px, QTextBlockFormat.LineHeightTypes.MinimumHeight.value)
        shape.setAlignment(alignment)
        cursor.setBlockFormat(shape)
        if spans and spans[0].formula:
            # A line that begins with a formula stands as high as a line of text.
            cursor.insertText(NO_WIDTH, self.look.char_format(Span("")))
        for span in spans:
            if header:
                span = Span(span.text, span.style | Style.BOLD, span.href, span.formula)
            cursor.insertText(*self._run(span))

    def _run(self, span: Span) -> tuple[str, QTextCharFormat]:
        if not span.formula or Mathematics.shared().drawing(span.formula) is None:
            return span.text.replace("\n", "\u2028"), self.look.char_format(span)
        text = self.look.char_format(Span("", span.style & ~Style.CODE))
        return OBJECT, formula_format(text, span.formula)
