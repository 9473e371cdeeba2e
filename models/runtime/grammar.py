"""Grammars in GBNF, read and checked here before llama.cpp gets them.

llama.cpp's own reader ends the process on deep nesting and on recursion through rules that may be empty, so what it
would not survive is refused first. Source of the notation: grammars/README.md of llama.cpp, without its tokens.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from models.runtime.faults import Fault, RuntimeFault

MOST_REPEATS = 1_000
"""The highest number in braces, {0,1000}. llama.cpp makes a rule of each."""

ROOT = "root"
_MOST_BYTES = 1 << 18
_MOST_RULES = 2_048
_DEEPEST = 32  # parentheses inside parentheses

_SIGNS: dict[str, tuple[int, int | None]] = {"*": (0, None), "+": (1, None), "?": (0, 1)}
_SPACE = re.compile(r"(?:[ \t]|#[^\r\n]*)*")
_SPACE_AND_LINES = re.compile(r"(?:[ \t\r\n]|#[^\r\n]*)*")
_NAME = re.compile(r"[A-Za-z0-9-]+")
_LINE_END = re.compile(r"\r\n|\n|\r|\Z")
_BRACES = re.compile(r"\{\s*(\d{1,9})\s*(?:(,)\s*(\d{1,9})?\s*)?\}")
_CHARACTER = re.compile(r'\\(?:x[0-9A-Fa-f]{2}|u[0-9A-Fa-f]{4}|U00[01][0-9A-Fa-f]{5}|[nrt"\\\[\]])|[^\\\r\n]')


@dataclass(frozen=True, slots=True)
class _Text:
    """Characters that must come, or one of a set of them."""

    empty: bool


@dataclass(frozen=True, slots=True)
class _Name:
    rule: str


@dataclass(frozen=True, slots=True)
class _Repeated:
    part: _Part
    least: int
    most: int | None


@dataclass(frozen=True, slots=True)
class _Choice:
    """Any of some sequences."""

    ways: tuple[tuple[_Part, ...], ...]


_Part = _Text | _Name | _Repeated | _Choice


def check_grammar(text: str) -> None:
    """Return if llama.cpp can use this grammar. Raises `RuntimeFault` GRAMMAR_BROKEN.

    Facts: `what` (syntax, root, undefined, recursion, empty, large), and `line` or `rule` where there is one.
    """
    if len(text.encode("utf-8", "surrogatepass")) > _MOST_BYTES:
        raise _broken("large")
    rules = _Reader(text).rules()
    if ROOT not in rules:
        raise _broken("root")
    for way in rules.values():
        for part in _parts(way):
            if isinstance(part, _Name) and part.rule not in rules:
                raise _broken("undefined", rule=part.rule)
    nullable = _nullable(rules)
    for name, way in rules.items():
        if any(_repeats_nothing(part, nullable) for part in _parts(way)):
            raise _broken("empty", rule=name)
    _refuse_left_recursion(rules, nullable)


def _broken(what: str, **facts: int | str) -> RuntimeFault:
    found = ", ".join(f"{name} {value}" for name, value in facts.items())
    return RuntimeFault(Fault.GRAMMAR_BROKEN, f"{what}: {found}" if found else what, {"what": what, **facts})


class _Reader:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def rules(self) -> dict[str, _Choice]:
        rules: dict[str, _Choice] = {}
        self._skip(_SPACE_AND_LINES)
        while self._at < len(self._text):
            name = self._take(_NAME)
            self._skip(_SPACE)
            self._expect("::=")
            self._skip(_SPACE_AND_LINES)
            rules[name] = self._choice(0)
            self._take(_LINE_END)
            self._skip(_SPACE_AND_LINES)
            if len(rules) > _MOST_RULES:
                raise _broken("large")
        return rules

    def _choice(self, depth: int) -> _Choice:
        if depth > _DEEPEST:
            raise _broken("large", line=self._line)
        ways = [self._sequence(depth)]
        while self._text.startswith("|", self._at):
            self._at += 1
            self._skip(_SPACE_AND_LINES)
            ways.append(self._sequence(depth))
        return _Choice(tuple(ways))

    def _sequence(self, depth: int) -> tuple[_Part, ...]:
        parts: list[_Part] = []
        blank = _SPACE_AND_LINES if depth else _SPACE
        while self._at < len(self._text) and self._text[self._at] not in "|)\r\n":
            part = self._one(depth)
            self._skip(blank)
            parts.append(self._repeated(part))
            self._skip(blank)
        return tuple(parts)

    def _one(self, depth: int) -> _Part:
        match self._text[self._at]:
            case '"':
                self._at += 1
                start = self._at
                while not self._text.startswith('"', self._at):
                    self._take(_CHARACTER)
                self._at += 1
                return _Text(empty=self._at - start == 1)
            case "[":
                return self._set()
            case ".":
                self._at += 1
                return _Text(empty=False)
            case "(":
                self._at += 1
                self._skip(_SPACE_AND_LINES)
                inside = self._choice(depth + 1)
                self._expect(")")
                return inside
        name = self._take(_NAME)
        after = _SPACE.match(self._text, self._at)
        if after is not None and self._text.startswith("::=", after.end()):
            raise self._wrong()  # the rule before has no end
        return _Name(name)

    def _set(self) -> _Text:
        self._at += 2 if self._text.startswith("[^", self._at) else 1
        some = False
        while not self._text.startswith("]", self._at):
            first = self._take(_CHARACTER)
            some = True
            if self._text.startswith("-", self._at) and not self._text.startswith("-]", self._at):
                self._at += 1
                if _code(self._take(_CHARACTER)) < _code(first):
                    raise self._wrong()
        if not some:
            raise self._wrong()
        self._at += 1
        return _Text(empty=False)

    def _repeated(self, part: _Part) -> _Part:
        sign = self._text[self._at : self._at + 1]
        if sign in _SIGNS:
            self._at += 1
            repeated = _Repeated(part, *_SIGNS[sign])
        elif sign == "{":
            least_text, comma, most_text = self._match(_BRACES).groups()
            least = int(least_text)
            most = (int(most_text) if most_text else None) if comma else least
            if max(least, most or 0) > MOST_REPEATS:
                raise _broken("large", line=self._line)
            if most is not None and (most < least or most == 0):
                raise self._wrong()
            repeated = _Repeated(part, least, most)
        else:
            return part
        self._skip(_SPACE)
        if self._text.startswith(("*", "+", "?", "{"), self._at):
            raise self._wrong()  # llama.cpp reads it, but not as a repeated repetition
        return repeated

    # ---- characters

    @property
    def _line(self) -> int:
        return self._text.count("\n", 0, self._at) + 1

    def _wrong(self) -> RuntimeFault:
        return _broken("syntax", line=self._line)

    def _match(self, pattern: re.Pattern[str]) -> re.Match[str]:
        found = pattern.match(self._text, self._at)
        if found is None:
            raise self._wrong()
        self._at = found.end()
        return found

    def _take(self, pattern: re.Pattern[str]) -> str:
        found = self._match(pattern)[0]
        if found == "\0" or "\ud800" <= found <= "\udfff":  # the end of a text to C, or no character
            raise self._wrong()
        return found

    def _skip(self, pattern: re.Pattern[str]) -> None:
        self._match(pattern)

    def _expect(self, text: str) -> None:
        if not self._text.startswith(text, self._at):
            raise self._wrong()
        self._at += len(text)


def _code(character: str) -> int:
    """The code point of a character as it is written in a grammar."""
    if len(character) == 1:
        return ord(character)
    named = {"n": "\n", "r": "\r", "t": "\t"}
    if character[1] in "xuU":
        return int(character[2:], 16)
    return ord(named.get(character[1], character[1]))


# ---- what rules can do


def _parts(part: _Part) -> Iterator[_Part]:
    """The part and everything in it."""
    yield part
    if isinstance(part, _Repeated):
        yield from _parts(part.part)
    elif isinstance(part, _Choice):
        for way in part.ways:
            for inner in way:
                yield from _parts(inner)


def _nullable(rules: dict[str, _Choice]) -> set[str]:
    """The rules that allow an empty text."""
    found: set[str] = set()
    while more := {name for name, way in rules.items() if name not in found and _may_be_empty(way, found)}:
        found |= more
    return found


def _may_be_empty(part: _Part, nullable: set[str]) -> bool:
    match part:
        case _Text(empty):
            return empty
        case _Name(rule):
            return rule in nullable
        case _Repeated(inner, least, _):
            return least == 0 or _may_be_empty(inner, nullable)
        case _Choice(ways):
            return any(all(_may_be_empty(inner, nullable) for inner in way) for way in ways)


def _repeats_nothing(part: _Part, nullable: set[str]) -> bool:
    """Whether it repeats what may be empty, for which llama.cpp would look for ever."""
    return isinstance(part, _Repeated) and part.most != 1 and _may_be_empty(part.part, nullable)


def _begins_with(part: _Part, nullable: set[str]) -> Iterator[str]:
    """The rules that may come first in it."""
    match part:
        case _Text():
            return
        case _Name(rule):
            yield rule
        case _Repeated(inner):
            yield from _begins_with(inner, nullable)
        case _Choice(ways):
            for way in ways:
                for inner in way:
                    yield from _begins_with(inner, nullable)
                    if not _may_be_empty(inner, nullable):
                        break


def _refuse_left_recursion(rules: dict[str, _Choice], nullable: set[str]) -> None:
    """A rule that begins with itself never gets to a character."""
    first = {name: set(_begins_with(way, nullable)) for name, way in rules.items()}
    done: set[str] = set()
    for start in rules:
        path: list[tuple[str, Iterable[str]]] = [(start, iter(first[start] - done))]
        on_path = {start}
        while path:
            name, following = path[-1]
            follower = next(iter(following), None)
            if follower is None:
                path.pop()
                on_path.discard(name)
                done.add(name)
            elif follower in on_path:
                raise _broken("recursion", rule=follower)
            elif follower not in done:
                path.append((follower, iter(first[follower])))
                on_path.add(follower)
