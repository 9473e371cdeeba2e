"""One loaded model answering: prompt in, pieces of text out, and a KV cache that is never paid for twice.

`Generator.tokens` is what lies in the cache, token by token, at every moment: whatever ends an answer (its
own end, a cancel in the middle of a batch, a failure), the two agree again before anything else is done.
"""

from __future__ import annotations

import codecs
import functools
import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import groupby
from typing import cast

from models.runtime.adapters import Adapters, Stamp
from models.runtime.context import keep_newest, room_for_prompt
from models.runtime.faults import Fault, RuntimeFault, StopReason
from models.runtime.formats import Format, Splitter
from models.runtime.grammar import check_grammar
from models.runtime.guided import Lead
from models.runtime.llama import Context, Decoded, Interrupt, Vocabulary
from models.runtime.llama_grammar import GuidedSampler
from models.runtime.llama_rows import Rows
from models.runtime.llama_sampling import Sampler
from models.runtime.prompt import Prompt, PromptBuilder
from models.runtime.protocol import Called, Completed, Generate, Piece, PromptProgress, Report, Stage
from models.runtime.speculation import ROWS, Drafter, Pace
from models.runtime.states import KeptStates, shared_length
from models.runtime.stops import StopSplitter
from models.runtime.tool_splitter import Said, Span
from models.runtime.values import Adapter, CalledTool

_PACE_SECONDS = 0.015
"""How often pieces are sent at most. The window draws every 50 ms."""


class Generator:
    """Answers with one model. Used by one thread; `interrupt` may be set by another."""

    def __init__(
        self,
        context: Context,
        vocabulary: Vocabulary,
        builder: PromptBuilder,
        form: Format,
        interrupt: Interrupt,
        send: Callable[[Report], None],
        states: Callable[[Sequence[Stamp]], KeptStates],
        adapters: Adapters,
        drafter: Drafter | None = None,
    ) -> None:
        """`states`: what is kept of conversations with these adapters. `drafter`: guesses ahead; the context must
        have rows of logits for that (`speculation.ROWS`) and be able to go back.
        """
        self.tokens: list[int] = []
        self._context = context
        self._vocabulary = vocabulary
        self._builder = builder
        self._format = form
        self._interrupt = interrupt
        self._send = send
        self._pieces = _Pieces(vocabulary, form)
        self._adapters = adapters
        self._drafter = drafter
        self._rows = Rows(context, ROWS) if drafter is not None else None
        self._states_with = states
        self._states = states(())
        builder.know(self._states.known())

    def answer(self, request: Generate) -> Completed:
        """Answer one request, sending its pieces as they come.

        Raises `RuntimeFault`: GRAMMAR_BROKEN, one about an adapter, TEMPLATE_BROKEN, PROMPT_TOO_LONG or
        GENERATION_FAILED.
        """
        started = time.perf_counter()
        if request.grammar:
            check_grammar(request.grammar)
        self._answer_with(request.adapters)
        kept = keep_newest(
            request.turns,
            room_for_prompt(self._context.tokens, request.max_tokens),
            self._context.tokens // 4,
            self._builder.count,
            partial(self._builder.build, tools=request.tools, effort=request.effort),
            self._builder.sight.count,
        )
        prompt = kept.prompt
        if not prompt.tokens:
            raise RuntimeFault(Fault.TEMPLATE_BROKEN, "it made an empty prompt")
        prompt_started = time.perf_counter()
        reused = self._reuse(prompt)
        completed = Completed(
            reason=StopReason.CANCELLED,
            prompt_tokens=len(prompt),
            reused_tokens=reused,
            generated_tokens=0,
            context_tokens=self._context.tokens,
            prompt_ms=0.0,
            first_token_ms=0.0,
            generate_ms=0.0,
            omitted_turns=kept.omitted_turns,
        )
        read_all = self._read_prompt(prompt, reused)
        completed = replace(completed, prompt_ms=_milliseconds_since(prompt_started))
        if not read_all:
            return completed
        self._send(Stage("answer"))
        return self._write_answer(prompt, request, completed, started)

    def _answer_with(self, wanted: Sequence[Adapter]) -> None:
        """Change the adapters if need be. What is in the cache was read with the ones before, so it goes."""
        if not wanted and not self._adapters.in_use:
            return
        stamps = self._adapters.stamps(wanted)
        if stamps == self._adapters.in_use:
            return
        self._send(Stage("adapter"))
        self._adapters.read(stamps)
        self.park()
        self.tokens.clear()
        self._adapters.use(stamps)
        self._states = self._states_with(stamps)

    def park(self) -> None:
        """Keep what is in the cache, before this process ends or the cache is needed for something else."""
        self._states.keep(self.tokens, self._builder.newest, self._context)

    def _reuse(self, asked: Prompt) -> int:
        """Cut the cache back to what it shares with the prompt. Returns how many tokens that is.

        Another conversation's cache comes back from where it was kept, and this one's goes there. At least the
        prompt's last token is evaluated again: its logits are the beginning of the answer.
        """
        prompt = asked.tokens
        shared = shared_length(self.tokens, prompt)
        if shared < len(self.tokens) // 2:
            self.park()
        slot = self._states.better_than(shared, prompt)
        if slot is not None:
            self.tokens = self._states.restore(slot, self._context)
            self._context.continue_at(len(self.tokens))
            shared = shared_length(self.tokens, prompt)
        shared = min(shared, len(prompt) - 1)
        for image in asked.images:  # an image is read as a whole
            shared = image.start if image.start < shared < image.end else shared
        if shared < len(self.tokens):
            if shared == 0 or not self._context.cut(shared):
                self._context.clear()
                shared = 0
            del self.tokens[shared:]
        return shared

    def _read_prompt(self, prompt: Prompt, reused: int) -> bool:
        """Evaluate the rest of the prompt, in batches and images. False when it was interrupted."""
        total = len(prompt.tokens)
        self._send(PromptProgress(reused, total, reused))
        place = reused
        for image in [*(image for image in prompt.images if image.start >= reused), None]:
            end = total if image is None else image.start
            for start in range(place, end, self._context.batch_tokens):
                batch = prompt.tokens[start : min(end, start + self._context.batch_tokens)]
                if not self._read(batch, functools.partial(self._context.decode, batch)):
                    return False
                self._send(PromptProgress(len(self.tokens), total, reused))
            if image is not None:
                place = image.end
                read = functools.partial(self._builder.sight.read, image)
                if not self._read(prompt.tokens[image.start : place], read):
                    return False
                self._send(PromptProgress(place, total, reused))
        return True

    def _read(self, tokens: list[int], decode: Callable[[], Decoded]) -> bool:
        """Have some of the prompt evaluated. False when it was interrupted."""
        if self._interrupt.is_set:
            return False
        try:
            result = decode()
        except RuntimeFault:
            self._agree_with_cache()
            raise
        if result is not Decoded.DONE:
            self._agree_with_cache()
            if result is Decoded.INTERRUPTED:
                return False
            raise RuntimeFault(Fault.GENERATION_FAILED, f"reading the prompt: {result.name.lower()}")
        self.tokens += tokens
        return True

    def _agree_with_cache(self) -> None:
        """After a decode that did not finish: keep what is surely in the cache, or nothing."""
        end = self._context.end
        if end == len(self.tokens) or (end > len(self.tokens) and self._context.cut(len(self.tokens))):
            return
        self._context.clear()
        self.tokens.clear()

    def _write_answer(
        self, prompt: Prompt, request: Generate, completed: Completed, started: float
    ) -> Completed:
        form, pieces = self._format, self._pieces
        if request.tools and not request.grammar:  # a grammar leaves no way to write a call
            form = self._builder.format_for(form, request.tools)
            pieces = _Pieces(self._vocabulary, form)
        output = _Output(form, prompt.text, self._send, [stop for stop in request.sampling.stop if stop])
        sampler = self._sampler(request, output)
        answer: list[int] = []
        pace = Pace()
        writing_started = time.perf_counter()
        try:
            full = self._context.tokens - prompt.extra_cells
            if self._drafter is None or self._rows is None:
                reason, first_token = self._loop(sampler, output, answer, request.max_tokens, pieces, full)
            else:
                ahead = _Ahead(self._drafter, self._rows, pace, pieces, full)
                reason, first_token = self._loop_ahead(sampler, output, answer, request.max_tokens, ahead)
        finally:
            sampler.close()
        output.finish()
        self._builder.remember(prompt, output.answer, prompt.tokens + answer)
        return replace(
            completed,
            reason=reason,
            generated_tokens=len(answer),
            first_token_ms=(first_token - started) * 1000,
            generate_ms=_milliseconds_since(writing_started),
            guessed_tokens=pace.guessed,
            accepted_tokens=pace.accepted,
        )

    def _sampler(self, request: Generate, output: _Output) -> Sampler:
        sampling = request.sampling
        seed = secrets.randbits(31) if sampling.seed is None else sampling.seed
        if not request.grammar:
            return Sampler(self._context, self._vocabulary, sampling, seed)
        lead = Lead(self._format, cast(Splitter, output.words), self._vocabulary, self._pieces)
        return GuidedSampler(
            self._context, self._vocabulary, sampling, seed, request.grammar, lead, self._pieces
        )

    def _loop(
        self,
        sampler: Sampler,
        output: _Output,
        answer: list[int],
        max_tokens: int | None,
        pieces: _Pieces,
        full: int,
    ) -> tuple[StopReason, float]:
        """The inner loop. What is done here is paid for each token, so names are local and calls are few.

        `full`: how many tokens the cache can hold. Fills `answer`. Returns why it ended, and when the first token was
        there.
        """
        tokens, decode_one, sample = self.tokens, self._context.decode_one, sampler.sample
        interrupt = self._interrupt
        most = full if max_tokens is None else max_tokens
        token = sample()
        first_token = time.perf_counter()
        while True:
            piece = pieces[token]
            if piece is None:
                return StopReason.STOP, first_token
            answer.append(token)
            if output.write(piece):
                return StopReason.STOP, first_token
            if len(answer) >= most:
                return StopReason.LENGTH, first_token
            if len(tokens) >= full:
                return StopReason.CONTEXT_FULL, first_token
            status = Decoded.INTERRUPTED if interrupt.is_set else decode_one(token)
            if status != 0:
                self._agree_with_cache()
                if status == Decoded.INTERRUPTED:
                    return StopReason.CANCELLED, first_token
                raise RuntimeFault(Fault.GENERATION_FAILED, f"writing the answer: status {status}")
            tokens.append(token)
            token = sample()

    def _loop_ahead(
        self, sampler: Sampler, output: _Output, answer: list[int], max_tokens: int | None, ahead: _Ahead
    ) -> tuple[StopReason, float]:
        """The inner loop with guesses: evaluates them with the token before, keeps those that the sampler chooses too.

        What it returns, and when an answer ends, is as in `_loop`.
        """
        tokens, pace, full = self.tokens, ahead.pace, ahead.full
        most = full if max_tokens is None else max_tokens
        token = sampler.sample()
        first_token = time.perf_counter()
        ahead.drafter.begin(tokens)
        reason = self._take(token, output, answer, most, ahead)
        while reason is None:
            room = min(pace.guess, full - len(tokens) - 1, most - len(answer))
            guessed = ahead.drafter.guess([*tokens, token], room) if room > 0 else []
            batch = [token, *guessed]
            status = Decoded.INTERRUPTED if self._interrupt.is_set else ahead.rows.decode(batch, len(tokens))
            if status != 0:
                self._agree_with_cache()
                if status == Decoded.INTERRUPTED:
                    return StopReason.CANCELLED, first_token
                raise RuntimeFault(Fault.GENERATION_FAILED, f"writing the answer: status {status}")
            tokens.append(token)
            before = len(tokens)
            for row, guess in enumerate([*guessed, None]):
                token = sampler.sample(row)
                reason = self._take(token, output, answer, most, ahead)
                if token != guess or reason is not None:
                    break
                tokens.append(token)
            pace.learn(len(guessed), len(tokens) - before)
            self._agree_with_cache()  # the wrong guesses go
        return reason, first_token

    def _take(
        self, token: int, output: _Output, answer: list[int], most: int, ahead: _Ahead
    ) -> StopReason | None:
        """A token that was chosen; why the answer ends with it, if it does."""
        piece = ahead.pieces[token]
        if piece is None:
            return StopReason.STOP
        answer.append(token)
        if output.write(piece):
            return StopReason.STOP
        if len(answer) >= most:
            return StopReason.LENGTH
        return StopReason.CONTEXT_FULL if len(self.tokens) >= ahead.full else None


@dataclass(frozen=True, slots=True)
class _Ahead:
    """What one answer needs to guess ahead."""

    drafter: Drafter
    rows: Rows
    pace: Pace
    pieces: Mapping[int, bytes | None]
    full: int  # how many tokens the cache can hold


class _Output:
    """From the bytes of tokens to pieces on their way to the parent.

    A fast model's tokens travel together for some milliseconds: each piece wakes the parent and the window, and
    they would be awake for nothing else. No token waits for longer than until the next one comes.
    """

    def __init__(
        self, form: Format, prompt: str, send: Callable[[Report], None], stops: Sequence[str] = ()
    ) -> None:
        """`stops`: texts before which the answer ends."""
        self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        self.words = form.splitter(prompt)
        self.splitter = StopSplitter(self.words, stops) if stops else self.words
        self._send = send
        self._written: list[str] = []
        self._shown: list[str] = []
        self._waiting: list[Said] = []
        self._sent_at = 0.0

    def write(self, piece: bytes) -> bool:
        """Take a token. True when the answer has ended by its own text."""
        text = self._decode(piece)
        if text:
            self._written.append(text)
            self._waiting += self.splitter.feed(text)
            now = time.perf_counter()
            if self._waiting and now - self._sent_at >= _PACE_SECONDS:
                self._sent_at = now
                self._flush()
        return self.splitter.stopped

    def finish(self) -> None:
        self._waiting += self.splitter.finish()
        self._flush()

    @property
    def answer(self) -> str | None:
        """What was written, if a later prompt will show it exactly like that."""
        written = "".join(self._written)
        return written if written == "".join(self._shown) else None

    def _flush(self) -> None:
        for reasoning, said in groupby(self._waiting, key=_is_reasoning):
            if reasoning is None:
                for call in said:
                    self._send(Called(cast(CalledTool, call)))
                continue
            text = "".join(span[0] for span in cast(Iterator[Span], said))
            if not reasoning:
                self._shown.append(text)
            self._send(Piece(text, reasoning))
        self._waiting.clear()


def _is_reasoning(said: Said) -> bool | None:
    """None for a call, which is no text at all."""
    return None if isinstance(said, CalledTool) else said[1]


class _Pieces(dict[int, bytes | None]):
    """The bytes of each token, looked up once; None for tokens that end the answer.

    Control tokens are nothing to read, except those that the format's markers are made of.
    """

    def __init__(self, vocabulary: Vocabulary, form: Format) -> None:
        super().__init__()
        self._vocabulary = vocabulary
        marked = (token for marker in form.markers for token in vocabulary.tokenize(marker, True))
        self._markers = {token for token in marked if vocabulary.is_control(token)}
        self._ends = {token for end in form.ends for token in vocabulary.tokenize(end, True)[:1]}

    def __missing__(self, token: int) -> bytes | None:
        if token in self._ends or self._vocabulary.ends_answer(token):
            piece = None
        else:
            piece = self._vocabulary.piece(token, special=token in self._markers)
        self[token] = piece
        return piece


def _milliseconds_since(start: float) -> float:
    return (time.perf_counter() - start) * 1000
