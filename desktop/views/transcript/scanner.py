"""Finds the lines where a message can be cut, so that each piece parses on its own as it would in the whole.

One line at a time, in one pass, without parsing: whatever cannot be decided cheaply is not cut there. What is
known is enough for the three things that make long answers long: paragraphs, lists and tables.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from desktop.views.transcript.math_rules import MAX_LINES, delimiters

_PREFIX = re.compile(r"(?:[ \t]*(?:>|[-*+](?=[ \t])|\d{1,9}[.)](?=[ \t])))*[ \t]*")
_FENCE = re.compile(r"(`{3,})[^`]*$|(~{3,})")
_ITEM = re.compile(r"[-*+](?:[ \t]|$)|\d{1,9}[.)](?:[ \t]|$)")
_HEADING_OR_RULE = re.compile(r"#{1,6}(?:[ \t]|$)|(?:-[ \t]*){3,}$|(?:\*[ \t]*){3,}$|(?:_[ \t]*){3,}$")
_TABLE_RULE = re.compile(r"\|?[ \t]*:?-+:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)*\|?[ \t]*$")
DEFINITION = re.compile(r"^ {0,3}\[[^\]\n]{1,200}\]:", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Cut:
    """A new piece may start at this line.

    `continues`: the list or the table that the piece before it ended in goes on. `header` is the two lines
    that a table's row needs before it to be read as one.
    """

    continues: bool = False
    header: str = ""


@dataclass(frozen=True, slots=True)
class Fence:
    """An open code fence. It also ends with the list or quotation that it stands in."""

    mark: str  # "```" or longer
    in_list: bool = False
    in_quote: bool = False

    @property
    def at_left(self) -> bool:
        return not self.in_list and not self.in_quote


@dataclass(slots=True)
class Scanner:
    """Feed it each whole line (without its newline), in order."""

    fence: Fence | None = None
    table_header: str = ""  # of the table that the last line belongs to
    _formula_end: str = ""  # what closes the display formula that is open
    _formula_lines: int = 0
    _blank: bool = True  # the line before was empty, or there was none
    _in_list: bool = False
    _item_indent: int = 0  # how far in the text of the last item at the left edge stands
    _in_quote: bool = False
    _before: str = field(default="")

    def line(self, line: str) -> Cut | None:
        """How this line can begin a new piece; None when it belongs to what is above it."""
        cut = self._cut(line)
        self._before = line
        self._blank = not line.strip()
        return cut

    def no_table(self) -> None:
        """What looked like a table's header is not one."""
        self.table_header = ""

    def _cut(self, line: str) -> Cut | None:
        if self.fence is not None:
            if not self._leaves_container(line):
                self._close_fence(line)
                return None
            self.fence, self._in_list, self._in_quote = None, False, False
        if self._formula_end:
            if _FENCE.match(line.lstrip(" ")) is None:
                self._close_formula(line)
                return None
            self._formula_end = ""  # code never stands inside a formula
        if not line.strip():
            self.table_header = ""
            return None
        cut = self._at_text(line)
        self._open_fence(line)
        if self.fence is None:
            self._open_formula(line)
            self._see_table(line)
        return cut

    def _at_text(self, line: str) -> Cut | None:
        """The rules for a line with text, outside fences and formulas."""
        if line[0] in " \t":
            return None
        ends_all = _HEADING_OR_RULE.match(line) is not None or _FENCE.match(line) is not None
        item = not ends_all and _ITEM.match(line) is not None
        if self.table_header:
            if not ends_all and not item and line[0] != ">":
                return Cut(continues=True, header=self.table_header) if "|" in line else None
            self.table_header = ""
        if item:
            return self._at_item(line)
        quote = line[0] == ">"
        # Anything else may be a lazy continuation of the item or quotation above it (CommonMark 5.1).
        if ends_all or quote or self._blank or not (self._in_list or self._in_quote):
            self._in_list, self._in_quote = False, quote
        return Cut() if self._blank and not quote else None

    def _at_item(self, line: str) -> Cut | None:
        goes_on = self._in_list
        marker, *text = line.split(None, 1)
        # Only a bullet or "1." with text after it can follow a paragraph's line directly (CommonMark 5.3).
        interrupts = bool(text) and (marker in "-*+" or marker in ("1.", "1)"))
        self._in_list = goes_on or self._blank or interrupts
        spaces = len(line) - len(marker) - len(line[len(marker) :].lstrip(" "))
        self._item_indent = len(marker) + (spaces if 1 <= spaces <= 4 else 1)
        self._in_quote = self._in_quote and not self._in_list
        if goes_on:
            return Cut(continues=True)
        return Cut() if self._blank else None

    # ---- fences

    def _leaves_container(self, line: str) -> bool:
        assert self.fence is not None
        if self.fence.in_quote and not line.lstrip(" \t").startswith(">"):
            return True
        return self.fence.in_list and bool(line) and line[0] not in " \t"

    def _close_fence(self, line: str) -> None:
        assert self.fence is not None
        text = line.strip().lstrip("> \t") if self.fence.in_quote else line.strip()
        if text.startswith(self.fence.mark) and not text.strip(self.fence.mark[0]):
            self.fence = None

    def _open_fence(self, line: str) -> None:
        prefix = _PREFIX.match(line)
        at = prefix.end() if prefix else 0
        found = _FENCE.match(line[at:])
        if found is None:
            return
        containers = line[:at].strip()
        if not containers and not self._in_list and at > 3:
            return  # an indented listing that shows a fence
        inside = self._in_list and at >= self._item_indent
        in_list = inside or bool(containers.strip("> \t"))
        self.fence = Fence(found[1] or found[2], in_list, ">" in containers)

    # ---- formulas

    def _open_formula(self, line: str) -> None:
        text = line.lstrip(" \t>")
        ends = ("$$", "$$") if text.startswith("$$") else delimiters(text)
        if ends is None or text[len(ends[0]) :].rstrip().endswith(ends[1]):
            return
        if ends[0] == "$$" and "$$" in text[2:]:
            return
        self._formula_end, self._formula_lines = ends[1], 0

    def _close_formula(self, line: str) -> None:
        self._formula_lines += 1
        if line.rstrip().endswith(self._formula_end) or self._formula_lines >= MAX_LINES:
            self._formula_end = ""

    # ---- tables

    def _see_table(self, line: str) -> None:
        if self.table_header or self._in_list or self._in_quote or "-" not in line:
            return
        if (
            "|" in self._before
            and _TABLE_RULE.match(line) is not None
            and not self._before.startswith((" ", "\t"))
        ):
            self.table_header = f"{self._before}\n{line}\n"
