"""The embedder: the child process that turns texts into vectors. Locked before this is imported.

Two threads, as in the scanner: the reader ends the process when the parent has gone; the main thread does one command
after another, and whatever goes wrong in one becomes a `Failed`.
"""

from __future__ import annotations

import math
import os
import queue
import sys
import threading
import traceback
from collections.abc import Iterator, Sequence
from typing import NoReturn, assert_never

from models.embedding.messages import (
    Command,
    Embed,
    Embedded,
    Failed,
    Open,
    Opened,
    Opening,
    Ready,
    Report,
    decode_command,
    encode,
)
from models.fit import choose_fit
from models.gguf import Header, card, read_header
from models.hardware import choose_threads, read_machine, usable_memory
from models.runtime import llama
from models.runtime.diagnosis import load_fault
from models.runtime.faults import Fault, RuntimeFault
from models.runtime.link import ChildSide
from models.runtime.llama_devices import devices
from models.runtime.llama_embedding import MOST_TEXTS, EmbeddingContext, Pooling, tokens_of
from models.runtime.values import LoadOptions

LONGEST = 2_048
"""Tokens of a text that count, unless the model reads fewer: more cost memory with their square."""

_DETAIL = 2_000
_STEP = 0.05


def main(channel: ChildSide, lock_summary: str, locked: bool) -> NoReturn:
    """Serve the parent until it goes away. `lock_summary`: what the lock of this process came to, in words."""
    embedder = _Embedder(channel)
    embedder.send(Ready(lock_summary, locked))
    threading.Thread(target=embedder.read, name="reader", daemon=True).start()
    embedder.serve()


class _Embedder:
    def __init__(self, channel: ChildSide) -> None:
        self._channel = channel
        self._commands: queue.SimpleQueue[Command] = queue.SimpleQueue()
        self._log = llama.start()
        self._model: llama.Model | None = None
        self._context: EmbeddingContext
        self._told = 0.0

    def send(self, report: Report) -> None:
        self._channel.send(encode(report))

    def read(self) -> NoReturn:
        """The reader thread. Ends the process whatever happens: without it nobody could stop the embedder."""
        try:
            while (record := self._channel.receive()) is not None:
                self._commands.put(decode_command(record))
        except BaseException:  # the end of a thread, and of the process: a bug of the parent, told on stderr
            traceback.print_exc(file=sys.stderr)
            os._exit(1)
        os._exit(0)

    def serve(self) -> NoReturn:
        """The main loop."""
        while True:
            command = self._commands.get()
            try:
                self._do(command)
            except RuntimeFault as fault:
                self.send(Failed(fault.fault, fault.detail[:_DETAIL], fault.facts))
            except Exception:  # the one place where a bug becomes a message
                self.send(Failed(Fault.GENERATION_FAILED, traceback.format_exc()[-_DETAIL:]))

    def _do(self, command: Command) -> None:
        match command:
            case Open():
                self._open(command)
            case Embed(texts):
                self.send(self._embed(texts))
            case _:
                assert_never(command)

    def _open(self, command: Open) -> None:
        header = read_header(command.path)
        pooling = pooling_of(header)
        machine = read_machine()
        options = LoadOptions(context_tokens=LONGEST)
        fit = choose_fit(header, options, usable_memory(machine))
        trained = header.number(f"{header.architecture}.context_length")
        longest = min(fit.context_tokens, trained or fit.context_tokens)
        threads = choose_threads(machine, command.threads).prompt
        on_gpu = -1 if any(device.is_gpu for device in devices()) else 0
        for layers in dict.fromkeys((on_gpu, 0)):  # the processor alone, where the graphics card refuses
            try:
                self._load(command.path, options, layers, longest, pooling, threads)
                break
            except llama.LoadRefused:
                if layers == 0:
                    raise load_fault(self._log.lines, header.architecture, cancelled=False) from None
        width = self._context.width
        self.send(Opened(card(header, command.path), width, longest, pooling.name.lower()))

    def _load(
        self, path: str, options: LoadOptions, layers: int, longest: int, pooling: Pooling, threads: int
    ) -> None:
        self._told = 0.0
        model = llama.Model(path, options, layers, self._on_progress)
        try:
            self._context = EmbeddingContext(model, longest, pooling, threads)
        except llama.LoadRefused:
            model.close()
            raise
        self._model = model

    def _on_progress(self, fraction: float) -> bool:
        if fraction >= self._told + _STEP:
            self._told = fraction
            self.send(Opening(min(max(fraction, 0.0), 1.0)))
        return True

    def _embed(self, texts: Sequence[str]) -> Embedded:
        if self._model is None:
            raise RuntimeFault(Fault.GENERATION_FAILED, "no model is loaded")
        vocabulary = self._model.vocabulary
        found = [tokens_of(vocabulary, text, self._context.tokens) for text in texts]
        vectors: list[tuple[float, ...]] = []
        for batch in _batches([tokens for tokens, _ in found], self._context.room):
            computed = self._context.embed(batch)
            if computed is None:
                raise RuntimeFault(Fault.GENERATION_FAILED, "\n".join(self._log.lines)[-_DETAIL:])
            vectors += map(_of_length_one, computed)
        cut = tuple(place for place, (_, was_cut) in enumerate(found) if was_cut)
        return Embedded(tuple(vectors), sum(len(tokens) for tokens, _ in found), cut)


def pooling_of(header: Header) -> Pooling:
    """How this model's vectors are pooled: as the file says, else the mean, or the last token's where each token sees
    only those before it. Raises `RuntimeFault` NOT_AN_EMBEDDING_MODEL.
    """
    architecture = header.architecture
    facts: dict[str, int | str] = {"architecture": architecture[:60]}
    said = header.number(f"{architecture}.pooling_type")
    causal = header.metadata.get(f"{architecture}.attention.causal") is not False
    kind = header.text("general.type") or "model"
    pools = said in (Pooling.MEAN, Pooling.CLS, Pooling.LAST)
    if kind != "model" or header.vocabulary == 0 or not (pools or (said == Pooling.NONE and not causal)):
        raise RuntimeFault(Fault.NOT_AN_EMBEDDING_MODEL, f"pooling {said}, {kind[:60]!r}", facts)
    return Pooling(said) if pools else Pooling.MEAN


def _batches(texts: list[list[int]], most: int) -> Iterator[list[list[int]]]:
    """Texts in their order, as many at once as there is room for."""
    batch: list[list[int]] = []
    for tokens in texts:
        if batch and (len(batch) == MOST_TEXTS or sum(map(len, batch)) + len(tokens) > most):
            yield batch
            batch = []
        batch.append(tokens)
    if batch:
        yield batch


def _of_length_one(vector: list[float]) -> tuple[float, ...]:
    length = math.sqrt(sum(number * number for number in vector))
    if not 0 < length < math.inf:  # false for NaN too
        raise RuntimeFault(Fault.DAMAGED, "the model computes no numbers")
    return tuple(number / length for number in vector)
