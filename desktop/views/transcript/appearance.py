"""The palette and text size as the transcript's widgets use them: fonts, text formats, distances in pixels."""

from __future__ import annotations

import math
from functools import cached_property

from PySide6.QtCore import Qt
from PySide6.QtGui import (
    QColor,
    QFont,
    QFontDatabase,
    QFontMetricsF,
    QGuiApplication,
    QPalette,
    QTextBlockFormat,
    QTextCharFormat,
    QTextFormat,
    QTextOption,
)

from desktop.views.palette import Palette
from desktop.views.transcript.content import Kind, Paragraph, Span, Style

COLUMN = 760  # the widest a line of text gets
LINE_HEIGHT = 1.5
HEADING_SCALE = {1: 1.4, 2: 1.2, 3: 1.07}
PARAGRAPH_PROPERTY = QTextFormat.Property.UserProperty + 2  # on block formats: (kind, bars)
FORMULA_OBJECT = QTextFormat.ObjectTypes.UserObject + 1
FORMULA_PROPERTY = QTextFormat.Property.UserProperty + 1  # on character formats: the LaTeX


class Appearance:
    """One for each palette and text size; shared by all widgets of a transcript, never changed."""

    def __init__(self, palette: Palette, text_px: int) -> None:
        self.palette = palette
        self.text_px = text_px
        self.code_px = max(8, text_px - 1)
        self.small_px = max(8, text_px - 2)
        self.line_px = math.ceil(text_px * LINE_HEIGHT)
        self.indent_px = round(text_px * 1.6)
        self._formats: dict[tuple[Style, bool, int], QTextCharFormat] = {}

    def px(self, pixels: int) -> int:
        """A distance given for text of 15 px, at the size in force."""
        return round(pixels * self.text_px / 15)

    def color(self, token: str) -> QColor:
        return QColor(getattr(self.palette, token))

    # ---- fonts

    @cached_property
    def body(self) -> QFont:
        font = QFont(QGuiApplication.font())
        font.setPixelSize(self.text_px)
        return font

    @cached_property
    def small(self) -> QFont:
        font = QFont(self.body)
        font.setPixelSize(self.small_px)
        return font

    @cached_property
    def code(self) -> QFont:
        font = QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont)
        font.setPixelSize(self.code_px)
        # Ligatures would show "!=" as one sign: code must look like what it is.
        font.setFeature(QFont.Tag("liga"), 0)
        font.setFeature(QFont.Tag("calt"), 0)
        return font

    @cached_property
    def code_line_px(self) -> int:
        return max(math.ceil(self.code_px * LINE_HEIGHT), math.ceil(QFontMetricsF(self.code).lineSpacing()))

    # ---- text formats

    def char_format(self, span: Span, level: int = 0, soft: bool = False) -> QTextCharFormat:
        """How a run of text looks; `level` is that of the heading it stands in, 0 for none."""
        style = span.style | Style.SOFT if soft else span.style
        key = (style, bool(span.href), level)
        known = self._formats.get(key)
        if known is None:
            known = self._formats[key] = self._new_format(style, bool(span.href), level)
        if not span.href:
            return known
        linked = QTextCharFormat(known)
        linked.setAnchor(True)
        linked.setAnchorHref(span.href)
        return linked

    def _new_format(self, style: Style, linked: bool, level: int) -> QTextCharFormat:
        made = QTextCharFormat()
        font = QFont(self.code if style & Style.CODE else self.body)
        scale = HEADING_SCALE.get(level, 1.0)
        font.setPixelSize(round(font.pixelSize() * scale))
        if style & Style.BOLD or level:
            font.setWeight(QFont.Weight.DemiBold)
        font.setItalic(bool(style & Style.ITALIC))
        font.setStrikeOut(bool(style & Style.STRIKE))
        font.setUnderline(linked)
        made.setFont(font)
        if linked:
            made.setForeground(self.color("link"))
        elif style & Style.SOFT:
            made.setForeground(self.color("text_soft"))
        else:
            made.setForeground(self.color("text"))
        if style & Style.CODE:
            made.setBackground(self.color("surface"))
        return made

    def block_format(self, paragraph: Paragraph, above: Paragraph | None) -> QTextBlockFormat:
        """How a paragraph stands below the one above it, if any."""
        made = QTextBlockFormat()
        indent = paragraph.place.indent
        made.setIndent(indent)
        made.setTopMargin(self._distance(paragraph, above))
        height = self.line_px * HEADING_SCALE.get(paragraph.level, 1.0)
        if paragraph.kind is Kind.RULE:
            height = self.px(8)
        made.setLineHeight(height, QTextBlockFormat.LineHeightTypes.MinimumHeight.value)
        if paragraph.marker:
            made.setTextIndent(-self.indent_px)
            tab = QTextOption.Tab(float(self.indent_px), QTextOption.TabType.LeftTab)
            made.setTabPositions([tab])
        made.setProperty(PARAGRAPH_PROPERTY, [paragraph.kind.value, *paragraph.place.bars])
        return made

    def _distance(self, paragraph: Paragraph, above: Paragraph | None) -> int:
        if above is None:
            return 0
        if paragraph.kind is Kind.HEADING:
            return self.px(24 if paragraph.level <= 2 else 20)
        if above.kind is Kind.HEADING:
            return self.px(8)
        if paragraph.kind is Kind.RULE or above.kind is Kind.RULE:
            return self.px(16)
        if paragraph.in_list and above.in_list:
            return self.px(4 if paragraph.marker else 8)
        return self.px(12)

    # ---- widgets

    def text_palette(self, foreground: str = "text") -> QPalette:
        """For text widgets: nothing behind the text, the accent behind what is selected."""
        made = QPalette()
        clear = QColor(Qt.GlobalColor.transparent)
        made.setColor(QPalette.ColorRole.Base, clear)
        made.setColor(QPalette.ColorRole.Window, clear)
        for role in (QPalette.ColorRole.Text, QPalette.ColorRole.WindowText):
            made.setColor(role, self.color(foreground))
        made.setColor(QPalette.ColorRole.PlaceholderText, self.color("text_soft"))
        made.setColor(QPalette.ColorRole.Highlight, self.color("accent"))
        made.setColor(QPalette.ColorRole.HighlightedText, self.color("on_accent"))
        made.setColor(QPalette.ColorRole.Link, self.color("link"))
        return made
