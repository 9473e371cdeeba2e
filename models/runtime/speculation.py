"""Guessing ahead: some tokens are guessed, and the model looks at all of them at once instead of one after another.

The text is the one it would be without. The model chooses each token as ever, with the same sampler after the same
tokens, and a guess counts only if it is what the model chose. So a wrong guess costs time and nothing else; only the
rounding of a batch differs from that of single tokens. (Leviathan et al. 2023; for a guess that is one token,
choosing and comparing has the same distribution as their rejection.)
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile
from typing import Protocol

from models.runtime.llama import Context, Decoded, Model
from models.runtime.llama_sampling import Sampler
from models.runtime.states import shared_length
from models.runtime.values import Sampling

MOST_GUESSED = 8
ROWS = MOST_GUESSED + 1
"""Of how many tokens the logits are needed at once: the guesses and the token before them."""

_FIRST_GUESSED = 4

_LONGEST_MATCH, _SHORTEST_MATCH = 3, 2


class Drafter(Protocol):
    """Where guesses come from."""

    def begin(self, tokens: Sequence[int]) -> None:
        """An answer begins after these tokens."""

    def guess(self, tokens: Sequence[int], most: int) -> list[int]:
        """At most so many tokens that may follow. `tokens`: as at the last call with more at their end."""


class PromptLookup:
    """Guesses that what followed the last tokens before will follow them again. Costs next to nothing."""

    def __init__(self) -> None:
        self._places: dict[tuple[int, ...], int] = {}
        self._known = 0

    def begin(self, tokens: Sequence[int]) -> None:
        self._places.clear()
        self._known = 0

    def guess(self, tokens: Sequence[int], most: int) -> list[int]:
        # Only what something followed is learned, so the last tokens do not find themselves.
        self._learn(tokens)
        for size in range(_LONGEST_MATCH, _SHORTEST_MATCH - 1, -1):
            found = self._places.get(tuple(tokens[-size:]))
            if found is not None:
                return list(takewhile(_is_word, tokens[found : found + most]))
        return []

    def _learn(self, tokens: Sequence[int]) -> None:
        """Remember what followed each group of tokens, the newest place of each."""
        for end in range(max(self._known, _SHORTEST_MATCH), len(tokens)):
            for size in range(_SHORTEST_MATCH, _LONGEST_MATCH + 1):
                if end >= size:
                    self._places[tuple(tokens[end - size : end])] = end
        self._known = max(self._known, len(tokens))


class DraftModel:
    """A small model with the same vocabulary guesses what the large one will say."""

    def __init__(self, model: Model, context: Context, vocabulary_size: int) -> None:
        """`vocabulary_size`: of the large model; a token beyond it is no guess."""
        self._model = model
        self._context = context
        self._size = vocabulary_size
        self._tokens: list[int] = []
        self._all_words = True
        self._sampler = Sampler(context, model.vocabulary, Sampling(temperature=0.0), 0)

    def begin(self, tokens: Sequence[int]) -> None:
        self._all_words = all(map(_is_word, tokens))  # it has no eyes, so with images it does not guess
        self._keep(shared_length(self._tokens, tokens) if self._all_words else 0)

    def guess(self, tokens: Sequence[int], most: int) -> list[int]:
        if not self._all_words:
            return []
        # What differs from the last call is at the end: guesses that were wrong.
        shared = min(len(self._tokens), len(tokens) - 1)
        while shared and self._tokens[shared - 1] != tokens[shared - 1]:
            shared -= 1
        self._keep(shared)
        if not self._read(tokens[len(self._tokens) :]):
            return []
        guessed: list[int] = []
        while len(guessed) < most and len(self._tokens) < self._context.tokens:
            token = self._sampler.sample()
            if token >= self._size or self._model.vocabulary.ends_answer(token):
                break
            guessed.append(token)
            if len(guessed) == most or not self._read([token]):
                break
        return guessed

    def _read(self, tokens: Sequence[int]) -> bool:
        size = self._context.batch_tokens
        for start in range(0, len(tokens), size):
            batch = tokens[start : start + size]
            if self._context.decode(batch) is not Decoded.DONE:
                self._keep(0)
                return False
            self._tokens += batch
        return True

    def _keep(self, count: int) -> None:
        if count < len(self._tokens):
            if not count or not self._context.cut(count):
                self._context.clear()
                count = 0
            del self._tokens[count:]


def _is_word(token: int) -> bool:
    """A token of the vocabulary, and no part of an image."""
    return token >= 0


class Pace:
    """How many tokens to guess: fewer after wrong guesses, more after right ones."""

    def __init__(self) -> None:
        self.guess = _FIRST_GUESSED
        self.guessed = 0
        self.accepted = 0

    def learn(self, guessed: int, accepted: int) -> None:
        self.guessed += guessed
        self.accepted += accepted
        if guessed and accepted == guessed:
            self.guess = min(MOST_GUESSED, self.guess + 2)
        elif guessed and not accepted:
            self.guess = max(1, self.guess // 2)
