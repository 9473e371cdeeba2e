"""What may come before an answer that keeps to a grammar: a model's thinking, which no grammar is meant for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from models.runtime.formats import Format, Part, Splitter

_BLANKS = 2
"""Tokens of white space that may come between the thinking and the answer; a model could write them for ever."""


class Tokens(Protocol):
    """What is needed of a vocabulary."""

    def tokenize(self, text: str, special: bool) -> list[int]: ...

    def is_control(self, token: int) -> bool: ...


class Lead:
    """Tells tokens of the thinking from those of the answer, for one answer."""

    def __init__(
        self, form: Format, splitter: Splitter, vocabulary: Tokens, pieces: Mapping[int, bytes | None]
    ) -> None:
        """`splitter`: the one that the answer's text is fed to, token by token. `pieces`: the text of a token."""
        start = vocabulary.tokenize(form.thinking.start, True) if form.thinking is not None else []
        # A marker that is words to this vocabulary can't be told from an answer by its first token.
        self._start = start if len(start) == 1 or (start and vocabulary.is_control(start[0])) else []
        self._splitter = splitter
        self._pieces = pieces
        self._forced: list[int] = []
        self._blanks = 0

    def __call__(self, token: int) -> int | None:
        """The token that comes before the answer begins, if it has not begun; `token` is what the model chose."""
        if self._forced:
            return self._forced.pop(0)
        match self._splitter.part:
            case Part.UNDECIDED:
                if self._start and token == self._start[0]:
                    self._forced = self._start[1:]
                    return token
            case Part.THINKING:
                return token
            case Part.BLANK:
                if self._blanks < _BLANKS and (self._pieces[token] or b"x").isspace():
                    self._blanks += 1
                    return token
            case Part.ANSWER:
                pass
        return None
