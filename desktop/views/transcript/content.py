"""What a message is made of once its Markdown is read: plain values, no Qt, nothing that could open a file.

Nesting is flattened: lists and quotations become an indent, a marker and bars beside the lines, so that the
deepest input is still a flat row of blocks.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from enum import Enum, IntFlag


class Style(IntFlag):
    """How a run of text looks. Values combine."""

    PLAIN = 0
    BOLD = 1
    ITALIC = 2
    STRIKE = 4
    CODE = 8
    SOFT = 16  # secondary colour: an address beside its link, a picture that is not shown


@dataclass(frozen=True, slots=True)
class Span:
    """A run of text in one style.

    `href` is a whole http, https or mailto address. `formula` is LaTeX; `text` is then what stands there
    when it cannot be drawn.
    """

    text: str
    style: Style = Style.PLAIN
    href: str = ""
    formula: str = ""


class Kind(Enum):
    """What a paragraph is. Headings carry their level apart."""

    TEXT = "text"
    HEADING = "heading"
    RULE = "rule"  # a line across; has no text


@dataclass(frozen=True, slots=True)
class Place:
    """Where a block stands: how many levels in, and at which of them a quotation's bar is drawn."""

    indent: int = 0
    bars: tuple[int, ...] = ()


TOP = Place()


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Lines that flow together. `marker` is a list item's "•" or "3.", hung into the indent."""

    spans: tuple[Span, ...]
    kind: Kind = Kind.TEXT
    level: int = 0  # of a heading, 1..6
    place: Place = TOP
    marker: str = ""
    in_list: bool = False  # stands closer to its neighbours


@dataclass(frozen=True, slots=True)
class Prose:
    """Text that flows: paragraphs, headings, lists and quotations without a listing, table or formula between."""

    paragraphs: tuple[Paragraph, ...]


@dataclass(frozen=True, slots=True)
class Code:
    """A listing. `language` is what the fence said, a single word, not to be trusted."""

    source: str
    language: str = ""
    place: Place = TOP


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of cells, the header first. Every row has `len(alignments)` cells."""

    alignments: tuple[str, ...]  # "", "left", "center" or "right"
    rows: tuple[tuple[tuple[Span, ...], ...], ...]
    place: Place = TOP


@dataclass(frozen=True, slots=True)
class Formula:
    """Mathematics on a line of its own."""

    latex: str
    place: Place = TOP


Block = Prose | Code | Table | Formula

# Controls, halves of surrogate pairs, and the characters QTextDocument keeps for itself (frames, objects,
# separators). A newline and a tab are text.
_UNFIT = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufdd0-\ufdef\ufffc\ufffe\uffff]")
# They reorder what stands beside them: code could read differently from what it does (CVE-2021-42574).
_REORDERING = re.compile("[\u202a-\u202e\u2066-\u2069\u200e\u200f\u061c]")


def clean(text: str) -> str:
    """The text with everything that Qt would not draw as a character made visible or harmless."""
    if text.isascii() and text.isprintable():
        return text
    return _UNFIT.sub(_stand_in, text)


def clean_code(text: str) -> str:
    """As `clean`, and with characters that change the reading order shown by their numbers."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if text.isascii():
        return _UNFIT.sub(_stand_in, text)
    return _REORDERING.sub(lambda found: f"⟨U+{ord(found[0]):04X}⟩", _UNFIT.sub(_stand_in, text))


def _stand_in(found: re.Match[str]) -> str:
    character = found[0]
    if character in "\u2028\u2029":
        return "\n"
    if character < " ":
        return chr(0x2400 + ord(character))  # the Control Pictures block
    return "\ufffd"


def plain_text(spans: tuple[Span, ...]) -> str:
    return "".join(span.text for span in spans)


def reads_right_to_left(spans: tuple[Span, ...]) -> bool:
    """Whether the first letter is of a script written from right to left, as Qt decides a paragraph's direction."""
    for span in spans:
        if span.text.isascii():
            if any(map(str.isalpha, span.text)):
                return False
            continue
        for character in span.text:
            direction = unicodedata.bidirectional(character)
            if direction in ("L", "R", "AL"):
                return direction != "L"
    return False
