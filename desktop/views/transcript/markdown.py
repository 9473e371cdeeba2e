"""Markdown to blocks: markdown-it-py's CommonMark with tables, strike-through and mathematics. No Qt, no HTML.

Nothing here or later becomes HTML: tokens turn into plain values, which are written into documents one run of
text at a time. Tags in the source are text, pictures are words, addresses are links only when they are whole
http, https or mailto ones.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from urllib.parse import unquote

from markdown_it import MarkdownIt
from markdown_it.token import Token

from desktop.i18n import tr
from desktop.views.transcript.content import (
    Block,
    Code,
    Formula,
    Kind,
    Paragraph,
    Place,
    Prose,
    Span,
    Style,
    Table,
    clean,
    clean_code,
)
from desktop.views.transcript.math_rules import mathematics

MAX_DEPTH = 20  # levels of lists and quotations; markdown-it drops what lies deeper
MAX_ADDRESS = 2_048  # characters; what is longer is shown, cut, and is not a link
MAX_COLUMNS = 30
_SHOWN_ADDRESS = 96  # of an address that is no link
# A piece with more of these than this is no prose, and would take the parser long: 25 µs for each bracket, 5 µs
# for each of the others.
_MARKERS = re.compile(r"[*_`~!<&$\\]")
MAX_MARKERS, MAX_BRACKETS = 4_000, 600
_ALLOWED = re.compile(r"(?:https?://|mailto:)[^\s<>\"\x00-\x20]+", re.IGNORECASE)
_LINE_BREAK = re.compile(r"<br\s*/?>", re.IGNORECASE)
_TASK = re.compile(r"\[([ xX])\][ \u00a0]")
_BULLETS = "•◦▪"
_STYLES = {"strong": Style.BOLD, "em": Style.ITALIC, "s": Style.STRIKE}

References = dict[str, dict[str, str]]
"""Link definitions by label, as markdown-it keeps them; shared by the parts of one message."""


@cache
def _parser() -> MarkdownIt:
    options = {"html": False, "linkify": False, "maxNesting": MAX_DEPTH * 2}
    md = MarkdownIt("commonmark", options).enable(["table", "strikethrough"]).use(mathematics)
    # Underlined headings: models write "---" for a line across, and while a list under a paragraph streams
    # in, its first "-" would flash up as a heading.
    md.disable("lheading")
    # What may be a link is decided when it is shown; an unsafe one must stay visible, not vanish.
    md.validateLink = lambda url: True  # type: ignore[method-assign]
    return md


def parse(source: str, references: References | None = None) -> list[Block]:
    """The blocks of a piece of Markdown, in reading order. Takes time linear in its length; never raises.

    `references` gathers link definitions and supplies those of earlier pieces.
    """
    if _too_dense(source):
        return [verbatim(source)]
    environment = {"references": references if references is not None else {}}
    try:
        tokens = _parser().parse(source, environment)
    except RecursionError:
        return [verbatim(source)]
    if any(token.level >= 2 * MAX_DEPTH - 1 for token in tokens):
        return [verbatim(source)]
    return _Walk(tokens).blocks()


def verbatim(source: str) -> Prose:
    """The text as it was typed: one paragraph for each stretch between empty lines, line breaks kept."""
    text = clean(source.replace("\r\n", "\n").replace("\r", "\n")).strip("\n")
    stretches = re.split(r"\n[ \t]*\n", text)
    return Prose(tuple(Paragraph((Span(stretch.strip("\n")),)) for stretch in stretches))


def _too_dense(source: str) -> bool:
    if source.count("[") > MAX_BRACKETS:
        return True
    return len(source) > MAX_MARKERS and len(_MARKERS.findall(source)) > MAX_MARKERS


@dataclass(slots=True)
class _Container:
    """An open list, list item or quotation."""

    kind: str  # "ul", "ol", "item" or "quote"
    number: int = 0
    delimiter: str = "."


@dataclass(slots=True)
class _Walk:
    """Goes through markdown-it's flat tokens once."""

    tokens: Sequence[Token]
    _blocks: list[Block] = field(default_factory=list)
    _paragraphs: list[Paragraph] = field(default_factory=list)
    _containers: list[_Container] = field(default_factory=list)
    _marker: str = ""  # of the list item that has shown nothing yet

    def blocks(self) -> list[Block]:
        at = 0
        while at < len(self.tokens):
            token = self.tokens[at]
            if token.type == "table_open":
                at = self._table(at)
            else:
                self._one(token, self.tokens[at - 1] if at else token)
            at += 1
        self._end_prose()
        return self._blocks

    def _one(self, token: Token, before: Token) -> None:
        match token.type:
            case "inline":
                self._text(token, before)
            case "fence" | "code_block":
                self._block(Code(clean_code(token.content), language_of(token.info), self._place()))
            case "math_block":
                self._block(Formula(token.content.strip(), self._place()))
            case "hr":
                self._paragraph(Paragraph((), Kind.RULE, place=self._place()))
            case _:
                self._container(token)

    # ---- lists and quotations

    def _container(self, token: Token) -> None:
        match token.type:
            case "bullet_list_open":
                self._containers.append(_Container("ul"))
            case "ordered_list_open":
                start = token.attrGet("start")
                number = 1 if start is None else int(start)
                self._containers.append(_Container("ol", number, token.markup or "."))
            case "blockquote_open":
                self._show_empty_item()
                self._containers.append(_Container("quote"))
            case "list_item_open":
                self._show_empty_item()
                self._marker = self._next_marker()
                self._containers.append(_Container("item"))
            case "list_item_close" | "bullet_list_close" | "ordered_list_close" | "blockquote_close":
                if token.type == "list_item_close":
                    self._show_empty_item()
                self._containers.pop()

    def _next_marker(self) -> str:
        here = self._containers[-1]
        if here.kind == "ol":
            here.number += 1
            return f"{here.number - 1}{here.delimiter}"
        depth = sum(container.kind in ("ul", "ol") for container in self._containers)
        return _BULLETS[min(depth, len(_BULLETS)) - 1]

    def _show_empty_item(self) -> None:
        if self._marker:
            self._paragraph(Paragraph((), place=self._place(), in_list=True))

    def _place(self) -> Place:
        levels = [container.kind for container in self._containers if container.kind in ("item", "quote")]
        return Place(len(levels), tuple(at for at, kind in enumerate(levels) if kind == "quote"))

    # ---- blocks

    def _text(self, token: Token, before: Token) -> None:
        children = token.children or []
        if (
            len(children) == 1
            and children[0].type == "math_inline_double"
            and before.type == "paragraph_open"
        ):
            self._block(Formula(children[0].content.strip(), self._place()))
            return
        spans = inline(children)
        if before.type == "heading_open":
            level = int(before.tag[1:])
            self._paragraph(Paragraph(spans, Kind.HEADING, level, self._place()))
            return
        spans = self._as_task(spans)
        in_list = any(container.kind == "item" for container in self._containers)
        self._paragraph(Paragraph(spans, place=self._place(), in_list=in_list))

    def _as_task(self, spans: tuple[Span, ...]) -> tuple[Span, ...]:
        found = _TASK.match(spans[0].text) if spans and self._marker and not spans[0].style else None
        if found is None:
            return spans
        self._marker = "☐" if found[1] == " " else "☑"
        return (Span(spans[0].text[found.end() :]), *spans[1:])

    def _paragraph(self, paragraph: Paragraph) -> None:
        if self._marker:
            paragraph = Paragraph(
                paragraph.spans,
                paragraph.kind,
                paragraph.level,
                paragraph.place,
                self._marker,
                paragraph.in_list,
            )
            self._marker = ""
        self._paragraphs.append(paragraph)

    def _block(self, block: Block) -> None:
        self._show_empty_item()
        self._end_prose()
        self._blocks.append(block)

    def _end_prose(self) -> None:
        if self._paragraphs:
            self._blocks.append(Prose(tuple(self._paragraphs)))
            self._paragraphs.clear()

    def _table(self, at: int) -> int:
        """Read the table that opens at token `at`; the position of its closing token."""
        rows: list[list[tuple[Span, ...]]] = []
        alignments: list[str] = []
        while self.tokens[at].type != "table_close":
            token = self.tokens[at]
            if token.type == "tr_open":
                rows.append([])
            elif token.type == "th_open":
                style = str(token.attrGet("style") or "")
                alignments.append(style.removeprefix("text-align:"))
            elif token.type == "inline":
                rows[-1].append(inline(token.children or []))
            at += 1
        self._block(_table_or_source(alignments, rows, self._place()))
        return at


def _table_or_source(alignments: list[str], rows: list[list[tuple[Span, ...]]], place: Place) -> Block:
    width = len(alignments)
    if width > MAX_COLUMNS:
        lines = (" | ".join("".join(span.text for span in cell) for cell in row) for row in rows)
        return Code(clean_code("\n".join(lines)), "", place)
    even = tuple(tuple((row + [()] * width)[:width]) for row in rows)
    return Table(tuple(alignments), even, place)


# ---- text within a line


def inline(tokens: Sequence[Token]) -> tuple[Span, ...]:
    """The runs of text of a paragraph, a heading or a cell; neighbours of one style joined."""
    spans: list[Span] = []
    style = Style.PLAIN
    link: tuple[str, int] | None = None  # its address, and where in `spans` its text starts
    for token in tokens:
        name = token.type.rpartition("_")[0]
        if token.type == "link_open":
            link = (str(token.attrGet("href") or ""), len(spans))
        elif token.type == "link_close" and link is not None:
            spans[link[1] :] = _link(tuple(spans[link[1] :]), link[0])
            link = None
        elif name in _STYLES:
            style = style | _STYLES[name] if token.nesting == 1 else style & ~_STYLES[name]
        else:
            spans.extend(_leaf(token, style))
    return _joined(spans)


def _leaf(token: Token, style: Style) -> list[Span]:
    match token.type:
        case "softbreak" | "hardbreak":
            # Models end lines where they mean it: poems, addresses.
            return [Span("\n", style)]
        case "code_inline":
            return [Span(clean(token.content), style | Style.CODE)]
        case "math_inline" | "math_inline_double":
            latex = token.content.strip()
            return [Span(clean(latex), style | Style.CODE, formula=latex)]
        case "image":
            return _picture(token, style)
        case _:
            return [Span(clean(_LINE_BREAK.sub("\n", token.content)), style)]


def _link(text: tuple[Span, ...], address: str) -> list[Span]:
    """The text of a link and, unless it is the same, where it leads; never one without the other."""
    shown = "".join(span.text for span in text)
    if not is_link(address):
        return [*text, Span(f" ({_cut(address)})", Style.SOFT)] if address else list(text)
    linked = [Span(span.text, span.style, address, span.formula) for span in text]
    if _says(shown, address):
        return linked
    if not shown.strip():
        return [Span(address, Style.PLAIN, address)]
    return [*linked, Span(" (", Style.SOFT), Span(address, Style.SOFT, address), Span(")", Style.SOFT)]


def is_link(address: str) -> bool:
    """Whether it is a whole http, https or mailto address, short enough to be read."""
    return len(address) <= MAX_ADDRESS and _ALLOWED.fullmatch(address) is not None


def _says(shown: str, address: str) -> bool:
    plain = address.removeprefix("mailto:").rstrip("/")
    # Only ASCII counts as the same: an "а" from another alphabet looks like an "a".
    return shown.isascii() and shown.removeprefix("mailto:").rstrip("/") in (plain, unquote(plain))


def _picture(token: Token, style: Style) -> list[Span]:
    """A picture is never loaded: what it is called, and where it would have come from."""
    name = clean("".join(child.content for child in token.children or [])).strip()
    words = tr("[image: {name}]", name=name) if name else tr("[image]")
    source = str(token.attrGet("src") or "")
    return [Span(words, style | Style.ITALIC), Span(f" ({_cut(source)})" if source else "", Style.SOFT)]


def _cut(address: str) -> str:
    address = clean(address)
    return address if len(address) <= _SHOWN_ADDRESS else address[:_SHOWN_ADDRESS] + "…"


def _joined(spans: list[Span]) -> tuple[Span, ...]:
    joined: list[Span] = []
    for span in spans:
        last = joined[-1] if joined else None
        if not span.text and not span.formula:
            continue
        alike = last is not None and (last.style, last.href) == (span.style, span.href)
        if last is not None and alike and not last.formula and not span.formula:
            joined[-1] = Span(last.text + span.text, last.style, last.href)
        else:
            joined.append(span)
    return tuple(joined)


def language_of(info: str) -> str:
    """The first word of a fence's info string when it can be the name of a language, else nothing."""
    word = info.strip().split(None, 1)[0] if info.strip() else ""
    word = word.strip("{}.").split(",", 1)[0]
    return word if re.fullmatch(r"[A-Za-z0-9+#._-]{1,24}", word) else ""
