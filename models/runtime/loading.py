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
from dataclasses import dataclass, replace

import psutil

from models.estimate import gpu_bytes
from models.fit import Fit, choose_fit
from models.gguf import Header, card, layer_tensors, read_header
from models.hardware import Threads, choose_threads, read_machine, usable_memory
from models.parts import read_model
from models.repacking import weights_are_copied
from models.runtime import llama
from models.runtime.adapters import Adapters, Stamp
from models.runtime.diagnosis import chat_fault, load_fault
from models.runtime.drafting import make_drafter
from models.runtime.ends import end_tokens
from models.runtime.faults import Fault, RuntimeFault
from models.runtime.formats import format_of
from models.runtime.generation import Generator
from models.runtime.llama_devices import devices, has_gpu_support
from models.runtime.placement import (
    GPU_FAILED,
    could_fit_more,
    devices_in_use,
    layers_to_try,
    memory_of_gpus,
    most_layers,
    reason_for,
    signature,
    still_holds,
)
from models.runtime.prompt import Guard, PromptBuilder
from models.runtime.protocol import Load, Loaded, LoadProgress, Report, Stage, Trying
from models.runtime.sight import Sight
from models.runtime.sight_loading import projector_bytes, projector_key, sight_opener
from models.runtime.speculation import ROWS, Drafter
from models.runtime.states import KeptStates
from models.runtime.template import ChatTemplate
from models.runtime.values import Effort, Known, LoadOptions, ModelCard, Placement, Speculation, Turn

Send = Callable[[Report], None]

# What the stages may take, generously: per token of vocabulary, per byte, for a GPU.
_VOCABULARY_TOKENS_PER_SECOND = 15_000
_BYTES_PER_SECOND = 500_000_000
_CONTEXT_SECONDS = 10.0  # on a machine that is busy with other things
_GPU_START_SECONDS = 90.0  # a driver that compiles its programs for the first time

_NOT_THE_GPU = (Fault.LOAD_CANCELLED, Fault.OPTIONS_DO_NOT_FIT, Fault.UNSUPPORTED_ARCHITECTURE)

_PROGRESS_STEP = 0.01
_LOOK_SECONDS = 0.2


def inspect(path: str) -> ModelCard:
    """What a file says it is. Raises `RuntimeFault` as `read_header` does."""
    return card(read_header(path), path)


@dataclass(frozen=True, slots=True)
class _Plan:
    """What is decided before a load. `fitting`: layers that fit on GPUs; `choices`: numbers of layers to try."""

    fit: Fit
    threads: Threads
    fitting: int
    known: Known | None
    choices: Sequence[int]


class Loader:
    """Loads one model in this process."""

    def __init__(self, log: llama.Log, interrupt: llama.Interrupt, send: Send) -> None:
        self._log = log
        self._interrupt = interrupt
        self._send = send
        self._gpus = devices_in_use(devices())
        self._devices = signature(self._gpus, llama.version())

    def load(self, command: Load) -> tuple[Generator, Loaded]:
        """Load a file. Raises `RuntimeFault`: any but those of an answer."""
        started = time.perf_counter()
        self._send(Stage("header"))
        header = read_model(command.path)
        fault = chat_fault(header)
        if fault is not None and not (command.template and fault.fault is Fault.NO_TEMPLATE):
            raise fault
        plan = self._plan(command, header)
        threads = plan.threads
        model, context, on_gpu = self._place(
            command.path, header, command.options, plan.fit, threads, plan.choices
        )
        drafter = make_drafter(model, context, command.options, on_gpu, threads, self._interrupt, self._send)
        projector = command.options.projector
        opener = sight_opener(projector, model, context, self._log, on_gpu > 0, threads.prompt)
        sight = Sight(opener, lambda name: self._send(Stage(name)))
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
        placement = self._placement(command.options, header, plan, model, context, on_gpu)
        milliseconds = (time.perf_counter() - started) * 1000
        return generator, Loaded(card(header, command.path), placement, milliseconds, efforts)

    def _plan(self, command: Load, header: Header) -> _Plan:
        """What to try. Raises `RuntimeFault` NOT_ENOUGH_MEMORY."""
        machine, options = read_machine(), command.options
        free = usable_memory(machine) - projector_bytes(options.projector)
        fit = choose_fit(header, options, free + memory_of_gpus(self._gpus), whole=command.may_ask)
        known = still_holds(command.known, self._devices)
        fitting = most_layers(fit.needs, self._gpus, free)
        if command.may_ask and known is None and could_fit_more(fit.needs, self._gpus, fitting, free):
            raise RuntimeFault(Fault.NOT_ENOUGH_MEMORY)
        choices = layers_to_try(options.gpu_layers, len(fit.needs.layers), fitting, known)
        return _Plan(fit, choose_threads(machine, options.threads), fitting, known, choices)

    def _placement(
        self,
        options: LoadOptions,
        header: Header,
        plan: _Plan,
        model: llama.Model,
        context: llama.Context,
        on_gpu: int,
    ) -> Placement:
        gpu_support = has_gpu_support()
        reason = reason_for(
            options.gpu_layers,
            on_gpu,
            model.layers,
            self._gpus,
            gpu_support,
            fitting=plan.fitting,
            known=plan.known,
        )
        return Placement(
            device=" + ".join(gpu.description for gpu in self._gpus) if on_gpu else "CPU",
            on_gpu=on_gpu > 0,
            gpu_layers=on_gpu,
            layers=model.layers,
            reason=reason,
            threads=plan.threads.generation,
            prompt_threads=plan.threads.prompt,
            context_tokens=context.tokens,
            devices=self._devices,
            need_bytes=plan.fit.need_bytes,
            gpu_bytes=gpu_bytes(plan.fit.needs, on_gpu) if on_gpu else 0,
            batch_tokens=context.batch_tokens,
            is_mapped=_is_mapped(header, options, on_gpu),
            gpu_failed=reason == GPU_FAILED,
        )

    def _place(
        self,
        path: str,
        header: Header,
        options: LoadOptions,
        fit: Fit,
        threads: Threads,
        choices: Sequence[int],
    ) -> tuple[llama.Model, llama.Context, int]:
        """Try these numbers of layers on the GPUs until one works; the last is the processor alone.

        Where it is not for memory that a GPU refuses, fewer layers would not help: then the processor is next.
        """
        given_up = False
        for on_gpu in choices:
            if given_up and on_gpu:
                continue
            if self._gpus:
                self._send(Trying(on_gpu, self._devices))
            try:
                return *self._try(path, header, options, fit, threads, on_gpu), on_gpu
            except RuntimeFault as fault:
                if on_gpu == choices[-1] or fault.fault in _NOT_THE_GPU:
                    raise
                given_up = fault.fault is not Fault.NOT_ENOUGH_MEMORY
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
                self._send(
                    Stage("context", _CONTEXT_SECONDS + fit.need_bytes / _BYTES_PER_SECOND + gpu_seconds)
                )
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
        options = replace(options, map_file=_is_mapped(header, options, on_gpu))
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


def _is_mapped(header: Header, options: LoadOptions, on_gpu: int) -> bool:
    """Whether the weights are used as they lie in the file: not where a processor copies them all the same."""
    wholly_on_gpu = on_gpu > len(layer_tensors(header))
    return options.map_file and (wholly_on_gpu or not weights_are_copied(header))


def _states(command: Load, adapters: Sequence[Stamp]) -> KeptStates:
    """The kept states of exactly this file, template, cache, llama.cpp and adapters: others would be nonsense."""
    status = os.stat(command.path)
    options = command.options
    kind: tuple[object, ...] = (command.path, status.st_size, status.st_mtime_ns, options.cache_type)
    kind = (*kind, llama.version(), *projector_key(options.projector))
    if command.template:
        kind = (*kind, hashlib.sha256(command.template.encode("utf-8", "surrogatepass")).hexdigest())
    kind = (*kind, *adapters)
    rope = options.rope_scaling, options.rope_base, options.rope_stretch
    text = repr(kind) if rope == (None, None, 1.0) else repr((kind, rope))
    key = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
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
