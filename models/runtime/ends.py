"""What ends an answer where the vocabulary does not say it: the template's own end of a turn, then a table.

llama.cpp knows the end tokens that a file's metadata names, and a list of its own (llama-vocab.cpp). Files that were
converted carelessly name the wrong one, and such a model talks on for the person, too.
"""

from __future__ import annotations

from typing import Protocol

from models.gguf import Header
from models.library.knowledge import stop_tokens
from models.runtime.formats import Format

_SAID = ("tokenizer.ggml.eot_token_id", "tokenizer.ggml.eom_token_id")
"""Metadata by which a file says itself what ends a turn."""


class Endings(Protocol):
    """What is needed of a vocabulary."""

    def tokenize(self, text: str, special: bool) -> list[int]: ...

    def ends_answer(self, token: int) -> bool: ...

    def is_control(self, token: int) -> bool: ...

    def text(self, token: int) -> str: ...


def end_tokens(form: Format, end: str, template: str, vocabulary: Endings, header: Header) -> tuple[str, ...]:
    """The texts of further tokens that end an answer. `end`: what the template writes after an answer.

    Not for answers in channels, where the end of a message is not the end of the answer.
    """
    if form.thinking is None:
        return ()
    found: list[str] = []
    first = vocabulary.tokenize(end, True)[:1] if end else []
    if first and vocabulary.is_control(first[0]):
        found.append(vocabulary.text(first[0]))
    if not any(key in header.metadata for key in _SAID):
        found += stop_tokens(template)
    return tuple(text for text in dict.fromkeys(found) if _is_new(text, vocabulary))


def _is_new(text: str, vocabulary: Endings) -> bool:
    """Whether the vocabulary has it, as one token, and does not know yet that it ends an answer."""
    tokens = vocabulary.tokenize(text, True)
    return len(tokens) == 1 and vocabulary.text(tokens[0]) == text and not vocabulary.ends_answer(tokens[0])
