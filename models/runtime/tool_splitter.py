"""Tells a model's calls for tools from its words, while they come.

As with reasoning (`models.runtime.formats`): what comes out, joined, does not depend on where the text was cut. A call
is held back until it is whole. What turns out to be none, or grows beyond `LONGEST_CALL`, is text again, every
character of it; only white space around calls is dropped.
"""

from __future__ import annotations

import secrets
import string
from collections.abc import Callable, Sequence
from typing import Protocol

from models.runtime.tool_calls import Request, attempt
from models.runtime.tool_syntax import NO_CALL, Block, Syntax
from models.runtime.values import CalledTool

LONGEST_CALL = 1 << 18
"""Characters of one call, with its markers: what is held in memory at most."""

Span = tuple[str, bool]
Said = Span | CalledTool

_BETWEEN = string.whitespace + ";,"  # what stands between two calls
LETTERS = string.ascii_letters + string.digits
ID_LENGTH = 9  # Mistral's templates take ids of exactly nine letters and digits, the others any


def new_id() -> str:
    """An id for a call, as every family takes it."""
    return "".join(secrets.choice(LETTERS) for _ in range(ID_LENGTH))


class Words(Protocol):
    """What splits reasoning from the answer: `models.runtime.formats.Splitter`."""

    stopped: bool

    def feed(self, text: str) -> list[Span]: ...

    def finish(self) -> list[Span]: ...


class ToolSplitter:
    """Behind a splitter for reasoning: finds the calls in what is no reasoning."""

    def __init__(self, words: Words, syntaxes: Sequence[Syntax], make_id: Callable[[], str] = new_id) -> None:
        self._words = words
        self._starts = {start: syntax for syntax in syntaxes for start in syntax.starts}
        self._marked = [start for start, syntax in self._starts.items() if not syntax.bare]
        self._make_id = make_id
        self._held = ""
        self._block: tuple[Block, Syntax, str] | None = None
        self._leading = True  # nothing but white space so far, or since a call
        self._after_call = False
        self._before = ""  # what is said if the call that has begun turns out to be none
        self._out: list[Said] = []

    @property
    def stopped(self) -> bool:
        return self._words.stopped

    def feed(self, text: str) -> list[Said]:
        """What is certain after this piece."""
        return self._take(self._words.feed(text))

    def finish(self) -> list[Said]:
        """What was held back. A call without its last marker counts if it is whole otherwise."""
        self._take_spans(self._words.finish())
        self._run(ended=True)
        return self._given()

    def _take(self, spans: list[Span]) -> list[Said]:
        self._take_spans(spans)
        return self._given()

    def _take_spans(self, spans: list[Span]) -> None:
        for text, reasoning in spans:
            if reasoning:
                self._run(ended=True)
                self._out.append((text, True))
            else:
                self._held += text
                self._run(ended=False)

    def _given(self) -> list[Said]:
        out, self._out = self._out, []
        return out

    def _say(self, text: str) -> None:
        if text:
            self._out.append((text, False))

    def _run(self, ended: bool) -> None:
        while self._held and self._step(ended):
            pass

    def _step(self, ended: bool) -> bool:
        """Take what is certain from the held text. True when there may be more to take."""
        if self._block is not None:
            return self._in_block(ended)
        if self._leading:
            return self._at_beginning(ended)
        return self._in_text(ended)

    def _at_beginning(self, ended: bool) -> bool:
        """Before the first word, or after a call: here a bare call may begin, too."""
        rest = self._held.lstrip(_BETWEEN if self._after_call else string.whitespace)
        between = self._held[: len(self._held) - len(rest)]
        start = max((start for start in self._starts if rest.startswith(start)), key=len, default="")
        longer = [known for known in self._starts if len(known) > len(rest) and known.startswith(rest)]
        if not ended and longer:  # "" begins every marker
            return False
        if self._after_call:
            between = between.lstrip()
        if start:
            self._held, self._before = rest, between
            self._open(start)
            return True
        self._leading = False
        self._held = between + rest
        return bool(self._held)

    def _open(self, start: str) -> None:
        syntax = self._starts[start]
        self._block = (Block(syntax, start), syntax, start)

    def _in_text(self, ended: bool) -> bool:
        places = [
            (self._held.find(start), -len(start), start) for start in self._marked if start in self._held
        ]
        keep = 0 if ended else max((_possible(self._held, start) for start in self._marked), default=0)
        if not places:
            self._say(self._held[: len(self._held) - keep])
            self._held = self._held[len(self._held) - keep :]
            return False
        place, _, start = min(places)
        self._say(self._held[:place])
        self._held = self._held[place:]
        self._open(start)
        return True

    def _in_block(self, ended: bool) -> bool:
        assert self._block is not None
        block, syntax, start = self._block
        text = self._held[:LONGEST_CALL]
        end = block.end(text)
        too_long = end is None and len(self._held) >= LONGEST_CALL
        if end is None and not (ended or too_long):
            return False
        self._block, self._leading = None, False
        before, self._before = self._before, ""
        if end == NO_CALL:
            self._say_first(before, len(start))
            return True
        end = end or len(text)
        read = None if too_long else attempt(syntax.read, block.content(text, end))
        if read is None:
            self._say_first(before, end)
            return True
        self._held = self._held[end:]
        self._out += [self._called(request) for request in read]
        self._leading = self._after_call = True
        return True

    def _say_first(self, before: str, count: int) -> None:
        self._say(before + self._held[:count])
        self._held = self._held[count:]

    def _called(self, request: Request) -> CalledTool:
        own = request.id if len(request.id) == ID_LENGTH and request.id.isalnum() else ""
        return CalledTool(own or self._make_id(), request.name, request.arguments)


def _possible(text: str, marker: str) -> int:
    """How long the longest end of `text` is with which `marker` may begin."""
    for size in range(min(len(text), len(marker) - 1), 0, -1):
        if marker.startswith(text[-size:]):
            return size
    return 0
