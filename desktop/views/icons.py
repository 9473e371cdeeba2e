"""The few symbols of the window: Lucide's SVG files (resources/icons), drawn in any colour and at any sharpness."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from PySide6.QtCore import QBuffer, QByteArray, QIODevice, QSize
from PySide6.QtGui import QGuiApplication, QIcon, QImage, QImageReader, QPixmap

import resources

_FOLDER = Path(resources.__file__).parent / "icons"


def icon(name: str, color: str, size: int = 16) -> QIcon:
    """The symbol `name` in `color` ("#rrggbb"), `size` in device-independent pixels.

    Drawn for the sharpest screen there is: at 200 % it has twice the pixels, not twice the size.
    """
    return QIcon(pixmap(name, color, size))


def pixmap(name: str, color: str, size: int = 16) -> QPixmap:
    # Images are kept rather than pixmaps: a pixmap must not outlive the application.
    ratio = QGuiApplication.instance().devicePixelRatio()  # type: ignore[union-attr]
    return QPixmap.fromImage(_image(name, color, size, _whole(ratio)))


@cache
def _image(name: str, color: str, size: int, scale: int) -> QImage:
    data = QByteArray(_source(name).replace("currentColor", color).encode())
    buffer = QBuffer(data)
    buffer.open(QIODevice.OpenModeFlag.ReadOnly)
    reader = QImageReader(buffer, QByteArray(b"svg"))
    reader.setScaledSize(QSize(size * scale, size * scale))
    image = reader.read()
    if image.isNull():
        raise ValueError(f"icon {name}: {reader.errorString()}")
    image.setDevicePixelRatio(scale)
    return image


@cache
def _source(name: str) -> str:
    return (_FOLDER / f"{name}.svg").read_text(encoding="utf-8")


def _whole(ratio: float) -> int:
    """150 % is drawn at 200 % and scaled down, which stays sharp; up would not."""
    return max(1, int(-(-ratio // 1)))
