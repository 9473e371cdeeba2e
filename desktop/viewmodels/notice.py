"""Something a person should know now, shown in a bar that never stands in the way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from desktop.words.sentence import Sentence


@dataclass(frozen=True, slots=True)
class Notice:
    """`detail` is one click away and can be copied; `action` is the next step, as a button."""

    text: str
    detail: str = ""
    action_text: str = ""
    action: Callable[[], None] | None = None
    good: bool = False  # good news, and no warning

    @classmethod
    def of(cls, sentence: Sentence) -> Notice:
        return cls(sentence.text, sentence.detail)
