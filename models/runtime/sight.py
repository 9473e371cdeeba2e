"""What a model with a projector adds to its prompts: images, as stretches of the list of tokens.

The projector is loaded with the first image: a conversation of words pays nothing for it, and a projector that is
damaged or belongs to another model costs the image, not the model.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from models.runtime.faults import Fault, RuntimeFault
from models.runtime.values import Image, Turn

if TYPE_CHECKING:
    from models.runtime.llama import Decoded
    from models.runtime.llama_mtmd import Part, Rows

# Of U+FDD0..U+FDEF, which no text can contain: see prompt.py. Between the two signs stands the image's SHA-256, cut.
_MARK = re.compile("\ufdec([\ufdd0-\ufddf]{32})\ufded")
_FIRST_DIGIT = 0xFDD0


class Reader(Protocol):
    """What is needed of a projector."""

    def layout(self, image: Image) -> tuple[Part, ...]: ...

    def read(self, image: Image, number: int, position: int) -> Decoded: ...


@dataclass(frozen=True, slots=True)
class Placed:
    """A part of an image in a prompt: its rows stand at `start` and the positions after it."""

    start: int
    rows: Rows
    image: Image
    number: int  # of the part

    @property
    def end(self) -> int:
        return self.start + self.rows.positions


class Sight:
    """The images of one model. Used by the worker's main thread."""

    def __init__(
        self, open_reader: Callable[[], Reader] | None, enter_stage: Callable[[str], None] = lambda name: None
    ) -> None:
        """`open_reader` loads the projector, and raises `RuntimeFault`; None: the model can't see."""
        self._open = open_reader
        self._enter_stage = enter_stage
        self._reader: Reader | None = None
        self._layouts: dict[str, tuple[Part, ...]] = {}
        self._images: dict[str, Image] = {}

    def begin(self) -> None:
        """Another prompt is built: the images of the one before are not needed any more."""
        self._images.clear()

    def marks(self, turn: Turn, newest: bool) -> str:
        """What stands before a turn's text, in place of its images.

        For a model that can't see, earlier images are a word; raises `RuntimeFault` CANNOT_SEE for `newest`.
        """
        if not turn.images:
            return ""
        if self._open is None:
            if newest:
                raise RuntimeFault(Fault.CANNOT_SEE)
            return "[image]\n" * len(turn.images)
        for image in turn.images:
            self._images[_digits(image)] = image
        return "".join(f"\ufdec{_digits(image)}\ufded" for image in turn.images) + "\n"

    def split(self, text: str) -> list[str | Image]:
        """A rendered prompt: texts, and the images between them."""
        pieces = _MARK.split(text)
        found = [self._images[piece] if index % 2 else piece for index, piece in enumerate(pieces)]
        return [piece for piece in found if piece]

    def tokens(self, image: Image) -> list[int]:
        """What stands for an image in the list of tokens. Raises `RuntimeFault`."""
        return [
            token
            for part in self._layout(image)
            for token in (part if isinstance(part, tuple) else (part.stands_for,) * part.positions)
        ]

    def count(self, image: Image) -> int:
        """The cells of the KV cache that an image takes; 0 for a model that can't see."""
        if self._open is None:
            return 0
        return sum(len(part) if isinstance(part, tuple) else part.cells for part in self._layout(image))

    def placed(self, text: str, tokens: Sequence[int]) -> tuple[Placed, ...]:
        """Where the images of a prompt stand in its tokens."""
        found: list[Placed] = []
        place = 0
        for image in (piece for piece in self.split(text) if isinstance(piece, Image)):
            for number, part in enumerate(self._layout(image)):
                if isinstance(part, tuple):
                    continue
                while place < len(tokens) and tokens[place] != part.stands_for:
                    place += 1
                found.append(Placed(place, part, image, number))
                place += part.positions
        if place > len(tokens):
            raise RuntimeFault(Fault.GENERATION_FAILED, "an image is not where it should be")
        return tuple(found)

    def read(self, placed: Placed) -> Decoded:
        """Put an image into the KV cache, after what is there. Raises `RuntimeFault`."""
        with self._looking() as reader:
            return reader.read(placed.image, placed.number, placed.start)

    def _layout(self, image: Image) -> tuple[Part, ...]:
        if image.sha256 not in self._layouts:
            with self._looking() as reader:
                self._layouts[image.sha256] = reader.layout(image)
        return self._layouts[image.sha256]

    @contextmanager
    def _looking(self) -> Iterator[Reader]:
        """The parent is told: what ends this process now is the doing of the projector, not of the model."""
        self._enter_stage("image")
        if self._reader is None:
            if self._open is None:
                raise RuntimeFault(Fault.CANNOT_SEE)
            self._reader = self._open()
        yield self._reader
        self._enter_stage("prompt")


def _digits(image: Image) -> str:
    return "".join(chr(_FIRST_DIGIT + int(digit, 16)) for digit in image.sha256[:32])
