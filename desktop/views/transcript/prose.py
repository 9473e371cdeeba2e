"""Flowing text: paragraphs, headings, lists and quotations of a message in one selectable document."""

from __future__ import annotations

from PySide6.QtWidgets import QWidget

from desktop.views.transcript.appearance import Appearance
from desktop.views.transcript.content import Kind, Prose
from desktop.views.transcript.mathematics import Mathematics
from desktop.views.transcript.textview import ParagraphView
from desktop.views.transcript.writer import Writer


class ProseView(ParagraphView):
    """Keeps what is selected while the text grows."""

    ring_outside = True

    def __init__(self, look: Appearance, parent: QWidget | None = None, foreground: str = "text") -> None:
        super().__init__(look, parent)
        self._foreground = foreground
        self.block = Prose(())
        self._writer = Writer(
            self.document(), look, lambda latex: Mathematics.shared().drawing(latex) is not None
        )
        self._writer.soft = foreground == "text_soft"

    def show_block(self, block: Prose, final: bool = True) -> None:
        if block == self.block:
            return
        self.block = block
        self.decorated = any(one.place.bars or one.kind is Kind.RULE for one in block.paragraphs)
        with self.writing():
            self._writer.write(block.paragraphs)

    def redraw(self) -> bool:
        """Put in the formulas that have been drawn since. Whether there were any."""
        if not self._writer.waits_for_formulas:
            return False
        with self.writing():
            return self._writer.redraw()

    def set_look(self, look: Appearance, foreground: str = "") -> None:
        foreground = foreground or getattr(self, "_foreground", "text")
        super().set_look(look, foreground)
        writer = getattr(self, "_writer", None)
        if writer is not None:
            with self.writing():
                writer.restyle(look)
