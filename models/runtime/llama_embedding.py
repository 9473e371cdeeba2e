"""Vectors from llama.cpp: contexts that pool what a model makes of a text. Belongs to the binding, `llama`."""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from typing import Any

from models.runtime.llama import LoadRefused, Model, Vocabulary
from models.runtime.llama import library as C

MOST_TEXTS = 32
"""Texts computed at once."""

_LEAST_ROOM = 256
"""llama.cpp ends the process when there is room for fewer tokens than texts, and rounds up to this in any case."""


class Pooling(IntEnum):
    """enum llama_pooling_type: how the vectors of a text's tokens become one."""

    NONE = 0
    MEAN = 1
    CLS = 2  # the first token's
    LAST = 3
    RANK = 4  # no vector but a score


def tokens_of(vocabulary: Vocabulary, text: str, longest: int) -> tuple[list[int], bool]:
    """The tokens of a text with those that begin and end one, and whether it was cut to `longest`.

    What was written stays text, whatever it looks like. A text that is cut keeps the token that ends it.
    """
    data = text.encode("utf-8", "replace")
    room = len(data) + 16
    tokens = (C.llama_token * room)()
    count = C.llama_tokenize(vocabulary._pointer, data, len(data), tokens, room, True, False)
    if count < 0:
        room = -count
        tokens = (C.llama_token * room)()
        count = C.llama_tokenize(vocabulary._pointer, data, len(data), tokens, room, True, False)
    found = list(tokens[:count]) or [max(vocabulary.bos, vocabulary.eos, 0)]
    if len(found) <= longest:
        return found, False
    last = found[-1]
    ends = vocabulary.is_control(last) or vocabulary.ends_answer(last)
    return [*found[: longest - 1], last] if ends else found[:longest], True


class EmbeddingContext:
    """Computes vectors. Must be closed before its model."""

    def __init__(self, model: Model, tokens: int, pooling: Pooling, threads: int) -> None:
        """`tokens`: of one text at most. Raises `LoadRefused`."""
        self.tokens = tokens
        self.room = max(tokens, _LEAST_ROOM)
        """Tokens of all texts that are computed at once."""
        parameters = C.llama_context_default_params()
        # All tokens of a text have to be computed in one go, or there is nothing to pool.
        parameters.n_ctx = parameters.n_batch = parameters.n_ubatch = self.room
        parameters.n_seq_max = MOST_TEXTS
        parameters.kv_unified = True  # the texts share the room, instead of having a part of it each
        parameters.n_threads = parameters.n_threads_batch = threads
        parameters.embeddings = True
        # With it, the fourth digit of a text's numbers depends on the texts beside it.
        parameters.flash_attn_type = C.LLAMA_FLASH_ATTN_TYPE_DISABLED
        parameters.pooling_type = pooling
        self._pointer = C.llama_init_from_model(model._pointer, parameters)
        if not self._pointer:
            raise LoadRefused
        self.width = int(C.llama_model_n_embd_out(model._pointer))

    def embed(self, texts: Sequence[Sequence[int]]) -> list[list[float]] | None:
        """The pooled vectors of texts with at most `room` tokens together; None when llama.cpp can't compute them."""
        memory = C.llama_get_memory(self._pointer)
        if memory:  # encoders keep nothing
            C.llama_memory_clear(memory, False)
        batch = C.llama_batch_init(sum(map(len, texts)), 0, 1)
        try:
            _fill(batch, texts)
            if C.llama_decode(self._pointer, batch):
                return None
        finally:
            C.llama_batch_free(batch)
        found = [C.llama_get_embeddings_seq(self._pointer, number) for number in range(len(texts))]
        return [list(vector[: self.width]) for vector in found] if all(found) else None

    def close(self) -> None:
        C.llama_free(self._pointer)


def _fill(batch: Any, texts: Sequence[Sequence[int]]) -> None:
    place = 0
    for number, tokens in enumerate(texts):
        for position, token in enumerate(tokens):
            batch.token[place] = token
            batch.pos[place] = position
            batch.n_seq_id[place] = 1
            batch.seq_id[place][0] = number
            batch.logits[place] = True
            place += 1
    batch.n_tokens = place
