"""Colours code while it is written, a few milliseconds at a time, in languages from a fixed list.

The language comes from a model: it is only ever looked up among known names. Nothing is imported by a name that
was not written here, and Pygments' plug-ins are not searched.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import cache
from typing import Any

import pygments.lexers
from pygments.lexer import Lexer
from pygments.lexers._mapping import LEXERS
from pygments.token import Comment, Generic, Keyword, Literal, Name, Number, Operator, String
from PySide6.QtCore import QObject, QTimer
from PySide6.QtGui import QColor, QTextCharFormat, QTextDocument, QTextLayout

from desktop.views.palette import Palette

MAX_CHARS = 200_000  # longer listings stay in one colour
SLICE_SECONDS = 0.004
_FIRST_MS = 30  # after which the first listing in a language is coloured
_CLASSES = (
    "Ada Awk Bash BashSession Batch C CSharp Clojure CMake CommonLisp Cpp Css D Dart Diff Docker Elixir Elm Erlang "
    "Fortran FSharp Gherkin Go GraphQL Groovy Haskell Html Ini Java Javascript Json Julia Kotlin Lua "
    "Makefile Markdown Matlab Nasm NginxConf Nimrod Nix ObjectiveC Ocaml Delphi Perl Php PlPgsql PowerShell Prolog "
    "Properties ProtoBuf Python PythonConsole PythonTraceback S Rust Ruby Sass Scala Scheme Scss Solidity Sql Swift "
    "Tcl Terraform Tex TOML TypeScript VbNet Verilog Vhdl Xml Yaml Zig"
)
_MORE_ALIASES = {
    "jsx": "JavascriptLexer",
    "tsx": "TypeScriptLexer",
    "jsonc": "JsonLexer",
    "shell-session": "BashSessionLexer",
}
# The first that holds decides.
_COLORS = (
    (Comment, "code_comment"),
    (String, "code_string"),
    (Number, "code_number"),
    (Literal, "code_number"),
    (Keyword, "code_keyword"),
    (Operator.Word, "code_keyword"),
    (Name.Function, "code_name"),
    (Name.Class, "code_name"),
    (Name.Decorator, "code_name"),
    (Name.Tag, "code_name"),
    (Name.Attribute, "code_name"),
    (Name.Builtin, "code_name"),
    (Name.Namespace, "code_name"),
    (Generic.Inserted, "code_string"),
    (Generic.Deleted, "code_number"),
    (Generic.Heading, "code_name"),
    (Generic.Subheading, "code_name"),
)

Range = tuple[int, int, str]
"""Start and length in UTF-16 units, and the palette's token."""


@cache
def _aliases() -> dict[str, str]:
    wanted = {f"{name}Lexer" for name in _CLASSES.split()}
    known = {
        alias: name for name, (_, _, aliases, _, _) in LEXERS.items() if name in wanted for alias in aliases
    }
    return {**known, **_MORE_ALIASES}


_made: dict[str, Lexer] = {}


def _lexer(class_name: str) -> Lexer:
    if class_name not in _made:
        _made[class_name] = getattr(pygments.lexers, class_name)(stripnl=False, ensurenl=False)
    return _made[class_name]


def _class_of(language: str) -> str:
    return _aliases().get(language.lower(), "")


def language_name(language: str) -> str:
    """What a person calls the language; the word itself when it is not a known one."""
    class_name = _class_of(language)
    return str(LEXERS[class_name][1]) if class_name else language


@cache
def _color_of(token: Any) -> str:
    """The palette's token for one of Pygments'."""
    return next((color for kind, color in _COLORS if token in kind), "")


class Highlighter(QObject):
    """Colours the lines of one document, which holds one line of code in each block."""

    def __init__(self, document: QTextDocument, palette: Palette) -> None:
        super().__init__(document)
        self._document = document
        self._palette = palette
        self._language = ""
        self._text = ""
        self._lines: list[tuple[Range, ...]] = []  # as they are coloured now
        self._safe = (0, 0)  # character and line from which lexing can start afresh
        self._work: Iterator[None] | None = None
        self._timer = QTimer(self, singleShot=True)
        self._timer.timeout.connect(self._slice)

    def show(self, text: str, language: str, *, final: bool) -> None:
        """Colour `text`, which the document already holds. `final`: all of it once more, from the start."""
        if language != self._language or not text.startswith(self._text[: self._safe[0]]):
            self._safe = (0, 0)
        if final:
            self._safe = (0, 0)
        self._language, self._text = language, text
        class_name = _class_of(language)
        if not class_name or len(text) > MAX_CHARS:
            self._work = None
            return
        self._work = self._lex(class_name)
        if class_name in _made:
            self._slice()
        else:  # making a lexer takes up to 0.1 s: what is shown first need not wait for it
            self._timer.start(_FIRST_MS)

    def forget(self) -> None:
        """The document has been emptied."""
        self._lines = []
        self._safe = (0, 0)
        self._text = ""
        self._work = None

    def set_palette(self, palette: Palette) -> None:
        self._palette = palette
        lines, self._lines = self._lines, []
        for number, ranges in enumerate(lines):
            self._color(number, ranges)

    def _slice(self) -> None:
        until = time.perf_counter() + SLICE_SECONDS
        while self._work is not None:
            try:
                next(self._work)
            except StopIteration:
                self._work = None
                return
            if time.perf_counter() > until:
                self._timer.start(0)
                return

    def _lex(self, class_name: str) -> Iterator[None]:
        """Go through the tokens from the safe place on; yields after each."""
        start, line = self._safe
        text = self._text[start:] + "\n"
        ranges: list[Range] = []
        column = 0
        tokens: Any = _lexer(class_name).get_tokens_unprocessed(text)
        for at, token, value in tokens:
            color = _color_of(token)
            # Not in the middle of a string or comment that began on another line.
            if column == 0 and value[:1].strip() and token not in String and token not in Comment:
                self._safe = (start + at, line)
            for index, piece in enumerate(value.split("\n")):
                if index:
                    self._color(line, tuple(ranges))
                    line, column = line + 1, 0
                    ranges = []
                length = len(piece) if piece.isascii() else len(piece.encode("utf-16-le")) // 2
                if color and length:
                    ranges.append((column, length, color))
                column += length
            yield

    def _color(self, number: int, ranges: tuple[Range, ...]) -> None:
        while len(self._lines) <= number:
            self._lines.append(())
        if self._lines[number] == ranges:
            return
        block = self._document.findBlockByNumber(number)
        if not block.isValid():
            return
        self._lines[number] = ranges
        block.layout().setFormats([self._range(*one) for one in ranges])
        self._document.markContentsDirty(block.position(), block.length())

    def _range(self, start: int, length: int, color: str) -> QTextLayout.FormatRange:
        made = QTextLayout.FormatRange()
        made.start, made.length = start, length
        shape = QTextCharFormat()
        shape.setForeground(QColor(getattr(self._palette, color)))
        made.format = shape
        return made
