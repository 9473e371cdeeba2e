"""A listing: its language, a button that copies it, and the code, coloured."""

from __future__ import annotations

from PySide6.QtCore import QRect, QSize, Qt, QTimer, Signal
from PySide6.QtGui import (
    QFontMetrics,
    QGuiApplication,
    QPainter,
    QPaintEvent,
    QResizeEvent,
    QTextBlockFormat,
    QTextCharFormat,
    QTextCursor,
    QTextOption,
    QWheelEvent,
)
from PySide6.QtWidgets import QWidget

from desktop.i18n import tr
from desktop.views.transcript.appearance import Appearance
from desktop.views.transcript.buttons import QuietButton, style_scroll_bars
from desktop.views.transcript.content import Code
from desktop.views.transcript.highlight import Highlighter, language_name
from desktop.views.transcript.scrolling import TALLEST, Follower, turn_inside
from desktop.views.transcript.textview import TextView

_LONGEST_LINE = 2_000  # characters on one line of the window; the copy has the line as it is
_AT_ONCE = 150  # lines written into the document in one go
_COPIED_MS = 2_000


class CodeText(TextView):
    """The code itself. Long lines and long listings scroll inside it."""

    def __init__(self, look: Appearance, parent: QWidget) -> None:
        super().__init__(look, parent)
        self.setLineWrapMode(TextView.LineWrapMode.NoWrap)
        option = QTextOption(self.document().defaultTextOption())
        option.setWrapMode(QTextOption.WrapMode.NoWrap)
        # Code reads from the left, in a comment in Arabic too.
        option.setTextDirection(Qt.LayoutDirection.LeftToRight)
        self.document().setDefaultTextOption(option)
        self.setLayoutDirection(Qt.LayoutDirection.LeftToRight)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAsNeeded)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAsNeeded)
        for bar in (self.horizontalScrollBar(), self.verticalScrollBar()):
            bar.setFocusPolicy(Qt.FocusPolicy.NoFocus)
            bar.rangeChanged.connect(self._style_bars)
        self._bars_styled = False

    def _style_bars(self, least: int, most: int) -> None:
        """Only when there is something to scroll: most listings never need it."""
        if most > 0 and not self._bars_styled:
            self._bars_styled = True
            style_scroll_bars(self, self.look, "surface")

    def set_look(self, look: Appearance, foreground: str = "text") -> None:
        super().set_look(look, foreground)
        self.setFont(look.code)
        self.document().setDefaultFont(look.code)
        self.setTabStopDistance(4 * QFontMetrics(look.code).horizontalAdvance(" "))
        if getattr(self, "_bars_styled", False):
            style_scroll_bars(self, look, "surface")

    def wheelEvent(self, event: QWheelEvent) -> None:
        turn_inside(self, event)


class CodeView(QWidget):
    """`copied` says that the code is on the clipboard."""

    copied = Signal(str)

    def __init__(self, look: Appearance, parent: QWidget) -> None:
        super().__init__(parent)
        self.look = look
        self.block = Code("")
        self._shown = ""  # what the document should hold
        self._written = 0  # how much of it it holds
        self._wide: tuple[tuple[int, int, int], bool] | None = None
        self._final = False
        self.copy_button = QuietButton(look, "copy", tr("Copy code"), tr("Copy"), self)
        self.copy_button.clicked.connect(self.copy)
        self.text = CodeText(look, self)
        self._follower = Follower(self.text)
        self._highlighter = Highlighter(self.text.document(), look.palette)
        self._filling = QTimer(self, singleShot=True, interval=0)
        self._filling.timeout.connect(self._fill)
        self._copied = QTimer(self, singleShot=True, interval=_COPIED_MS)
        self._copied.timeout.connect(lambda: self.copy_button.show_symbol("copy", tr("Copy")))

    # ---- what it shows

    def show_block(self, block: Code, final: bool = True) -> None:
        if block == self.block and final == self._final:
            return
        self.block, self._final = block, final
        self._follower.active = not final
        name = language_name(block.language)
        self.text.setAccessibleName(tr("Code in {language}", language=name) if name else tr("Code"))
        self.copy_button.setAccessibleName(
            tr("Copy {language} code", language=name) if name else tr("Copy code")
        )
        wanted = _broken(block.source.rstrip("\n"))
        if not wanted.startswith(self._shown[: self._written]):
            self._empty()
        self._shown = wanted
        self._fill()
        self.update()

    def _empty(self) -> None:
        self._written = 0
        self.text.document().clear()
        self._highlighter.forget()

    def _fill(self) -> None:
        """Write the next lines into the document; the rest a little later, so that nothing waits for it."""
        end = self._written
        for _ in range(_AT_ONCE):
            end = self._shown.find("\n", end) + 1
            if not end:
                end = len(self._shown)
                break
        with self.text.writing():
            self._append(self._shown[self._written : end])
        self._written = end
        if end < len(self._shown):
            self._filling.start()
        else:
            self._highlighter.show(self._shown, self.block.language, final=self._final)

    def _append(self, text: str) -> None:
        cursor = QTextCursor(self.text.document())
        cursor.movePosition(QTextCursor.MoveOperation.End)
        cursor.beginEditBlock()
        if self._written == 0:
            shape = QTextBlockFormat()
            shape.setLineHeight(self.look.code_line_px, QTextBlockFormat.LineHeightTypes.MinimumHeight.value)
            cursor.setBlockFormat(shape)
        cursor.insertText(text, self._char_format())
        cursor.endEditBlock()

    def finish_writing(self) -> None:
        """Write all that is still to come, now."""
        while self._written < len(self._shown):
            self._fill()

    def _char_format(self) -> QTextCharFormat:
        made = QTextCharFormat()
        made.setFont(self.look.code)
        made.setForeground(self.look.color("text"))
        return made

    def set_look(self, look: Appearance) -> None:
        self.look = look
        self.copy_button.set_look(look)
        self.text.set_look(look)
        self._highlighter.set_palette(look.palette)
        self._empty()
        block, self.block = self.block, Code("")
        self.show_block(block, self._final)

    def redraw(self) -> bool:
        return False

    def copy(self) -> None:
        QGuiApplication.clipboard().setText(self.block.source)
        self.copy_button.show_symbol("check", tr("Copied"))
        self._place_button()
        self._copied.start()
        self.copied.emit(tr("Code copied"))

    # ---- size

    @property
    def _head(self) -> int:
        return self.look.px(36)

    def height_for(self, width: int) -> int:
        lines = self._shown.count("\n") + 1
        pad = self.look.px(12)
        bar = 12 if self._too_wide(width - 2 * pad) else 0
        return min(self._head + lines * self.look.code_line_px + pad + bar, self.look.px(TALLEST))

    def natural_width(self, limit: int) -> int:
        return limit

    def _too_wide(self, width: int) -> bool:
        """Whether a line is cut off at `width`. Measured once for each text: it is asked for at every step."""
        key = (len(self._shown), width, self.look.code_px)
        if self._wide is None or self._wide[0] != key:
            self._wide = (key, self._measure(width))
        return self._wide[1]

    def _measure(self, width: int) -> bool:
        longest = max(self._shown.split("\n"), key=len)
        metrics = QFontMetrics(self.look.code)
        if len(longest) * metrics.averageCharWidth() * 2 < width:
            return False
        return any(
            metrics.horizontalAdvance(line) > width
            for line in self._shown.split("\n")
            if len(line) > len(longest) // 2
        )

    def sizeHint(self) -> QSize:
        return QSize(self.look.px(400), self.height_for(self.look.px(400)))

    def resizeEvent(self, event: QResizeEvent) -> None:
        pad = self.look.px(12)
        self.text.setGeometry(
            pad, self._head, self.width() - 2 * pad, self.height() - self._head - self.look.px(4)
        )
        self._place_button()

    def _place_button(self) -> None:
        button = self.copy_button
        x = self.look.px(4)
        if self.layoutDirection() == Qt.LayoutDirection.LeftToRight:
            x = self.width() - button.width() - x
        button.move(x, (self._head - button.height()) // 2)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(self.look.color("surface"))
        painter.drawRoundedRect(self.rect(), 8, 8)
        painter.setFont(self.look.small)
        painter.setPen(self.look.color("text_soft"))
        pad = self.look.px(12)
        where = QRect(pad, 0, self.width() - 2 * pad, self._head)
        name = language_name(self.block.language) or tr("Code")
        painter.drawText(where, int(Qt.AlignmentFlag.AlignVCenter) | int(Qt.AlignmentFlag.AlignLeading), name)


def _broken(text: str) -> str:
    """The text with lines no longer than the window can lay out in good time."""
    if len(text) <= _LONGEST_LINE:
        return text
    return "\n".join(
        line if len(line) <= _LONGEST_LINE else "\n".join(_chunks(line)) for line in text.split("\n")
    )


def _chunks(line: str) -> list[str]:
    return [line[at : at + _LONGEST_LINE] for at in range(0, len(line), _LONGEST_LINE)]
