"""Mathematics on a line of its own."""

from __future__ import annotations

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QFocusEvent, QGuiApplication, QKeyEvent, QKeySequence, QPainter, QPaintEvent
from PySide6.QtWidgets import QWidget

from desktop.i18n import tr
from desktop.views.transcript.appearance import Appearance
from desktop.views.transcript.content import Formula, Paragraph, Span, Style, clean
from desktop.views.transcript.inline_formula import FORMULA_SCALE
from desktop.views.transcript.mathematics import Drawing, Mathematics
from desktop.views.transcript.textview import ParagraphView, focus_ring
from desktop.views.transcript.writer import Writer

_SMALLEST = 0.55  # of its proper size; a formula that would be smaller is shown as its source


class FormulaView(QWidget):
    """The drawing in the middle; its LaTeX as text until the drawing is there, or when there is none."""

    def __init__(self, look: Appearance, parent: QWidget) -> None:
        super().__init__(parent)
        self.look = look
        self.block = Formula("")
        self._drawing: Drawing | None = None
        self._source: ParagraphView | None = None
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)

    def show_block(self, block: Formula, final: bool = True) -> None:
        if block == self.block:
            return
        self.block = block
        self.setAccessibleName(tr("Formula: {latex}", latex=block.latex))
        if self._source is not None:
            self._source.deleteLater()
            self._source = None
        self._drawing = Mathematics.shared().drawing(block.latex, display=True)
        self.update()

    def redraw(self) -> bool:
        """Take the drawing that has come. Whether the height changed."""
        if self._drawing is not None or not self.block.latex:
            return False
        self._drawing = Mathematics.shared().drawing(self.block.latex, display=True)
        self.update()
        return self._drawing is not None

    def set_look(self, look: Appearance) -> None:
        self.look = look
        if self._source is not None:
            self._source.deleteLater()
            self._source = None
        self.update()

    # ---- size

    def height_for(self, width: int) -> int:
        if self._drawing is None or self._scale(width) < _SMALLEST:
            return self._source_view().height_for(width)
        if self._source is not None:
            self._source.hide()
        height = (self._drawing.ascent + self._drawing.descent) * self._em * self._scale(width)
        return round(height) + 2 * self.look.px(8)

    def natural_width(self, limit: int) -> int:
        return limit

    @property
    def _em(self) -> float:
        return self.look.text_px * FORMULA_SCALE

    def _scale(self, width: int) -> float:
        assert self._drawing is not None
        return min(1.0, width / max(1.0, self._drawing.width * self._em + 4))

    def _source_view(self) -> ParagraphView:
        if self._source is None:
            view = self._source = ParagraphView(self.look, self)
            view.setAccessibleName(self.accessibleName())
            writer = Writer(view.document(), self.look, lambda latex: False)
            writer.write([Paragraph((Span(clean(self.block.latex), Style.CODE),))])
            view.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        self._source.show()
        self._source.setGeometry(self.rect())
        return self._source

    def resizeEvent(self, event: object) -> None:
        if self._source is not None:
            self._source.setGeometry(self.rect())

    # ---- drawing and keys

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        if self._drawing is not None and (self._source is None or self._source.isHidden()):
            em = self._em * self._scale(self.width())
            width, height = self._drawing.width * em, (self._drawing.ascent + self._drawing.descent) * em
            target = QRectF((self.width() - width) / 2, (self.height() - height) / 2, width, height)
            color = self.look.palette.text
            Mathematics.shared().paint(painter, target, self.block.latex, True, color)
        if self.hasFocus():
            focus_ring(painter, self.rect().toRectF(), self.look)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.matches(QKeySequence.StandardKey.Copy):
            QGuiApplication.clipboard().setText(self.block.latex)
        else:
            event.ignore()

    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        self.update()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        self.update()
