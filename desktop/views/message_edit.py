"""The field a message is typed into: plain text only, grows with its lines, and knows which Enter sends."""

from __future__ import annotations

import math
import sys
from typing import TYPE_CHECKING, cast

from PySide6.QtCore import QEvent, Qt, Signal
from PySide6.QtGui import QTextOption
from PySide6.QtWidgets import QFrame, QPlainTextEdit

from desktop.views.commands import IS_ENTER, wants_window

if TYPE_CHECKING:
    from PySide6.QtCore import QMimeData, QUrl
    from PySide6.QtGui import QInputMethodEvent, QKeyEvent

PLAIN = "text/plain"
_SYSTEM_GIVES_BITMAPS = sys.platform in ("win32", "darwin")
IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp")
_IMAGE_FORMATS = ("image/png", "image/jpeg", "image/webp", "image/gif", "image/bmp")  # the best first
_AROUND_PX = 8  # the margin that a text document has around it


class MessageEdit(QPlainTextEdit):
    """`submitted` when a key says send; `model_dropped` with the path of a .gguf that was dropped or pasted here."""

    submitted = Signal()
    model_dropped = Signal(str)
    images_dropped = Signal(list)  # paths of image files
    image_dropped = Signal(bytes)  # the bytes of one

    def __init__(self) -> None:
        super().__init__()
        self.enter_sends = True
        self.scrolls = False  # the text is higher than the field may get
        self._composing = False
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setTabChangesFocus(True)
        self.setWordWrapMode(QTextOption.WrapMode.WrapAtWordBoundaryOrAnywhere)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)

    def grow(self, at_most: int) -> None:
        """Take the height of the text, up to `at_most` pixels; beyond that it scrolls."""
        line = self.fontMetrics().lineSpacing() + _AROUND_PX
        wanted = self._height_of_text(at_most) if self.toPlainText() else line
        self.scrolls = wanted > at_most
        self.setFixedHeight(max(line, min(wanted, at_most)))
        policy = Qt.ScrollBarPolicy
        self.setVerticalScrollBarPolicy(
            policy.ScrollBarAsNeeded if self.scrolls else policy.ScrollBarAlwaysOff
        )

    def _height_of_text(self, enough: int) -> int:
        """Pixels that show every line. Stops counting at `enough`: a pasted book is not measured to its end."""
        height = float(_AROUND_PX)
        block = self.document().firstBlock()
        while block.isValid() and height <= enough:
            height += self.blockBoundingRect(block).height()
            block = block.next()
        return math.ceil(height)

    # ---- keys

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.ShortcutOverride and self._leaves_to_window(cast("QKeyEvent", event)):
            event.ignore()
            return False
        return super().event(event)

    def _leaves_to_window(self, pressed: QKeyEvent) -> bool:
        from PySide6.QtGui import QKeySequence

        if pressed.matches(QKeySequence.StandardKey.Undo):
            return not self.document().isUndoAvailable()
        return wants_window(pressed)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in IS_ENTER and self._sends(event.modifiers()):
            if not self._composing:
                self.submitted.emit()
            return
        super().keyPressEvent(event)

    def _sends(self, held: Qt.KeyboardModifier) -> bool:
        held &= ~Qt.KeyboardModifier.KeypadModifier
        if held == Qt.KeyboardModifier.ControlModifier:
            return True
        return self.enter_sends and held == Qt.KeyboardModifier.NoModifier

    def inputMethodEvent(self, event: QInputMethodEvent) -> None:
        # While an input method shows its own text, Enter takes a candidate; it must not send half a word.
        self._composing = bool(event.preeditString())
        super().inputMethodEvent(event)

    # ---- paste and drop

    def canInsertFromMimeData(self, source: QMimeData) -> bool:
        return source.hasFormat(PLAIN) or model_path(source.urls()) is not None or has_image(source)

    def insertFromMimeData(self, source: QMimeData) -> None:
        path = model_path(source.urls())
        if path is not None:
            self.model_dropped.emit(path)
        elif image_paths(source.urls()):
            self.images_dropped.emit(image_paths(source.urls()))
        elif has_image(source) and not source.text().strip():
            self.image_dropped.emit(image_bytes(source))
        elif source.hasFormat(PLAIN):
            self.insertPlainText(source.text())


def model_path(urls: list[QUrl]) -> str | None:
    """The first of these that is a model file on this computer."""
    for url in urls:
        if url.isLocalFile() and url.toLocalFile().lower().endswith(".gguf"):
            return url.toLocalFile()
    return None


def image_paths(urls: list[QUrl]) -> list[str]:
    """Those of these that are image files on this computer, by their names."""
    local = [url.toLocalFile() for url in urls if url.isLocalFile()]
    return [path for path in local if path.lower().endswith(IMAGE_SUFFIXES)]


def has_image(source: QMimeData) -> bool:
    own_bitmap = _SYSTEM_GIVES_BITMAPS and source.hasImage()
    return bool(image_paths(source.urls())) or own_bitmap or _image_format(source) != ""


def image_bytes(source: QMimeData) -> bytes:
    """The image as another program gave it, not decoded; b"" without one.

    Windows and macOS have no file to give but a bitmap of their own, which Qt hands over: that is written as PNG.
    Elsewhere Qt would decode another program's file for that, in this process.
    """
    form = _image_format(source)
    if form:
        return bytes(source.data(form).data())
    from PySide6.QtCore import QBuffer, QByteArray, QIODevice
    from PySide6.QtGui import QImage, QImageWriter

    image = source.imageData() if _SYSTEM_GIVES_BITMAPS else None
    buffer = QBuffer()
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    if not isinstance(image, QImage) or not QImageWriter(buffer, QByteArray(b"png")).write(image):
        return b""
    return bytes(buffer.data().data())


def _image_format(source: QMimeData) -> str:
    return next((form for form in _IMAGE_FORMATS if source.hasFormat(form)), "")
