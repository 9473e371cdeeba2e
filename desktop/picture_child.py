"""The child that decodes images: a process, because an image comes from a stranger and its decoder is native code.

It locks itself like a worker before it reads anything: no network, no programs, no file changed. What the window
shows are the plain pixels that it sends; what a model gets is the file that it wrote anew. That file has no place
for what a camera adds (where a photo was taken, and with what).
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, assert_never, cast

from desktop.picture_messages import ANSWERED, ASKED, MOST_SIDE, Draw, Drawn, Prepare, Prepared, Refused
from desktop.processes.channel import StdioChannel
from desktop.processes.lockdown import lock_down
from desktop.processes.roles import Role
from models.runtime.faults import Fault

if TYPE_CHECKING:
    from PySide6.QtGui import QImage

FORMATS = ("png", "jpeg", "webp", "gif", "bmp")
_MOST_PIXELS = 128_000_000  # a large photo; decoded it takes four bytes a pixel
_MOST_MEGABYTES = 600
_LEAST_SIDE = 32  # models cut an image into squares of about this size; a smaller one gets a white margin
_MOST_PNG_BYTES = 1_500_000
_JPEG_QUALITY = 90
_EXACT = ("png", "gif", "bmp")  # drawings and screenshots, in which JPEG would blur the letters


def main() -> int:
    """Answer until the parent goes away."""
    lock_down(Role.WORKER)
    channel = StdioChannel()
    from PySide6.QtGui import QImageReader

    QImageReader.setAllocationLimit(_MOST_MEGABYTES)
    while (record := channel.receive()) is not None:
        request = cast(Prepare | Draw, ASKED.decode(record))
        channel.send(ANSWERED.encode(answer(request)))
    return 0


def answer(request: Prepare | Draw) -> Prepared | Drawn | Refused:
    """What the parent is told about one image."""
    match request:
        case Prepare(data):
            return _prepare(data)
        case Draw(data, width, height):
            return _draw(data, width, height)
        case _:
            assert_never(request)


def _prepare(data: bytes) -> Prepared | Refused:
    from PySide6.QtCore import QBuffer, QByteArray, QIODevice
    from PySide6.QtGui import QImageWriter

    found = _read(data, MOST_SIDE, MOST_SIDE)
    if isinstance(found, Refused):
        return found
    image, kind = found
    for name in ("png", "jpeg") if kind in _EXACT else ("jpeg",):
        buffer = QBuffer()
        buffer.open(QIODevice.OpenModeFlag.WriteOnly)
        writer = QImageWriter(buffer, QByteArray(name.encode()))
        writer.setQuality(-1 if name == "png" else _JPEG_QUALITY)
        if not writer.write(image):
            return Refused(Fault.IMAGE_UNREADABLE)
        file = bytes(buffer.data().data())
        if name == "jpeg" or len(file) <= _MOST_PNG_BYTES:
            return Prepared(file, f"image/{name}", image.width(), image.height())
    raise AssertionError("JPEG is always taken")


def _draw(data: bytes, width: int, height: int) -> Drawn | Refused:
    found = _read(data, width, height, least=1)
    if isinstance(found, Refused):
        return found
    image, _ = found
    line, stride = image.width() * 3, image.bytesPerLine()
    rows = bytes(image.constBits())
    pixels = b"".join(rows[y * stride : y * stride + line] for y in range(image.height()))
    return Drawn(image.width(), image.height(), pixels)


def _read(data: bytes, width: int, height: int, least: int = _LEAST_SIDE) -> tuple[QImage, str] | Refused:
    """An image of one of `FORMATS`, upright, on white, within these sides, in RGB; and its format."""
    from PySide6.QtCore import QBuffer, QByteArray, QIODevice, QSize, Qt
    from PySide6.QtGui import QImageReader

    buffer = QBuffer()
    buffer.setData(QByteArray(data))
    buffer.open(QIODevice.OpenModeFlag.ReadOnly)
    reader = QImageReader(buffer)
    reader.setAutoTransform(True)
    kind = bytes(reader.format().data()).decode("ascii", "replace")
    if not reader.canRead() or kind not in FORMATS:
        return Refused(Fault.IMAGE_FORMAT)
    size = reader.size()
    if size.width() * size.height() > _MOST_PIXELS:
        return Refused(Fault.IMAGE_TOO_LARGE, size.width(), size.height())
    if size.isValid():  # JPEG is decoded at about the size that is wanted
        side = max(width, height)
        if max(size.width(), size.height()) > 2 * side:
            reader.setScaledSize(size.scaled(QSize(2 * side, 2 * side), Qt.AspectRatioMode.KeepAspectRatio))
    image = reader.read()
    if image.isNull():
        return Refused(Fault.IMAGE_UNREADABLE)
    if image.width() > width or image.height() > height:
        keep, smooth = Qt.AspectRatioMode.KeepAspectRatio, Qt.TransformationMode.SmoothTransformation
        image = image.scaled(width, height, keep, smooth)
    return _on_white(image, least), kind


def _on_white(image: QImage, least: int) -> QImage:
    from PySide6.QtCore import Qt
    from PySide6.QtGui import QImage, QPainter

    width, height = max(least, image.width()), max(least, image.height())
    page = QImage(width, height, QImage.Format.Format_RGB888)
    page.fill(Qt.GlobalColor.white)
    painter = QPainter(page)
    painter.drawImage((width - image.width()) // 2, (height - image.height()) // 2, image)
    painter.end()
    return page


if __name__ == "__main__":
    sys.exit(main())
