"""Answers that keep to a grammar: the samplers of llama.cpp for that. Belongs to the binding, `llama`."""

from __future__ import annotations

import codecs
import ctypes
from array import array
from collections.abc import Callable, Mapping, Sequence

from models.runtime.faults import Fault, RuntimeFault
from models.runtime.grammar import ROOT
from models.runtime.llama import Context, Vocabulary
from models.runtime.llama import library as C
from models.runtime.llama_sampling import Sampler
from models.runtime.values import Sampling

_NEVER = float("-inf")
_CANDIDATE_BYTES = ctypes.sizeof(C.llama_token_data)


class Grammar:
    """Where an answer stands in a grammar."""

    def __init__(self, vocabulary: Vocabulary, text: str) -> None:
        """`text`: GBNF that `check_grammar` let pass. Raises `RuntimeFault` GRAMMAR_BROKEN if llama.cpp does not."""
        self.pointer = C.llama_sampler_init_grammar(vocabulary._pointer, text.encode(), ROOT.encode())
        if not self.pointer:
            raise RuntimeFault(Fault.GRAMMAR_BROKEN, "llama.cpp refused it", {"what": "syntax", "line": 1})
        self._one = (C.llama_token_data * 1)()
        self._candidate = C.llama_token_data_array(self._one, 1, -1, False)

    def allows(self, token: int) -> bool:
        """Whether this token may come next."""
        self._one[0].id, self._one[0].logit = token, 0.0
        self._candidate.size = 1
        C.llama_sampler_apply(self.pointer, ctypes.byref(self._candidate))
        return bool(self._one[0].logit > _NEVER)

    def accept(self, token: int) -> None:
        """It came. Only for a token that is allowed: llama.cpp ends the process at any other."""
        C.llama_sampler_accept(self.pointer, token)

    def close(self) -> None:
        C.llama_sampler_free(self.pointer)


class GuidedSampler(Sampler):
    """Chooses freely and looks whether the grammar allows it; only if not, among all that it allows.

    To apply a grammar to a whole vocabulary takes milliseconds, to one token next to nothing, and a model that has
    been asked for JSON mostly writes JSON. The likeliest allowed token is the same either way.
    """

    def __init__(
        self,
        context: Context,
        vocabulary: Vocabulary,
        sampling: Sampling,
        seed: int,
        grammar: str,
        lead: Callable[[int], int | None],
        pieces: Mapping[int, bytes | None],
    ) -> None:
        """`lead`: from the token freely chosen to the one that comes before the answer begins; None once it has.

        `pieces`: the bytes of each token, none for one that is not shown, None for one that ends the answer.
        """
        super().__init__(context, vocabulary, sampling, seed)
        try:
            self._grammar = Grammar(vocabulary, grammar)
        except RuntimeFault:
            super().close()
            raise
        self._lead = lead
        self._pieces = pieces
        self._utf8 = codecs.getincrementaldecoder("utf-8")()
        size = vocabulary.size
        # Each candidate is an id, a logit and a probability, of four bytes each.
        self._buffer = bytearray(_CANDIDATE_BYTES * size)
        view = memoryview(self._buffer)
        view.cast("i")[0::3] = memoryview(array("i", range(size)))
        self._untouched = bytes(self._buffer)
        self._logits = view.cast("f")[1::3]
        self._row = bytearray(4 * size)
        self._row_address = (ctypes.c_char * len(self._row)).from_buffer(self._row)
        self._row_logits = memoryview(self._row).cast("f")
        self._candidates = (C.llama_token_data * size).from_buffer(self._buffer)
        self._all = C.llama_token_data_array(self._candidates, size, -1, False)

    def sample(self, row: int = -1) -> int:
        """The next token after a row of logits, by default the newest.

        Raises `RuntimeFault` GENERATION_FAILED when this vocabulary has none that fits.
        """
        ctypes.memmove(self._row_address, C.llama_get_logits_ith(self._context, row), len(self._row))
        token = self._choose(())
        before = self._lead(token)
        if before is not None:
            C.llama_sampler_accept(self._chain, before)
            return before
        refused: list[int] = []
        while not self._fits(token):
            if token in refused:
                raise RuntimeFault(Fault.GENERATION_FAILED, "no token of this vocabulary fits the grammar")
            refused.append(token)
            token = self._choose(refused)
        self._grammar.accept(token)
        self._utf8.decode(self._pieces[token] or b"")
        C.llama_sampler_accept(self._chain, token)
        return token

    def _fits(self, token: int) -> bool:
        """Whether it is allowed, and is text: llama.cpp takes a quote for a part of a character cut short before it."""
        piece = self._pieces[token]
        if piece == b"" or not self._grammar.allows(token):
            return False
        before = self._utf8.getstate()
        try:
            self._utf8.decode(piece or b"", final=piece is None)
            begun = self._utf8.getstate()[0]
            return not (begun[:1] == b"\xed" and begun[1:2] >= b"\xa0")  # half a surrogate pair, seen late
        except UnicodeDecodeError:
            return False
        finally:
            self._utf8.setstate(before)

    def _choose(self, refused: Sequence[int]) -> int:
        """Among all tokens; when some were refused, among those that the grammar allows, without these."""
        self._buffer[:] = self._untouched
        self._logits[:] = self._row_logits
        self._all.size, self._all.selected, self._all.sorted = len(self._logits), -1, False
        if refused:
            for token in refused:
                self._candidates[token].logit = _NEVER
            C.llama_sampler_apply(self._grammar.pointer, ctypes.byref(self._all))
        C.llama_sampler_apply(self._chain, ctypes.byref(self._all))
        chosen: int = self._candidates[max(0, self._all.selected)].id
        return chosen

    def close(self) -> None:
        self._grammar.close()
        super().close()
