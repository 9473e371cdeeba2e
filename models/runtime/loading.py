"""Loading a model: from a path to a `Generator` that answers, or to the fault that tells why not.

The stages are announced to the parent as they begin, because each can fail in ways only the parent survives:
a damaged file may make llama.cpp abort, a template may never end, a disk may stop answering.
"""

from __future__ import annotations

import hashlib
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace

import psutil

from models.fit import Fit, choose_fit
from models.gguf import Header, card, layer_tensors, read_header
from models.hardware import Threads, choose_threads, read_machine, usable_memory
from models.runtime import llama
from models.runtime.adapters import Adapters, Stamp
from models.runtime.diagnosis import chat_fault, load_fault
from models.runtime.drafting import make_drafter
from models.runtime.ends import end_tokens
from models.runtime.faults import Fault, RuntimeFault
from models.runtime.formats import format_of
from models.runtime.generation import Generator
from models.runtime.placement import layers_to_try, reason_for
from models.runtime.prompt import Guard, PromptBuilder
from models.runtime.protocol import Load, Loaded, LoadProgress, Report, Stage
from models.runtime.sight import Sight
from models.runtime.sight_loading import projector_bytes, projector_key, sight_opener
from models.runtime.speculation import ROWS, Drafter
from models.runtime.states import KeptStates
from models.runtime.template import ChatTemplate
from models.runtime.values import Effort, LoadOptions, ModelCard, Placement, Speculation, Turn

Send = Callable[[Report], None]

# What the stages may take, generously: per token of vocabulary, per byte, for a GPU.
_VOCABULARY_TOKENS_PER_SECOND = 15_000
_BYTES_PER_SECOND = 500_000_000
_GPU_START_SECONDS = 90.0  # a driver that compiles its programs for the first time

_PROGRESS_STEP = 0.01
_LOOK_SECONDS = 0.2


def inspect(path: str) -> ModelCard:
    """What a file says it is. Raises `RuntimeFault` as `read_header` does."""
    return card(read_header(path), path)


class Loader:
    """Loads one model in this process."""

    def __init__(self, log: llama.Log, interrupt: llama.Interrupt, send: Send) -> None:
        self._log = log
        self._interrupt = interrupt
        self._send = send
        self._gpus = [device for device in llama.devices() if device.is_gpu]

    def load(self, command: Load) -> tuple[Generator, Loaded]:
        """Load a file. Raises `RuntimeFault`: any but those of an answer."""
        started = time.perf_counter()
        self._send(Stage("header"))
        header = read_header(command.path)
        fault = chat_fault(header)
        if fault is not None and not (command.template and fault.fault is Fault.NO_TEMPLATE):
            raise fault
        machine = read_machine()
        free = usable_memory(machine) + sum(gpu.free_bytes for gpu in self._gpus)
        free -= projector_bytes(command.options.projector)
        fit = choose_fit(header, command.options, free)
        threads = choose_threads(machine, command.options.threads)
        model, context, on_gpu = self._place(command.path, header, command.options, fit, threads)
        drafter = make_drafter(model, context, command.options, on_gpu, threads, self._interrupt, self._send)
        sight = Sight(
            sight_opener(command.options.projector, model, context, self._log, on_gpu > 0, threads.prompt)
        )
        generator, efforts = self._generator(
            model,
            context,
            lambda adapters: _states(command, adapters),
            Adapters(model, context, header.architecture),
            header,
            command.template,
            drafter,
            sight,
        )
        placement = Placement(
            device=self._gpus[0].description if on_gpu else "CPU",
            on_gpu=on_gpu > 0,
            gpu_layers=on_gpu,
            layers=model.layers,
            reason=reason_for(
                command.options.gpu_layers, on_gpu, model.layers, self._gpus, llama.has_gpu_support()
            ),
            threads=threads.generation,
            prompt_threads=threads.prompt,
            context_tokens=context.tokens,
        )
        milliseconds = (time.perf_counter() - started) * 1000
        return generator, Loaded(card(header, command.path), placement, milliseconds, efforts)

    def _place(
        self, path: str, header: Header, options: LoadOptions, fit: Fit, threads: Threads
    ) -> tuple[llama.Model, llama.Context, int]:
        """Try the GPU first, if there is one, then with fewer layers on it, then the CPU alone."""
        choices = layers_to_try(options.gpu_layers, len(layer_tensors(header)), self._gpus)
        for on_gpu in choices:
            try:
                return *self._try(path, header, options, fit, threads, on_gpu), on_gpu
            except RuntimeFault as fault:
                only_memory = fault.fault is Fault.NOT_ENOUGH_MEMORY
                if on_gpu == choices[-1] or not only_memory:
                    raise
        raise AssertionError("the last choice returns or raises")

    def _try(
        self, path: str, header: Header, options: LoadOptions, fit: Fit, threads: Threads, on_gpu: int
    ) -> tuple[llama.Model, llama.Context]:
        self._log.lines.clear()
        gpu_seconds = _GPU_START_SECONDS if on_gpu else 0.0
        self._send(Stage("vocabulary", header.vocabulary / _VOCABULARY_TOKENS_PER_SECOND + gpu_seconds))
        with ExitStack() as undo:
            try:
                model = self._read_weights(path, header, options, on_gpu)
                undo.callback(model.close)
                self._send(Stage("context", fit.need_bytes / _BYTES_PER_SECOND + gpu_seconds))
                context = model.new_context(
                    fit.context_tokens,
                    options,
                    threads.generation,
                    threads.prompt,
                    self._interrupt,
                    rows=1 if options.speculation is Speculation.OFF else ROWS,
                )
                undo.callback(context.close)
            except llama.LoadRefused:
                raise load_fault(self._log.lines, header.architecture, self._interrupt.is_set) from None
            self._warm_up(model, context)
            undo.pop_all()
            return model, context

    def _read_weights(self, path: str, header: Header, options: LoadOptions, on_gpu: int) -> llama.Model:
        meter = _Meter(header.weight_bytes, self._send)
        self._log.on_line = meter.read_log

        def on_progress(fraction: float) -> bool:
            meter.reached(fraction)
            return not self._interrupt.is_set

        try:
            with meter.watching():
                return llama.Model(path, options, on_gpu, on_progress)
        finally:
            self._log.on_line = None

    def _warm_up(self, model: llama.Model, context: llama.Context) -> None:
        """Evaluate one token: what aborts on damaged numbers does so now, and a GPU gets ready."""
        token = model.vocabulary.bos if 0 <= model.vocabulary.bos < model.vocabulary.size else 0
        result = context.decode([token])
        if result is llama.Decoded.INTERRUPTED:
            raise RuntimeFault(Fault.LOAD_CANCELLED)
        if result is not llama.Decoded.DONE:
            raise load_fault(self._log.lines, "", cancelled=False)
        if not context.logits_are_numbers():
            raise RuntimeFault(Fault.DAMAGED, "the model computes no numbers")
        context.clear()

    def _generator(
        self,
        model: llama.Model,
        context: llama.Context,
        states: Callable[[Sequence[Stamp]], KeptStates],
        adapters: Adapters,
        header: Header,
        replacement: str,
        drafter: Drafter | None,
        sight: Sight,
    ) -> tuple[Generator, tuple[Effort, ...]]:
        vocabulary = model.vocabulary
        if not model.writes_one_token_after_another:
            raise RuntimeFault(Fault.NOT_A_CHAT_MODEL)
        self._send(Stage("template"))
        bos = vocabulary.bos if vocabulary.wants_bos and vocabulary.bos >= 0 else None
        template = ChatTemplate(
            replacement or model.chat_template,
            vocabulary.text(vocabulary.bos),
            vocabulary.text(vocabulary.eos),
        )
        prompt, end = template.render([Turn("user", "Hello")]), template.after_answer()
        self._send(Stage("trial"))
        vocabulary.tokenize(
            prompt, True
        )  # what a damaged vocabulary does, it does now, not in the middle of a chat
        control, added = vocabulary.control_and_added()
        guard = Guard([*control, *(text for text in added if _is_a_marker(text, template.source))])
        builder = PromptBuilder(template, vocabulary, guard, bos, lambda name: self._send(Stage(name)), sight)
        form = format_of(template.source, _stop_text(end.strip(), vocabulary))
        form = replace(form, ends=end_tokens(form, end.strip(), template.source, vocabulary, header))
        generator = Generator(
            context, vocabulary, builder, form, self._interrupt, self._send, states, adapters, drafter
        )
        return generator, template.efforts


def _states(command: Load, adapters: Sequence[Stamp]) -> KeptStates:
    """The kept states of exactly this file, template, cache, llama.cpp and adapters: others would be nonsense."""
    status = os.stat(command.path)
    kind: tuple[object, ...] = (command.path, status.st_size, status.st_mtime_ns, command.options.cache_type)
    kind = (*kind, llama.version(), *projector_key(command.options.projector))
    if command.template:
        kind = (*kind, hashlib.sha256(command.template.encode("utf-8", "surrogatepass")).hexdigest())
    kind = (*kind, *adapters)
    key = hashlib.sha256(repr(kind).encode("utf-8", "surrogatepass")).hexdigest()
    return KeptStates(command.state_files, key, command.state_bytes)


def _is_a_marker(text: str, template: str) -> bool:
    """Whether a token added to the vocabulary structures a conversation, and is no word, space or HTML tag."""
    return len(text) > 2 and text[0] in "<[" and text in template


def _stop_text(end: str, vocabulary: llama.Vocabulary) -> str:
    """What ends a turn, where that is ordinary text to this vocabulary. Nearly always a token does it: then ""."""
    tokens = vocabulary.tokenize(end, True)
    if len(end) < 3 or end[0].isalnum() or not tokens:
        return ""
    return "" if vocabulary.ends_answer(tokens[0]) or vocabulary.is_control(tokens[0]) else end


class _Meter:
    """Reports how far the weights are, by two signs.

    llama.cpp calls back between tensors, but mapping a file makes the system read all of it first, in
    silence, which for a large model on a slow disk is nearly all of the time. There the growth of this
    process is the sign.
    """

    def __init__(self, expected_bytes: int, send: Send) -> None:
        self._expected = max(1, expected_bytes)
        self._send = send
        self._lock = threading.Lock()
        self._sent = -1.0
        self._process = psutil.Process()
        self._before = self._process.memory_info().rss

    def read_log(self, line: str) -> None:
        if "loading model tensors" in line:
            self.reached(0.0)

    def reached(self, fraction: float) -> None:
        fraction = min(max(fraction, 0.0), 1.0)
        with self._lock:
            if self._sent < 0:
                self._send(Stage("weights"))
            if fraction >= self._sent + _PROGRESS_STEP or (fraction == 1.0 > self._sent):
                self._sent = fraction
                self._send(LoadProgress(fraction))

    @contextmanager
    def watching(self) -> Iterator[None]:
        done = threading.Event()
        thread = threading.Thread(target=self._watch, args=(done,), name="weights", daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()

    def _watch(self, done: threading.Event) -> None:
        while not done.wait(_LOOK_SECONDS):
            grown = self._process.memory_info().rss - self._before
            if self._sent >= 0:
                self.reached(min(0.99, grown / self._expected))
