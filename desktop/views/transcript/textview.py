"""The one kind of rich text widget a transcript has: shows a document, opens nothing, scrolls nothing by itself."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

from PySide6.QtCore import QEvent, QMimeData, QRectF, Qt, QUrl, Signal
from PySide6.QtGui import (
    QColor,
    QContextMenuEvent,
    QFocusEvent,
    QGuiApplication,
    QHelpEvent,
    QImage,
    QKeyEvent,
    QKeySequence,
    QPainter,
    QPaintEvent,
    QTextBlock,
    QTextCursor,
    QTextOption,
    QWheelEvent,
)
from PySide6.QtWidgets import QFrame, QMenu, QTextBrowser, QToolTip, QWidget

from desktop.i18n import tr
from desktop.views.transcript.appearance import FORMULA_OBJECT, PARAGRAPH_PROPERTY, Appearance
from desktop.views.transcript.content import Kind
from desktop.views.transcript.inline_formula import NO_WIDTH, OBJECT, FormulaObject, formulas_between

SCROLL_KEYS = frozenset(
    {
        Qt.Key.Key_Up,
        Qt.Key.Key_Down,
        Qt.Key.Key_PageUp,
        Qt.Key.Key_PageDown,
        Qt.Key.Key_Home,
        Qt.Key.Key_End,
        Qt.Key.Key_Space,
    }
)


class TextView(QTextBrowser):
    """Read-only text. Selecting and copying work; links are only reported; nothing is ever loaded.

    `link_activated` gives the address of a link that was clicked, or reached by Tab and opened with Enter.
    """

    link_activated = Signal(str)
    ring_outside = False  # what it stands in shows that the keyboard is here, with some room around the text

    def __init__(self, look: Appearance, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.look = look
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setOpenLinks(False)
        self.setAcceptDrops(False)
        self.viewport().setAcceptDrops(False)
        self.setUndoRedoEnabled(False)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.viewport().setAutoFillBackground(False)
        self.setLineWrapMode(QTextBrowser.LineWrapMode.FixedPixelWidth)
        document = self.document()
        document.setDocumentMargin(0)
        option = QTextOption(document.defaultTextOption())
        option.setWrapMode(QTextOption.WrapMode.WrapAtWordBoundaryOrAnywhere)
        document.setDefaultTextOption(option)
        self._formulas = FormulaObject(self)
        document.documentLayout().registerHandler(FORMULA_OBJECT, self._formulas)
        self.anchorClicked.connect(lambda url: self.link_activated.emit(_address(url)))
        self._height: tuple[int, int] | None = None  # for a width
        self._keyboard_focus = False
        document.contentsChanged.connect(self.forget_height)
        self.set_look(look)

    # ---- look and size

    def set_look(self, look: Appearance, foreground: str = "text") -> None:
        self.look = look
        self.setPalette(look.text_palette(foreground))
        self.setFont(look.body)
        self.document().setDefaultFont(look.body)
        self.document().setIndentWidth(look.indent_px)
        self.forget_height()

    def forget_height(self) -> None:
        self._height = None

    def height_for(self, width: int) -> int:
        """The height the text needs in `width` pixels."""
        if self._height is None or self._height[0] != width:
            self._wrap_at(width)
            self._height = (width, math.ceil(self.document().size().height()))
        return self._height[1]

    def _wrap_at(self, width: int) -> None:
        # Left to itself QTextEdit wraps at the width it has, which is none before it is shown.
        if self.lineWrapMode() != QTextBrowser.LineWrapMode.NoWrap and self.lineWrapColumnOrWidth() != width:
            self.setLineWrapColumnOrWidth(width)

    def natural_width(self, limit: int) -> int:
        """The width the text takes when it has `limit` pixels."""
        self._wrap_at(limit)
        self._height = None
        return min(limit, math.ceil(self.document().idealWidth()))

    @contextmanager
    def writing(self) -> Iterator[None]:
        """While the document is changed: what is selected, and what is in sight, stays as it is."""
        cursor = self.textCursor()
        anchor, position = cursor.anchor(), cursor.position()
        if anchor == position:
            anchor = position = 0
        yield
        cursor = self.textCursor()
        if (cursor.anchor(), cursor.position()) == (anchor, position):
            return
        bars = (self.horizontalScrollBar(), self.verticalScrollBar())
        values = [bar.value() for bar in bars]
        end = self.document().characterCount() - 1
        cursor.setPosition(min(anchor, end))
        cursor.setPosition(min(position, end), QTextCursor.MoveMode.KeepAnchor)
        self.setTextCursor(cursor)  # scrolls to it
        for bar, value in zip(bars, values, strict=True):
            bar.setValue(value)

    # ---- nothing is opened

    def loadResource(self, kind: int, name: QUrl | str) -> object:
        """A picture of one pixel for everything: with nothing, Qt would open the file itself."""
        return QImage(1, 1, QImage.Format.Format_ARGB32)

    def doSetSource(self, name: QUrl | str, kind: object = None) -> None:
        """There is no other document to go to."""

    def createMimeDataFromSelection(self) -> QMimeData:
        """For dragging out: plain text, no HTML."""
        data = QMimeData()
        data.setText(self.selected_text())
        return data

    def selected_text(self) -> str:
        """What is selected, as plain text; formulas as their LaTeX."""
        cursor = self.textCursor()
        text = cursor.selection().toPlainText().replace(NO_WIDTH, "")
        if OBJECT not in text:
            return text
        pieces = text.split(OBJECT)
        formulas = formulas_between(self.document(), cursor.selectionStart(), cursor.selectionEnd())
        formulas += [""] * len(pieces)
        return "".join(f"{piece}{formula}" for piece, formula in zip(pieces, formulas, strict=False))

    # ---- events

    def wheelEvent(self, event: QWheelEvent) -> None:
        """The transcript scrolls, whatever is under the pointer."""
        event.ignore()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.matches(QKeySequence.StandardKey.Copy):
            self.copy_selection()
        elif event.key() in SCROLL_KEYS:
            event.ignore()
        else:
            super().keyPressEvent(event)

    def deselect(self) -> None:
        cursor = self.textCursor()
        cursor.clearSelection()
        self.setTextCursor(cursor)

    def copy_selection(self) -> None:
        # Text rather than mime data of ours: Qt may end that after Python has gone, and crash.
        text = self.selected_text()
        if text:
            QGuiApplication.clipboard().setText(text)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        menu = QMenu(self)
        address = self.anchorAt(event.pos())
        if address:
            menu.addAction(tr("Copy link"), lambda: self.link_activated.emit(address))
        copy = menu.addAction(tr("Copy"), self.copy_selection)
        copy.setEnabled(self.textCursor().hasSelection())
        menu.addAction(tr("Select all"), self.selectAll)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.popup(event.globalPos())

    def focusInEvent(self, event: QFocusEvent) -> None:
        by_keyboard = (Qt.FocusReason.TabFocusReason, Qt.FocusReason.BacktabFocusReason)
        self._keyboard_focus = event.reason() in by_keyboard
        super().focusInEvent(event)
        self._focus_shown()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        self._keyboard_focus = False
        super().focusOutEvent(event)
        self._focus_shown()

    @property
    def has_keyboard(self) -> bool:
        """Whether Tab, not the mouse, has led here."""
        return self._keyboard_focus

    def _focus_shown(self) -> None:
        self.viewport().update()
        parent = self.parentWidget()
        if self.ring_outside and parent is not None:
            parent.update()

    def viewportEvent(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.ToolTip:
            self._show_address(cast("QHelpEvent", event))
            return True
        return super().viewportEvent(event)

    def _show_address(self, event: QHelpEvent) -> None:
        address = self.anchorAt(event.pos())
        if address:
            # Without "<" Qt takes a tooltip for plain text.
            QToolTip.showText(event.globalPos(), address.replace("<", "%3C"), self)
        else:
            QToolTip.hideText()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self.viewport())
        self.paint_behind(painter)
        painter.end()
        super().paintEvent(event)
        if self._keyboard_focus and not self.ring_outside:
            painter = QPainter(self.viewport())
            focus_ring(painter, QRectF(self.viewport().rect()), self.look)
            painter.end()

    def paint_behind(self, painter: QPainter) -> None:
        """What belongs under the text."""


class ParagraphView(TextView):
    """Text with the bars of quotations and the lines across."""

    decorated = False  # whether there are any

    def paint_behind(self, painter: QPainter) -> None:
        if not self.decorated:
            return
        block = self.document().firstBlock()
        layout = self.document().documentLayout()
        while block.isValid():
            shape = block.blockFormat().property(PARAGRAPH_PROPERTY)
            if shape:
                rect = layout.blockBoundingRect(block)
                if shape[0] == Kind.RULE.value:
                    middle = round(rect.center().y())
                    left = block.blockFormat().indent() * self.look.indent_px
                    painter.fillRect(QRectF(left, middle, self.width() - left, 1), self.look.color("line"))
                for bar in shape[1:]:
                    self._paint_bar(painter, block, rect, bar)
            block = block.next()

    def _paint_bar(self, painter: QPainter, block: QTextBlock, rect: QRectF, bar: int) -> None:
        # A line's own leading stands above it, so the bar of its paragraph begins and ends a little lower.
        top, bottom = rect.top() + 2, rect.bottom() + self.look.px(4)
        if _has_bar(block.previous(), bar):
            top = rect.top()
        if _has_bar(block.next(), bar):
            bottom = self.document().documentLayout().blockBoundingRect(block.next()).top()
        x = bar * self.look.indent_px + 2.0
        if block.textDirection() == Qt.LayoutDirection.RightToLeft:
            x = self.width() - x - 3
        painter.fillRect(QRectF(x, top, 3, bottom - top), self.look.color("outline"))


def _has_bar(block: QTextBlock, bar: int) -> bool:
    shape = block.blockFormat().property(PARAGRAPH_PROPERTY) if block.isValid() else None
    return bar in shape[1:] if shape else False


def focus_ring(painter: QPainter, rect: QRectF, look: Appearance, radius: float = 4) -> None:
    """Show that the keyboard is here."""
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    color = QColor(look.color("accent"))
    pen = painter.pen()
    pen.setColor(color)
    pen.setWidthF(2)
    painter.setPen(pen)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.drawRoundedRect(rect.adjusted(1, 1, -1, -1), radius, radius)


def _address(url: QUrl) -> str:
    return url.toString(QUrl.ComponentFormattingOption.FullyEncoded)
