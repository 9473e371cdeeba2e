"""Words that a person wants to read more or less often, as tokens."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from models.runtime.faults import Fault, RuntimeFault
from models.runtime.values import Bias

NEVER = -100.0
"""From here down a word does not come at all."""


class Tokenizer(Protocol):
    """What is needed of a vocabulary."""

    def tokenize(self, text: str, special: bool) -> list[int]: ...


def biased_tokens(tokenizer: Tokenizer, biases: Iterable[Bias]) -> dict[int, float]:
    """What to add to the logit of each token: a word as it stands at a beginning, and after a space.

    Raises `RuntimeFault` WORD_OF_SEVERAL_TOKENS (fact `word`): the tokens of such a word are parts of others, too.
    """
    found: dict[int, float] = {}
    for bias in biases:
        spelled = [tokenizer.tokenize(text, False) for text in (bias.text, f" {bias.text}")]
        alone = [tokens[0] for tokens in spelled if len(tokens) == 1]
        if not alone:
            raise RuntimeFault(Fault.WORD_OF_SEVERAL_TOKENS, facts={"word": bias.text[:60]})
        amount = float("-inf") if bias.amount <= NEVER else bias.amount
        found.update(dict.fromkeys(alone, amount))
    return found
