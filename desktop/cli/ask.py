"""`alcove ask`: one question, its answer streamed to standard output."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import asdict, replace
from pathlib import Path

from desktop.chat.session import Session
from desktop.chat.turns import Ask, Ended, NotStored, SessionEvent
from desktop.cli.terminal import failed, print_json, safe
from desktop.i18n import tr
from desktop.known_models import current_model
from desktop.library import Library
from desktop.local_models import make_model, make_templates
from desktop.own_settings import options_for
from desktop.paths import Paths
from desktop.pictures import Pictures
from desktop.placements import Placements
from desktop.settings import DECLARED, Settings
from desktop.sight import projector_for
from desktop.store.faults import StoreFault, StoreFaultKind
from desktop.store.records import NewAttachment, Status
from desktop.store.store import Store
from desktop.this_machine import ThisMachine
from desktop.words.models import model_fault
from desktop.words.store import store_fault
from models.runtime.faults import RuntimeFault
from models.runtime.values import (
    Adapter,
    Bias,
    Constraint,
    ConstraintKind,
    Effort,
    Image,
    LoadOptions,
    Sampling,
    Speculation,
    Turn,
)
from providers.base import ChatRequest, Provider
from providers.errors import ProviderError, kind_of
from providers.events import Finished, LoadProgress, ReasoningDelta, TextDelta, Usage


class _Printer:
    """Writes an answer as it comes, and remembers it for `--json`."""

    def __init__(self, as_json: bool) -> None:
        self._as_json = as_json
        self._shown = -1
        self.text: list[str] = []
        self.reasoning: list[str] = []
        self.usage = Usage()
        self.finished: Finished | None = None
        self.failure: ProviderError | None = None

    def take(self, event: SessionEvent) -> None:
        match event:
            case TextDelta(text):
                self.text.append(text)
                if not self._as_json:
                    print(safe(text), end="", flush=True)
            case ReasoningDelta(text):
                self.reasoning.append(text)
            case LoadProgress(fraction):
                self._progress(round(fraction * 100))
            case Usage():
                self.usage = event
            case Finished():
                self.finished = event
            case Ended(answer, _) if answer.status is Status.FAILED:
                self.failure = ProviderError(
                    kind_of(answer.fault), answer.fault_detail, dict(answer.fault_facts)
                )
            case NotStored(fault):
                print(store_fault(fault).text, file=sys.stderr)
            case _:
                pass

    def _progress(self, percent: int) -> None:
        if sys.stderr.isatty() and percent > self._shown:
            self._shown = percent
            end = "\r" if percent < 100 else "\r\033[K"
            print(
                tr("Loading the model · {percent} %", percent=percent), end=end, file=sys.stderr, flush=True
            )

    def close(self, model: str) -> None:
        """The end of the output: a line break, or the JSON object."""
        if not self._as_json:
            print()
            if self.finished is not None and self.finished.omitted_turns:
                print(
                    tr("(The question was longer than the context; its oldest part was not used.)"),
                    file=sys.stderr,
                )
            return
        stop = self.finished.reason.value if self.finished else ""
        answer = {
            "model": model,
            "answer": "".join(self.text),
            "reasoning": "".join(self.reasoning),
            "stop": stop,
            "usage": asdict(self.usage),
        }
        print_json(answer)


async def ask(chosen: argparse.Namespace, paths: Paths, settings: Settings) -> int:
    """Exit status 0 done, 1 failed, 2 no question."""
    question = sys.stdin.read() if chosen.question == "-" else chosen.question
    if not question.strip():
        return failed(tr("There is no question."), code=2)
    path = chosen.model or current_model(settings)
    if path is None:
        return failed(tr("The starter model is missing. Name a model file with --model."))
    try:
        constraint = _constraint(chosen)
    except (OSError, UnicodeDecodeError):
        return failed(tr("The file {name} can't be read as text.", name=chosen.json_schema or chosen.grammar))
    sampling, wrong = _sampling(chosen, settings)
    if wrong:
        return failed(wrong, code=2)
    asked = Ask(
        system_prompt=settings.get("chat.system_prompt") if chosen.system is None else chosen.system,
        sampling=sampling,
        max_tokens=chosen.max_tokens or settings.get("sampling.max_tokens"),
        text=question,
        constraint=constraint,
        effort=Effort(chosen.think),
        adapters=tuple(
            Adapter(str(path.expanduser().absolute()), strength) for path, strength in chosen.adapter
        ),
    )
    path = path.expanduser().absolute()
    model = make_model(
        path,
        replace(_load_options(chosen, settings, path), projector=await projector_for(path, Library(paths))),
        answered=ThisMachine(paths.machine).answered,
        templates=make_templates(paths.templates),
        experience=Placements(paths.placements),
    )
    printer = _Printer(chosen.json)
    try:
        asked = replace(asked, attached=await _images(chosen.image or ()))
        if chosen.save:
            await _answer_and_save(asked, model, paths, printer)
        else:
            await _answer(asked, model, printer)
    except ProviderError as error:
        return failed(model_fault(error.kind, error.detail, error.facts, str(path)).text)
    except StoreFault as fault:
        return failed(store_fault(fault).text)
    except RuntimeFault as fault:
        return failed(model_fault(fault.fault, fault.detail, fault.facts, str(path)).text)
    finally:
        await model.close()
    printer.close(model.name)
    return 0


def _sampling(chosen: argparse.Namespace, settings: Settings) -> tuple[Sampling, str]:
    """How words are chosen: as in the settings, except for what was said here. And what is wrong with that."""
    sampling = settings.sampling()
    for name in ("temperature", "top_p", "top_k", "min_p", "repeat_penalty", "seed"):
        value = getattr(chosen, name)
        if value is None:
            continue
        problem = "" if name == "seed" else DECLARED[f"sampling.{name}"].problem(value)
        if problem:
            return sampling, f"--{name.replace('_', '-')}: {problem}"
        sampling = replace(sampling, **{name: value})
    stop = tuple(text for text in chosen.stop if text) or sampling.stop
    return replace(sampling, stop=stop, bias=tuple(Bias(word, amount) for word, amount in chosen.bias)), ""


def _load_options(chosen: argparse.Namespace, settings: Settings, path: Path) -> LoadOptions:
    options = options_for(settings, path)
    if chosen.draft is not None:
        draft = str(chosen.draft.expanduser().absolute())
        return replace(options, speculation=Speculation.DRAFT, draft=draft)
    if chosen.guess_ahead is not None:
        return replace(options, speculation=Speculation(chosen.guess_ahead))
    return options


def _constraint(chosen: argparse.Namespace) -> Constraint | None:
    """What the answer must keep to. Raises OSError or UnicodeDecodeError for a file that can't be read."""
    if chosen.json_answer:
        return Constraint(ConstraintKind.JSON)
    if chosen.json_schema is not None:
        return Constraint(ConstraintKind.SCHEMA, chosen.json_schema.read_text("utf-8-sig"))
    if chosen.grammar is not None:
        return Constraint(ConstraintKind.GRAMMAR, chosen.grammar.read_text("utf-8-sig"))
    return None


async def _images(files: Sequence[Path]) -> tuple[NewAttachment, ...]:
    """The images that go with the question. Raises `RuntimeFault`."""
    if not files:
        return ()
    pictures = Pictures()
    try:
        return tuple([await pictures.prepare_file(file.expanduser().absolute()) for file in files])
    finally:
        await pictures.close()


async def _answer(ask: Ask, model: Provider, printer: _Printer) -> None:
    """Nothing is stored: a question in a pipe is not a conversation."""
    images = tuple(Image(one.content) for one in ask.attached if isinstance(one, NewAttachment))
    turns = [Turn("user", ask.text, images)]
    if ask.system_prompt.strip():
        turns.insert(0, Turn("system", ask.system_prompt.strip()))
    request = ChatRequest(
        tuple(turns), ask.sampling, ask.max_tokens, ask.constraint, ask.adapters, effort=ask.effort
    )
    async with aclosing(model.stream(request)) as events:
        async for event in events:
            printer.take(event)


async def _answer_and_save(ask: Ask, model: Provider, paths: Paths, printer: _Printer) -> None:
    store = Store(paths.database)
    await store.open()
    try:
        session = Session(store)
        await session.run_turn(ask, model, printer.take)
        if not await session.store_what_is_left():
            raise StoreFault(StoreFaultKind.DISK_FULL, paths.database)
    finally:
        await store.close()
    if printer.failure is not None:
        raise printer.failure
