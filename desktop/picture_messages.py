"""What the process that decodes images is asked, and what it answers."""

from __future__ import annotations

from dataclasses import dataclass

from models.codec import Codec

MOST_FILE_BYTES = 32 << 20
"""Of a file that a person adds."""
MOST_SIDE = 1_536
"""Pixels of the longer side of an image as it is kept: more than models that run on a desk look at."""


@dataclass(frozen=True, slots=True)
class Prepare:
    """Make any image into the one that is kept. Answered by `Prepared` or `Refused`."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Draw:
    """The pixels of an image that is kept, no larger than this. Answered by `Drawn` or `Refused`."""

    data: bytes
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Prepared:
    """A PNG or JPEG file, upright, without what a camera writes beside the pixels."""

    data: bytes
    media_type: str
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Drawn:
    """Rows of three bytes a pixel (red, green, blue), without gaps."""

    width: int
    height: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Refused:
    """`fault`: the value of a `Fault` about images."""

    fault: str
    width: int = 0
    height: int = 0


ASKED = Codec((Prepare, Draw))
ANSWERED = Codec((Prepared, Drawn, Refused))
