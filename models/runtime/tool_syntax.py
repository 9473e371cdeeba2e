"""Which markers open and close a call in which family, and where a call that has begun comes to its end.

Marked calls are looked for anywhere in an answer. *Bare* ones, which only brackets mark, count at the beginning of an
answer or after another call, and only for tools that were offered: an answer may be JSON itself.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from models.runtime.tool_calls import (
    Offered,
    Read,
    Request,
    read_deepseek,
    read_dsml,
    read_gemma,
    read_hermes,
    read_json,
    read_llama,
    read_mistral,
    read_python,
    read_tool_code,
)
from models.runtime.values import Tool

_LONGEST_HEAD = 300  # characters between a marker and the first bracket: a name, an id
_KEYS = ("name", "function", "type", "id", "parameters", "arguments", "tool_name")


@dataclass(frozen=True, slots=True)
class Syntax:
    """One way to write calls. `end` "": they end where their brackets do. `inner`: markers between the two."""

    starts: tuple[str, ...]
    end: str
    read: Read
    bare: bool = False
    inner: tuple[str, ...] = ()
    reads_end: bool = False  # the last marker is a part of what is read

    @property
    def markers(self) -> tuple[str, ...]:
        """Texts that must be read even if the vocabulary has them as control tokens."""
        return () if self.bare else (*self.starts, *((self.end,) if self.end else ()), *self.inner)


def syntaxes_for(template: str, tools: Sequence[Tool], generic: bool) -> tuple[Syntax, ...]:
    """The syntaxes that a template speaks of. `generic`: it knows no tools, and Alcove's own words describe them."""
    offered = Offered(tools)
    found = [
        syntax
        for texts, make in _FAMILIES
        if any(text in template for text in texts)
        for syntax in make(offered)
    ]
    if generic or not found:
        found += _hermes(offered)
    return tuple({syntax.starts: syntax for syntax in reversed(found)}.values())[::-1]


def _hermes(offered: Offered) -> list[Syntax]:
    return [Syntax(("<tool_call>",), "</tool_call>", read_hermes(offered))]


def _qwen_coder(offered: Offered) -> list[Syntax]:
    """Qwen 3 Coder and 3.5, which leave out the outer marker now and then."""
    read = read_hermes(offered)
    return [
        Syntax(("<function=",), "</function>", lambda text: read(f"<function={text}"), reads_end=True),
        *_hermes(offered),
    ]


def _mistral(_: Offered) -> list[Syntax]:
    return [Syntax(("[TOOL_CALLS]",), "", read_mistral, inner=("[ARGS]", "[CALL_ID]"))]


def _llama3(offered: Offered) -> list[Syntax]:
    return [Syntax(("<|python_tag|>",), "", read_llama), _bare(offered, "{", read_json)]


def _llama4(offered: Offered) -> list[Syntax]:
    def read(text: str) -> list[Request] | None:
        return read_python(text) or read_json(text)

    return [
        Syntax(("<|python_start|>",), "<|python_end|>", read),
        _bare(offered, "[", read),
        _bare(offered, "{", read_json),
    ]


def _deepseek(_: Offered) -> list[Syntax]:
    kinds = ("▁", "_", " ")
    begins, ends, seps = (
        tuple(f"<｜tool{kind}{what}｜>" for kind in kinds for what in (name.replace("_", kind),))
        for name in ("calls_begin", "calls_end", "sep")
    )
    inner = tuple(f"<｜tool▁call▁{what}｜>" for what in ("begin", "end"))
    return [
        Syntax((start,), end, read_deepseek, inner=(*inner, *seps))
        for start, end in zip(begins, ends, strict=True)
    ]


def _dsml(_: Offered) -> list[Syntax]:
    return [
        Syntax((f"<｜DSML｜{name}>",), f"</｜DSML｜{name}>", read_dsml, inner=("｜DSML｜",))
        for name in ("function_calls", "tool_calls")
    ]


def _phi(_: Offered) -> list[Syntax]:
    return [Syntax(("<|tool_call|>",), "<|/tool_call|>", read_json), Syntax(("functools[",), "", read_json)]


def _gemma4(_: Offered) -> list[Syntax]:
    return [Syntax(("<|tool_call>",), "<tool_call|>", read_gemma, inner=('<|"|>',))]


def _gemma3(offered: Offered) -> list[Syntax]:
    return [
        Syntax(("```tool_code",), "```", read_tool_code),
        Syntax(("```json",), "```", _only(offered, read_json), bare=True),
        _bare(offered, "{", read_json),
    ]


def _command_r7b(_: Offered) -> list[Syntax]:
    return [Syntax(("<|START_ACTION|>",), "<|END_ACTION|>", read_json)]


def _command_r(_: Offered) -> list[Syntax]:
    return [Syntax(("Action: ```json", "Action:```json"), "```", read_json)]


_FAMILIES = (
    (("<function=",), _qwen_coder),
    (("<tool_call>",), _hermes),
    (("[TOOL_CALLS]", "[AVAILABLE_TOOLS]"), _mistral),
    (("<|python_tag|>", "<|start_header_id|>"), _llama3),
    (("<|python_start|>", "<|header_start|>"), _llama4),
    (("tool▁calls▁begin", "tool_calls_begin"), _deepseek),
    (("DSML",), _dsml),
    (("<|tool|>", "<|tool_call|>", "functools"), _phi),
    (("<|tool_call>",), _gemma4),
    (("<start_of_turn>",), _gemma3),
    (("<|START_ACTION|>",), _command_r7b),
    (("Action: ```json", "Action:```json"), _command_r),
)
"""By texts of a template; `<function=` first, so that its outer marker comes with it."""


def _bare(offered: Offered, bracket: str, read: Read) -> Syntax:
    return Syntax((bracket,), "", _only(offered, read), bare=True)


def _only(offered: Offered, read: Read) -> Read:
    """Calls of tools that were offered; anything else in brackets is an answer."""

    def reading(text: str) -> list[Request] | None:
        calls = read(text)
        return calls if calls and all(call.name in offered.names for call in calls) else None

    return reading


# ---- where a call ends

NO_CALL = -1


class Block:
    """A call that has begun. It is shown its text again and again as that grows, and looks at what is new only."""

    def __init__(self, syntax: Syntax, start: str) -> None:
        self._syntax = syntax
        self._start = len(start) - (start[-1] in "{[(")  # the first bracket belongs to what is read
        self._at = self._start
        self._scan: _Brackets | None = None
        self._quoted: bool | None = None

    def end(self, text: str) -> int | None:
        """Where it ends, its last marker included. None: not yet. NO_CALL: this can't become one."""
        return self._end_marker(text) if self._syntax.end else self._end_bracket(text)

    def content(self, text: str, end: int) -> str:
        """What is between the markers."""
        inside = text[self._start : end]
        return inside if self._syntax.reads_end else inside.removesuffix(self._syntax.end)

    def _end_marker(self, text: str) -> int | None:
        """The marker, but not one in a string of JSON: arguments may speak of it."""
        marker = self._syntax.end
        if self._quoted is None:
            content = text[self._start :].lstrip()
            if not content:
                return None
            self._quoted = content[0] in "{["
        if self._quoted:
            self._scan = self._scan or _Brackets(self._start, '"', marker)
            return self._scan.end(text)
        found = text.find(marker, self._at)
        self._at = max(self._at, len(text) - len(marker) + 1)
        return None if found < 0 else found + len(marker)

    def _end_bracket(self, text: str) -> int | None:
        if self._scan is None:
            begin = self._begin(text)
            if begin is None or begin == NO_CALL:
                return begin
            likely = _may_be_bare(text[begin:]) if self._syntax.bare else True
            if likely is None:
                return None
            if not likely:
                return NO_CALL
            self._scan = _Brackets(begin, "\"'" if _is_python(text[begin:]) else '"')
        return self._scan.end(text)

    def _begin(self, text: str) -> int | None:
        """Where the first bracket is that belongs to the call itself, and to none of the markers between."""
        if self._syntax.bare:
            return 0
        at = self._start
        while (found := _FIRST_BRACKET.search(text, at, self._start + _LONGEST_HEAD)) is not None:
            rest = text[found.start() :]
            if any(rest.startswith(marker) for marker in self._syntax.inner):
                at = found.end()
            elif any(marker.startswith(rest) for marker in self._syntax.inner):
                return None
            else:
                return found.start()
        return NO_CALL if len(text) >= self._start + _LONGEST_HEAD else None


_FIRST_BRACKET = re.compile(r"[{\[(]")
_NAME_AND_MORE = re.compile(r"\[\s*([A-Za-z_][\w.]*)?(.?)", re.DOTALL)


def _is_python(text: str) -> bool:
    return text[0] == "(" or bool(re.match(r"\[\s*[A-Za-z_]", text))


def _may_be_bare(text: str) -> bool | None:
    """Whether brackets at the beginning of an answer begin like a call. None: too little to tell."""
    if text[0] == "{":
        return _first_key_fits(text[1:])
    inside = text[1:].lstrip()
    if not inside:
        return None
    if inside[0] == "{":
        return _first_key_fits(inside[1:])
    found = _NAME_AND_MORE.match(text)
    if found is None or not found[1]:
        return False
    return None if not found[2] else found[2] == "("


def _first_key_fits(text: str) -> bool | None:
    text = text.lstrip()
    if not text:
        return None
    if text[0] != '"':
        return False
    key, closed, _ = text[1:].partition('"')
    if closed:
        return key in _KEYS
    return None if any(known.startswith(key) for known in _KEYS) else False


class _Brackets:
    """Finds where brackets close again, or where a marker comes, outside of strings. Looks at each place once."""

    def __init__(self, begin: int, quotes: str, marker: str = "") -> None:
        self._at = begin
        self._depth = 0
        self._quote = ""
        self._marker = marker
        outside = re.escape(marker) if marker else r"[{\[(}\])]"
        self._outside = re.compile(f"[{quotes}]|{outside}")
        self._inside = {quote: re.compile(rf"\\|{quote}") for quote in quotes}

    def end(self, text: str) -> int | None:
        while True:
            found = (self._inside[self._quote] if self._quote else self._outside).search(text, self._at)
            if found is None:
                unseen = len(text) - (max(0, len(self._marker) - 1) if not self._quote else 0)
                self._at = max(self._at, unseen)
                return None
            self._at = found.end()
            what = found[0]
            if what == "\\":
                self._at += 1
            elif self._quote:
                self._quote = ""
            elif what in self._inside:
                self._quote = what
            elif what == self._marker:
                return found.end()
            else:
                self._depth += 1 if what in "{[(" else -1
                if self._depth <= 0:
                    return found.end()
