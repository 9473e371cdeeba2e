"""Several tokens evaluated at once, with the logits after each of them. Belongs to the binding, `llama`."""

from __future__ import annotations

from collections.abc import Sequence

from models.runtime.llama import Context
from models.runtime.llama import library as C


class Rows:
    """A batch for one context. The context must have been made for that many rows of logits."""

    def __init__(self, context: Context, most: int) -> None:
        self._context = context
        self._batch = C.llama_batch_init(most, 0, 1)
        for place in range(most):
            self._batch.n_seq_id[place] = 1
            self._batch.seq_id[place][0] = 0
            self._batch.logits[place] = True

    def decode(self, tokens: Sequence[int], start: int) -> int:
        """Evaluate them at the positions from `start` on; row n of the logits follows token n.

        Returns llama_decode's own status, 0 for done. When it is not, ask the context's `end` what is in the cache.
        """
        batch = self._batch
        for place, token in enumerate(tokens):
            batch.token[place] = token
            batch.pos[place] = start + place
        batch.n_tokens = len(tokens)
        status: int = C.llama_decode(self._context.pointer, batch)
        self._context.continue_at(start + len(tokens))
        return status
