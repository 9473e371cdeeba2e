"""Formulas for the transcript: asked for here, drawn by a child process, kept, and painted in any colour.

Typing and scrolling never wait for it: a formula is shown as its source until its drawing is there, and for
good when there is none.
"""

from __future__ import annotations

import atexit
import os
import re
import sys
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from PySide6.QtCore import (
    QByteArray,
    QCoreApplication,
    QObject,
    QProcess,
    QProcessEnvironment,
    QRectF,
    Qt,
    QTimer,
    Signal,
)
from PySide6.QtGui import QImage, QPainter
from PySide6.QtSvg import QSvgRenderer

import desktop
from desktop.processes.environment import child_environment
from desktop.processes.framing import BadRecord, LineSplitter, decode_line, encode_line
from desktop.views.transcript.typeset import MAX_LATEX, MAX_LENGTH, UNITS

_START_MS = 20_000  # for the child to start; then for each formula:
_FORMULA_MS = 2_000
_IDLE_MS = 60_000  # without work the child is ended; it starts again when needed
_MAX_FAILURES = 5  # of the child, in a row; after that formulas stay source
_MAX_KEPT = 2_000  # drawings
_MAX_IMAGES = 300
_MAX_LINE = 4 * 1024 * 1024
_PATH = re.compile(r"[MLHVQTCSAZmlhvqtcsaz0-9eE .,+\-]*")


class Request(NamedTuple):
    """A formula and how it is set: `display` gives sums and fractions the room of a line of their own."""

    latex: str
    display: bool


@dataclass(frozen=True, slots=True)
class Drawing:
    """A drawn formula. Lengths in em: multiply by the text size. The baseline is `ascent` below the top."""

    svg: bytes
    width: float
    ascent: float
    descent: float


class Mathematics(QObject):
    """One for the application (`Mathematics.shared()`). `drawn` follows whenever new drawings, or refusals, are in."""

    drawn = Signal()
    _instance: Mathematics | None = None

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._drawings: OrderedDict[Request, Drawing | None] = OrderedDict()
        self._images: OrderedDict[tuple[Request, str, int], QImage] = OrderedDict()
        self._waiting: list[Request] = []
        self._asked: Request | None = None
        self._child: QProcess | None = None
        self._lines = LineSplitter(_MAX_LINE)
        self._failures = 0
        self._deadline = QTimer(self, singleShot=True)
        self._deadline.timeout.connect(self._too_slow)
        self._idle = QTimer(self, singleShot=True, interval=_IDLE_MS)
        self._idle.timeout.connect(self._end_child)
        # Formulas come by the dozen: one signal for all that arrive together.
        self._tell = QTimer(self, singleShot=True, interval=50)
        self._tell.timeout.connect(self.drawn)

    @classmethod
    def shared(cls) -> Mathematics:
        if cls._instance is None:
            cls._instance = cls(QCoreApplication.instance())
            # Before Qt goes: it complains about a child that is left.
            atexit.register(cls._instance.close)
        return cls._instance

    # ---- what widgets ask

    def drawing(self, latex: str, display: bool = False) -> Drawing | None:
        """The drawing, or None while there is none; then it is asked for, and `drawn` tells when it has come."""
        request = Request(latex, display)
        if request in self._drawings:
            return self._drawings[request]
        if len(latex) > MAX_LATEX or self._failures >= _MAX_FAILURES:
            return None
        if request not in self._waiting and request != self._asked:
            self._waiting.append(request)
            self._next()
        return None

    def paint(self, painter: QPainter, target: QRectF, latex: str, display: bool, color: str) -> None:
        """Paint the drawing to fill `target` in `color`; nothing when there is none."""
        request = Request(latex, display)
        drawing = self._drawings.get(request)
        if drawing is None or target.isEmpty():
            return
        ratio = painter.device().devicePixelRatio()
        size = (target.size() * ratio).toSize()
        key = (request, color, size.width() << 16 | size.height())
        image = self._images.get(key)
        if image is None:
            image = self._images[key] = _image(drawing, size.width(), size.height(), color)
            if len(self._images) > _MAX_IMAGES:
                self._images.popitem(last=False)
        painter.drawImage(target, image)

    @property
    def busy(self) -> bool:
        """Whether formulas are being drawn, or have been and nobody has been told yet."""
        return self._asked is not None or bool(self._waiting) or self._tell.isActive()

    def close(self) -> None:
        """End the child. Formulas not drawn stay source."""
        self._waiting.clear()
        self._end_child()

    # ---- the child

    def _next(self) -> None:
        if self._asked is not None or not self._waiting:
            return
        starting = self._child is None
        if self._child is None:
            self._child = self._start()
        self._idle.stop()
        # The newest first: it is what is being looked at.
        self._asked = self._waiting.pop()
        self._child.write(encode_line(self._asked._asdict()))
        self._deadline.start(_START_MS if starting else _FORMULA_MS)

    def _start(self) -> QProcess:
        child = QProcess(self)
        environment = QProcessEnvironment()
        for name, value in child_environment(os.environ).items():
            environment.insert(name, value)
        environment.insert("PYTHONPATH", str(Path(desktop.__file__).parent.parent))
        child.setProcessEnvironment(environment)
        child.setWorkingDirectory(Path(sys.executable).anchor)
        child.setStandardErrorFile(QProcess.nullDevice())
        child.readyReadStandardOutput.connect(self._read)
        child.finished.connect(self._ended)
        child.errorOccurred.connect(self._ended)
        child.start(sys.executable, ["-X", "utf8", "-P", "-m", "desktop.views.transcript.typeset"])
        self._lines = LineSplitter(_MAX_LINE)
        return child

    def _read(self) -> None:
        if self._child is None:
            return
        try:
            for line in self._lines.feed(bytes(self._child.readAllStandardOutput().data())):
                self._take(decode_line(line))
        except (BadRecord, KeyError, TypeError, ValueError):
            self._give_up_on_asked()
        self._next()
        if self._asked is None:
            self._idle.start()

    def _take(self, record: dict[str, object]) -> None:
        if "ready" in record:
            self._deadline.start(_FORMULA_MS)
            return
        if self._asked is None or record.get("latex") != self._asked.latex:
            raise BadRecord("an answer that was not asked for")
        drawing = None if "problem" in record else drawing_of(record)
        self._keep(self._asked, drawing)
        self._asked = None
        self._failures = 0
        self._deadline.stop()

    def _keep(self, request: Request, drawing: Drawing | None) -> None:
        self._drawings[request] = drawing
        if len(self._drawings) > _MAX_KEPT:
            self._drawings.popitem(last=False)
        if not self._tell.isActive():
            self._tell.start()

    def _too_slow(self) -> None:
        self._give_up_on_asked()
        self._next()

    def _give_up_on_asked(self) -> None:
        """The child does not answer, or not as agreed: the formula stays source and the next has a new child."""
        asked, self._asked = self._asked, None
        self._failures += 1
        self._end_child()
        if asked is not None:
            self._keep(asked, None)
        if self._failures >= _MAX_FAILURES:
            self._waiting.clear()

    def _ended(self) -> None:
        if self._child is not None and self.sender() is self._child:
            self._too_slow()

    def _end_child(self) -> None:
        child, self._child = self._child, None
        self._deadline.stop()
        self._idle.stop()
        if child is not None:
            child.readyReadStandardOutput.disconnect(self._read)
            child.finished.disconnect(self._ended)
            child.errorOccurred.disconnect(self._ended)
            child.finished.connect(child.deleteLater)
            child.closeWriteChannel()
            child.kill()
            child.waitForFinished(1_000)


def drawing_of(record: dict[str, object]) -> Drawing:
    """The drawing an answer describes, made anew from its numbers. Raises for anything else."""
    left, top, width, height = (_number(record[name]) for name in ("left", "top", "width", "height"))
    shapes = record["shapes"]
    if not isinstance(shapes, list) or not 0 < width <= MAX_LENGTH or not 0 < height <= MAX_LENGTH:
        raise BadRecord("not a drawing")
    body = "".join(_shape(shape) for shape in shapes)
    svg = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{left} {top} {width} {height}">{body}</svg>'
    return Drawing(svg.encode(), width / UNITS, -top / UNITS, (top + height) / UNITS)


def _shape(shape: object) -> str:
    if not isinstance(shape, dict):
        raise BadRecord("not a shape")
    look = ""
    if "line" in shape:
        look = f' fill="none" stroke="black" stroke-width="{_number(shape["line"])}"'
    if "rect" in shape:
        x, y, width, height = (_number(number) for number in shape["rect"])
        return f'<rect x="{x}" y="{y}" width="{width}" height="{height}"{look}/>'
    path = shape["d"]
    if not isinstance(path, str) or _PATH.fullmatch(path) is None:
        raise BadRecord("not a path")
    return f'<path d="{path}"{look}/>'


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 1e6:
        raise BadRecord("not a number")
    return float(value)


def _image(drawing: Drawing, width: int, height: int, color: str) -> QImage:
    image = QImage(max(1, width), max(1, height), QImage.Format.Format_ARGB32_Premultiplied)
    image.fill(Qt.GlobalColor.transparent)
    painter = QPainter(image)
    QSvgRenderer(QByteArray(drawing.svg)).render(painter, QRectF(0, 0, width, height))
    painter.setCompositionMode(QPainter.CompositionMode.CompositionMode_SourceIn)
    painter.fillRect(image.rect(), color)
    painter.end()
    return image
