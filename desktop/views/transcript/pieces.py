"""A message as parts, each read when it is needed, and an answer read while it is still being written.

A *part* is what the view makes widgets for at once: about a screen of text, so that a book of an answer costs
no more than what is seen of it. A *piece* is what the parser is given at once; cutting is exact (see `scanner`)
except where one stretch is so long that it must be cut to keep the window alive.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace

from desktop.views.transcript.content import Block, Code, Paragraph, Prose, Table, clean_code
from desktop.views.transcript.markdown import MAX_ADDRESS, References, language_of, parse, verbatim
from desktop.views.transcript.scanner import DEFINITION, Cut, Scanner

PART_CHARS = 3_000  # a part is closed at the first cut after this
LONGEST_PIECE = 8_000  # prose is cut here, come what may
LONGEST_TABLE = 24_000  # characters; the table then goes on as another, under the same header
_MAX_DEFINITIONS = 200
# Nothing of this begins or ends anything in Markdown after a word: not at the start of a line, where a full stop
# makes a list of a number, and without what closes a link or an entity.
_WORDS = re.compile(r"[A-Za-z0-9À-ɏ ,.:?!'\"(–—…%-]*")
_ENDS_IN_WORD = re.compile(r"[A-Za-zÀ-ɏ]{3}[,.:]? ?$")


@dataclass(frozen=True, slots=True)
class Piece:
    """Source that is read by itself. `fenced`: a listing that starts at the left edge, to its end or so far."""

    source: str
    cut: Cut = field(default_factory=Cut)
    fenced: bool = False


class Part:
    """A stretch of a message. `blocks` reads it the first time it is asked for."""

    def __init__(self, pieces: list[Piece], references: References, *, typed: bool = False) -> None:
        self._pieces = pieces
        self._references = references
        self._typed = typed
        self._blocks: tuple[Block, ...] | None = None

    @property
    def source(self) -> str:
        return "".join(piece.source for piece in self._pieces)

    @property
    def blocks(self) -> tuple[Block, ...]:
        if self._blocks is None:
            read = _typed_blocks if self._typed else _marked_blocks
            self._blocks = tuple(read(self._pieces, self._references))
        return self._blocks

    def grow(self, pieces: list[Piece], blocks: tuple[Block, ...]) -> None:
        """Replace what the part holds, while it is being written."""
        self._pieces, self._blocks = pieces, blocks


def split(text: str, *, typed: bool = False) -> list[Part]:
    """The parts of a finished message. `typed`: by a person, so shown as typed but for fenced code."""
    references: References = {}
    if not typed and DEFINITION.search(text):
        _gather(text, references)
    if len(text) <= PART_CHARS and not typed:
        return [Part([Piece(text)], references)]
    cutter = _Cutter()
    cutter.feed(text)
    parts: list[list[Piece]] = [[]]
    size = 0
    for piece in cutter.finish():
        if _starts_part(size, piece):
            parts.append([])
            size = 0
        parts[-1].append(piece)
        size += len(piece.source)
    return [Part(pieces, references, typed=typed) for pieces in parts]


def _starts_part(size: int, piece: Piece) -> bool:
    """A part never ends inside a table: it would go on under a second header."""
    return size >= PART_CHARS and not (piece.cut.continues and piece.cut.header)


def _gather(text: str, references: References) -> None:
    """Read every line that may define a link, wherever it stands, so that all parts know it."""
    for found in list(DEFINITION.finditer(text))[:_MAX_DEFINITIONS]:
        # The address or the title may stand on the next line.
        lines = text[found.start() : found.start() + 2 * MAX_ADDRESS].split("\n", 2)[:2]
        parse("\n".join(lines), references)


# ---- cutting


@dataclass(slots=True)
class _Cutter:
    """Takes text as it comes and gives the pieces that can no longer change."""

    _scanner: Scanner = field(default_factory=Scanner)
    _closed: list[Piece] = field(default_factory=list)
    _lines: list[str] = field(default_factory=list)  # of the open piece, each with its newline
    _size: int = 0  # characters in `_lines`
    _cut: Cut = field(default_factory=Cut)  # how the open piece began
    _fenced: bool = False  # the open piece is a listing at the left edge
    _tail: str = ""  # the line that has not ended yet
    _table_size: int = 0

    def feed(self, text: str) -> None:
        *lines, tail = (self._tail + text).split("\n")
        for line in lines:
            self._line(line)
        self._tail = self._broken(tail)

    def take_closed(self) -> list[Piece]:
        closed, self._closed = self._closed, []
        return closed

    @property
    def open(self) -> Piece:
        """What can still change, as it stands."""
        return Piece("".join(self._lines) + self._tail, self._cut, self._fenced)

    def finish(self) -> list[Piece]:
        if self._tail:
            self._line(self._tail, end="")
            self._tail = ""
        if self._lines:
            self._close(Cut())
        return self.take_closed()

    def _line(self, line: str, end: str = "\n") -> None:
        line = self._broken(line)
        before = self._scanner.fence
        cut = self._table_cut(self._scanner.line(line), line)
        fence = self._scanner.fence
        opens = fence is not None and fence.at_left and fence is not before
        if cut is None and (opens or (self._size > LONGEST_PIECE and before is None)):
            cut = Cut()
        if cut is not None and self._lines:
            self._close(cut)
        self._fenced = self._fenced or opens
        self._lines.append(line + end)
        self._size += len(line) + 1
        if before is not None and fence is None and self._fenced:
            self._close(Cut())

    def _table_cut(self, cut: Cut | None, line: str) -> Cut | None:
        header = self._scanner.table_header
        if not header:
            self._table_size = 0
            return cut
        if not self._table_size and not isinstance(parse(header)[-1], Table):
            self._scanner.no_table()
            return cut
        self._table_size += len(line) + 1
        if cut is not None and self._table_size > LONGEST_TABLE:
            self._table_size = len(line) + 1
            return replace(cut, continues=False)
        return cut

    def _close(self, cut: Cut) -> None:
        """End the open piece; the next one begins with `cut`."""
        self._closed.append(Piece("".join(self._lines), self._cut, self._fenced))
        self._lines, self._size, self._cut, self._fenced = [], 0, cut, False

    def _broken(self, line: str) -> str:
        """What is left of a line after cutting off pieces until it is short enough. Listings are left whole."""
        if len(line) <= LONGEST_PIECE or self._scanner.fence is not None:
            return line
        if self._lines:
            self._close(Cut())
        while len(line) > LONGEST_PIECE:
            at = line.rfind(" ", LONGEST_PIECE // 2, LONGEST_PIECE) + 1 or LONGEST_PIECE
            self._lines.append(line[:at])
            line = line[at:]
            self._close(Cut())
        return line


# ---- reading and joining


def _marked_blocks(pieces: list[Piece], references: References) -> list[Block]:
    joiner = _Joiner()
    for piece in pieces:
        joiner.add(_read(piece, references), piece.cut)
    return joiner.blocks


def _read(piece: Piece, references: References) -> list[Block]:
    if piece.fenced:
        return [_listing(piece.source)]
    return parse(piece.cut.header + piece.source, references) if piece.source.strip() else []


def _typed_blocks(pieces: list[Piece], references: References) -> list[Block]:
    blocks: list[Block] = []
    text = ""
    for piece in [*pieces, Piece("", fenced=True)]:
        if not piece.fenced:
            text += piece.source
            continue
        if text.strip():
            blocks.append(verbatim(text))
        if piece.source:
            blocks.append(_listing(piece.source))
        text = ""
    return blocks


def _listing(source: str) -> Code:
    """The code in a fence at the left edge, closed or not, without the parser: it may be very long."""
    first, _, body = source.partition("\n")
    opening = first.strip(" ")
    mark = opening[: len(opening) - len(opening.lstrip(opening[0]))]
    last = body.rstrip("\n").rpartition("\n")[2].strip()
    if last.startswith(mark) and not last.strip(mark[0]):
        body = body.rstrip("\n").rpartition("\n")[0]
        body += "\n" if body else ""
    indent = len(first) - len(first.lstrip(" "))
    if indent:
        body = "\n".join(_outdented(line, indent) for line in body.split("\n"))
    return Code(clean_code(body), language_of(opening[len(mark) :]))


def _outdented(line: str, by: int) -> str:
    return line[min(by, len(line) - len(line.lstrip(" "))) :]


class _Joiner:
    """Puts the blocks of neighbouring pieces together: prose flows on, lists count on, tables grow."""

    def __init__(self, blocks: list[Block] | None = None) -> None:
        self.blocks: list[Block] = blocks or []

    def add(self, blocks: list[Block], cut: Cut) -> None:
        for index, block in enumerate(blocks):
            last = self.blocks[-1] if self.blocks else None
            goes_on = cut.continues and index == 0
            if isinstance(block, Prose) and isinstance(last, Prose):
                more = _count_on(last.paragraphs, block.paragraphs) if goes_on else block.paragraphs
                self.blocks[-1] = Prose(last.paragraphs + more)
            elif isinstance(block, Table) and isinstance(last, Table) and goes_on:
                self.blocks[-1] = Table(last.alignments, last.rows + block.rows[1:], last.place)
            else:
                self.blocks.append(block)


def _count_on(before: tuple[Paragraph, ...], after: tuple[Paragraph, ...]) -> tuple[Paragraph, ...]:
    """Number an ordered list's next item as the whole list would: by counting, whatever was written."""
    first = after[0]
    number = first.marker[:-1]
    for item in reversed(before):
        if item.place.indent == 0 or not number.isdigit():
            return after
        if item.place.indent == 1 and item.marker:
            last = item.marker
            break
    else:
        return after
    if not last[:-1].isdigit() or last[-1] != first.marker[-1] or first.place.indent != 1:
        return after
    return (replace(first, marker=f"{int(last[:-1]) + 1}{last[-1]}"), *after[1:])


def _with_more_words(before: Piece, blocks: list[Block], now: Piece) -> list[Block] | None:
    """What `now` reads as, when all that came are words that can only belong to the last line of plain text.

    Most of what streams in is that, and the parser would take a hundred times as long. None for everything
    else. A piece is read properly once it is closed, whatever was said here.
    """
    source = before.source
    if now.fenced or now.cut != before.cut or now.cut.header or not now.source.startswith(source):
        return None
    last = blocks[-1] if blocks else None
    more = now.source[len(source) :]
    if not isinstance(last, Prose) or not _WORDS.fullmatch(more) or not _ENDS_IN_WORD.search(source):
        return None
    paragraph = last.paragraphs[-1]
    span = paragraph.spans[-1] if paragraph.spans else None
    if span is None or span.style or span.href or span.formula:
        return None
    text = span.text.rstrip(" ")
    stem = source.rstrip(" ")
    if not stem.endswith(text[-20:]):
        return None
    grown = replace(span, text=text + source[len(stem) :] + more)
    spans = (*paragraph.spans[:-1], grown)
    return [*blocks[:-1], Prose((*last.paragraphs[:-1], replace(paragraph, spans=spans)))]


class Growing:
    """An answer while it streams in. Only what can still change is read again with each addition."""

    def __init__(self, text: str = "") -> None:
        self.text = ""
        self._references: References = {}
        self.parts: list[Part] = [Part([], self._references)]
        self._cutter = _Cutter()
        self._pieces: list[Piece] = []  # the closed ones of the last part
        self._joined = _Joiner()
        self._size = 0
        self._open = Piece("")  # as it was read last
        self._open_blocks: list[Block] = []
        self.feed(text)

    def feed(self, text: str) -> None:
        self.text += text
        self._cutter.feed(text)
        for piece in self._cutter.take_closed():
            self._add(piece)
        self._read_open()

    def _add(self, piece: Piece) -> None:
        if _starts_part(self._size, piece):
            self.parts[-1].grow(self._pieces, tuple(self._joined.blocks))
            self.parts.append(Part([], self._references))
            self._pieces, self._joined, self._size = [], _Joiner(), 0
        self._pieces.append(piece)
        self._joined.add(_read(piece, self._references), piece.cut)
        self._size += len(piece.source)

    def _read_open(self) -> None:
        piece = self._cutter.open
        blocks = _with_more_words(self._open, self._open_blocks, piece)
        if blocks is None:
            blocks = _read(piece, self._references)
        self._open, self._open_blocks = piece, blocks
        whole = _Joiner(list(self._joined.blocks))
        whole.add(blocks, piece.cut)
        self.parts[-1].grow([*self._pieces, piece], tuple(whole.blocks))

    def finish(self) -> list[Part]:
        """The parts of the whole text; those that were read are kept.

        Where links were defined everything is read again: a definition may follow its use.
        """
        if DEFINITION.search(self.text):
            return split(self.text)
        for piece in self._cutter.finish():
            self._add(piece)
        self.parts[-1].grow(self._pieces, tuple(self._joined.blocks))
        return self.parts
