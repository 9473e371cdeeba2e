"""Model cards are Markdown mixed with HTML. Here the tags become Markdown or go; nothing is ever made into HTML."""

from __future__ import annotations

import html
import re

MOST_CHARS = 60_000
"""What is longer is cut: nobody reads it here, and the page must come up at once."""

_FENCE = re.compile(r"^ {0,3}(```+|~~~+)")
_COMMENT = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)
_TAG = re.compile(r"<(/?)([A-Za-z][A-Za-z0-9]{0,15})((?:\s[^<>]{0,2000})?)/?>")
_ATTRIBUTE = re.compile(r"""([a-zA-Z-]{1,20})\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+))""")
_PICTURE = re.compile(r"!\[([^\[\]\n]{0,300})\]\((?:[^()\n]{0,2000})\)")
_EMPTY_LINK = re.compile(r"\[\s*\]\([^()\n]{0,2000}\)")
_SAME_LINE = frozenset({"span", "font", "small", "sup", "sub", "u", "ins", "kbd", "mark", "abbr", "nobr"})
_SILENT = frozenset({"style", "script", "svg"})
_MARKS = {"b": "**", "strong": "**", "i": "*", "em": "*", "code": "`", "del": "~~", "s": "~~"}


def readable_card(card: str) -> str:
    """The card as Markdown without tags, pictures by their words. Listings stay as they are."""
    text = card[:MOST_CHARS].replace("\r\n", "\n").replace("\r", "\n")
    made: list[str] = []
    prose: list[str] = []
    fence = ""
    for line in text.split("\n"):
        mark = _FENCE.match(line)
        if fence:
            made.append(line)
            if mark and mark[1].startswith(fence) and not line.strip(" `~"):
                fence = ""
        elif mark:
            made += _without_tags(prose)
            prose = []
            made.append(line)
            fence = mark[1][:3]
        else:
            prose.append(line)
    made += _without_tags(prose)
    if len(card) > MOST_CHARS:
        made += ["", "…"]
    return "\n".join(made).strip("\n")


def _without_tags(lines: list[str]) -> list[str]:
    if not lines:
        return []
    text = _COMMENT.sub("", "\n".join(lines))
    text = _Tags().replaced(text)
    text = _PICTURE.sub(lambda found: found[1], text)
    text = _EMPTY_LINK.sub("", text)
    return re.sub(r"\n[ \t]*\n(?:[ \t]*\n)+", "\n\n", text).split("\n")


class _Tags:
    """Goes through the tags once, and knows the link it is in."""

    def __init__(self) -> None:
        self._links: list[str] = []
        self._silent = ""

    def replaced(self, text: str) -> str:
        out: list[str] = []
        at = 0
        for found in _TAG.finditer(text):
            if not self._silent:
                out.append(text[at : found.start()])
            out.append(self._one(bool(found[1]), found[2].lower(), found[3]))
            at = found.end()
        if not self._silent:
            out.append(text[at:])
        out += [f"]({address})" for address in reversed(self._links)]
        return "".join(out)

    def _one(self, closing: bool, name: str, attributes: str) -> str:
        if self._silent:
            if closing and name == self._silent:
                self._silent = ""
            return ""
        if name in _SILENT:
            self._silent = "" if closing else name
            return ""
        match name:
            case "img":
                return one_word(_attribute(attributes, "alt"))
            case "a":
                return self._link(closing, attributes)
            case "br":
                return "  \n"
            case "hr":
                return "\n\n---\n\n"
            case "li":
                return "" if closing else "\n- "
            case "td" | "th":
                return " · " if closing else ""
            case "h1" | "h2" | "h3" | "h4" | "h5" | "h6":
                return "\n\n" if closing else f"\n\n{'#' * int(name[1])} "
            case _ if name in _MARKS:
                return _MARKS[name]
            case _ if name in _SAME_LINE:
                return ""
        return "\n\n"

    def _link(self, closing: bool, attributes: str) -> str:
        if closing:
            return f"]({self._links.pop()})" if self._links else ""
        address = _attribute(attributes, "href")
        if self._links or not re.fullmatch(r"https?://[^\s<>()]+", address):
            return ""
        self._links.append(address)
        return "["


def one_word(text: str) -> str:
    """A picture's words, which may not be Markdown."""
    return re.sub(r"[\[\]*_`<>|\n]", " ", text).strip()


def _attribute(attributes: str, name: str) -> str:
    for found in _ATTRIBUTE.finditer(attributes):
        if found[1].lower() == name:
            return html.unescape(found[2] or found[3] or found[4] or "")
    return ""
