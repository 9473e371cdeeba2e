"""How the next token is chosen: llama.cpp's samplers. Belongs to the binding, `llama`."""

from __future__ import annotations

from typing import Any

from models.runtime.bias import biased_tokens
from models.runtime.llama import Context, Vocabulary
from models.runtime.llama import library as C
from models.runtime.values import Sampling

_PENALTY_WINDOW = 64


class Sampler:
    """Chooses the next token. Holds what it needs of the answer so far; made new for each answer."""

    def __init__(self, context: Context, vocabulary: Vocabulary, sampling: Sampling, seed: int) -> None:
        self._context = context.pointer
        parts = _sampler_parts(vocabulary, sampling, seed)
        self._chain = C.llama_sampler_chain_init(C.llama_sampler_chain_default_params())
        for part in parts:
            C.llama_sampler_chain_add(self._chain, part)

    def sample(self, row: int = -1) -> int:
        """The next token after a row of logits, by default the newest."""
        token: int = C.llama_sampler_sample(self._chain, self._context, row)
        return token

    def close(self) -> None:
        C.llama_sampler_free(self._chain)  # and its parts


def _sampler_parts(vocabulary: Vocabulary, sampling: Sampling, seed: int) -> list[Any]:
    """The parts in llama.cpp's own order. The repetition penalty looks at the answer only: the prompt's last
    tokens are the template's, and to penalise those would keep the model from ending its turn.
    """
    parts = []
    biased = biased_tokens(vocabulary, sampling.bias)
    biased.update(dict.fromkeys(vocabulary.suppressed(), float("-inf")))
    if biased:
        biases = (C.llama_logit_bias * len(biased))(
            *(C.llama_logit_bias(token, amount) for token, amount in biased.items())
        )
        parts.append(C.llama_sampler_init_logit_bias(vocabulary.size, len(biased), biases))
    if sampling.repeat_penalty != 1.0:
        penalty = max(sampling.repeat_penalty, 0.01)  # llama.cpp aborts at 0
        parts.append(C.llama_sampler_init_penalties(vocabulary.size, _PENALTY_WINDOW, penalty, 0.0, 0.0))
    if sampling.temperature <= 0:
        return [*parts, C.llama_sampler_init_greedy()]
    return [
        *parts,
        C.llama_sampler_init_top_k(sampling.top_k),
        C.llama_sampler_init_top_p(sampling.top_p, 1),
        C.llama_sampler_init_min_p(sampling.min_p, 1),
        C.llama_sampler_init_temp(sampling.temperature),
        C.llama_sampler_init_dist(seed),
    ]
