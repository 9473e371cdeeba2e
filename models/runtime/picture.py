"""What an image file says about itself in its first bytes, before any decoder sees it.

Only PNG (https://www.w3.org/TR/png-3/) and JPEG (ITU-T T.81, annex B) reach a model: whatever a person adds is
made into one of them first. A file that claims more pixels than a model could use is not decoded at all.
"""

from __future__ import annotations

import struct

from models.runtime.faults import Fault, RuntimeFault

MOST_SIDE = 8_192  # pixels
MOST_PIXELS = 16 << 20
MOST_BYTES = 16 << 20
"""Of one file that a model gets. Decoded it takes three bytes a pixel."""

_PNG = b"\x89PNG\r\n\x1a\n"
_PNG_HEADER = struct.Struct(">8sI4sII")
_JPEG = b"\xff\xd8\xff"
# Start of frame, baseline to differential lossless, without DHT (C4), JPG (C8) and DAC (CC): table B.1.
_JPEG_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_JPEG_ALONE = frozenset({0x01, *range(0xD0, 0xD9)})  # markers without a length
_JPEG_SCAN = 0xDA


def media_type(data: bytes) -> str:
    """ "image/png", "image/jpeg" or "" for anything else."""
    if data.startswith(_PNG):
        return "image/png"
    return "image/jpeg" if data.startswith(_JPEG) else ""


def size_of(data: bytes) -> tuple[int, int]:
    """Width and height in pixels. Raises `RuntimeFault` IMAGE_UNREADABLE or IMAGE_TOO_LARGE."""
    kind = media_type(data)
    size = _png_size(data) if kind == "image/png" else _jpeg_size(data) if kind else None
    if size is None or 0 in size:
        raise RuntimeFault(Fault.IMAGE_UNREADABLE)
    width, height = size
    if max(size) > MOST_SIDE or width * height > MOST_PIXELS or len(data) > MOST_BYTES:
        raise RuntimeFault(Fault.IMAGE_TOO_LARGE, facts={"width": width, "height": height})
    return size


def _png_size(data: bytes) -> tuple[int, int] | None:
    if len(data) < _PNG_HEADER.size:
        return None
    _, length, name, width, height = _PNG_HEADER.unpack_from(data)
    return (width, height) if (length, name) == (13, b"IHDR") else None


def _jpeg_size(data: bytes) -> tuple[int, int] | None:
    """Walks from marker to marker: each says how long its segment is, and a frame says how large the image is."""
    place = 2
    while place + 9 <= len(data) and data[place] == 0xFF:
        marker = data[place + 1]
        if marker == 0xFF:  # a filler
            place += 1
        elif marker in _JPEG_ALONE:
            place += 2
        elif marker in _JPEG_FRAMES:
            height, width = struct.unpack_from(">HH", data, place + 5)
            return width, height
        elif marker == _JPEG_SCAN:
            return None
        else:
            place += 2 + max(2, struct.unpack_from(">H", data, place + 2)[0])
    return None
