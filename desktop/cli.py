"""Alcove in the terminal: the same core as the window, without Qt.

Standard output carries only what was asked for; progress and problems go to standard error.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from contextlib import aclosing
from dataclasses import asdict, replace
from pathlib import Path

from desktop.chat.session import Session
from desktop.chat.turns import Ask, Ended, NotStored, SessionEvent
from desktop.doctor import examine
from desktop.i18n import tr
from desktop.known_models import current_model, known_models, model_name
from desktop.local_models import inspect_model, make_model
from desktop.paths import Paths
from desktop.processes.report import LockReport
from desktop.settings import Settings
from desktop.store.faults import StoreFault, StoreFaultKind
from desktop.store.records import Status
from desktop.store.store import Store
from desktop.words import gigabytes, model_fault, store_fault
from models.runtime.faults import Fault
from models.runtime.values import Turn
from providers.base import ChatRequest, Provider
from providers.errors import ProviderError
from providers.events import Finished, LoadProgress, ReasoningDelta, TextDelta, Usage


def run(chosen: argparse.Namespace, paths: Paths, report: LockReport) -> int:
    """Carry out one command. Exit status 0 done, 1 failed."""
    settings = Settings(paths.settings)
    settings.load()
    match chosen.command:
        case "ask":
            return asyncio.run(_ask(chosen, paths, settings))
        case "conversations":
            return asyncio.run(_conversations(paths, chosen.json))
        case "models":
            return asyncio.run(_models(settings, chosen.json))
        case _:
            return asyncio.run(_doctor(paths, report, chosen.json))


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
                    print(_safe(text), end="", flush=True)
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
                    Fault(answer.fault), answer.fault_detail, dict(answer.fault_facts)
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
        print(json.dumps(answer, ensure_ascii=False, indent=2))


async def _ask(chosen: argparse.Namespace, paths: Paths, settings: Settings) -> int:
    question = sys.stdin.read() if chosen.question == "-" else chosen.question
    if not question.strip():
        return _failed(tr("There is no question."), code=2)
    path = chosen.model or current_model(settings)
    if path is None:
        return _failed(tr("The starter model is missing. Name a model file with --model."))
    sampling = settings.sampling()
    ask = Ask(
        system_prompt=settings.get("chat.system_prompt") if chosen.system is None else chosen.system,
        sampling=sampling if chosen.seed is None else replace(sampling, seed=chosen.seed),
        max_tokens=chosen.max_tokens or settings.get("sampling.max_tokens"),
        text=question,
    )
    model = make_model(path.expanduser().absolute(), settings.load_options())
    printer = _Printer(chosen.json)
    try:
        if chosen.save:
            await _answer_and_save(ask, model, paths, printer)
        else:
            await _answer(ask, model, printer)
    except ProviderError as error:
        return _failed(model_fault(error.kind, error.detail, error.facts, str(path)).text)
    except StoreFault as fault:
        return _failed(store_fault(fault).text)
    finally:
        await model.close()
    printer.close(model.name)
    return 0


async def _answer(ask: Ask, model: Provider, printer: _Printer) -> None:
    """Nothing is stored: a question in a pipe is not a conversation."""
    turns = [Turn("user", ask.text)]
    if ask.system_prompt.strip():
        turns.insert(0, Turn("system", ask.system_prompt.strip()))
    async with aclosing(model.stream(ChatRequest(tuple(turns), ask.sampling, ask.max_tokens))) as events:
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


async def _conversations(paths: Paths, as_json: bool) -> int:
    if not paths.database.exists():
        conversations = []
    else:
        store = Store(paths.database)
        try:
            await store.open()
            conversations = await store.conversations()
        except StoreFault as fault:
            return _failed(store_fault(fault).text)
        finally:
            await store.close()
    if as_json:
        print(
            json.dumps([asdict(conversation) for conversation in conversations], ensure_ascii=False, indent=2)
        )
        return 0
    for conversation in conversations:
        day = time.strftime("%Y-%m-%d %H:%M", time.localtime(conversation.updated_at))
        print(f"{conversation.id:>6}  {day}  {printable(conversation.title)}")
    if not conversations:
        print(tr("No conversations yet."), file=sys.stderr)
    return 0


async def _models(settings: Settings, as_json: bool) -> int:
    found = [await _described(path) for path in known_models(settings)]
    if as_json:
        print(json.dumps(found, ensure_ascii=False, indent=2))
        return 0
    for model in found:
        print(
            printable(
                " · ".join(str(model[key]) for key in ("name", "size", "path", "problem") if model[key])
            )
        )
    return 0


async def _described(path: Path) -> dict[str, object]:
    """One model as `alcove models` tells it; the file is opened in a locked process."""
    try:
        card = await inspect_model(path)
    except ProviderError as error:
        problem = model_fault(error.kind, error.detail, error.facts, str(path)).text
        return {
            "path": str(path),
            "name": model_name(path, None),
            "size": "",
            "problem": problem,
            "header": None,
        }
    name = model_name(path, card)
    return {
        "path": str(path),
        "name": name,
        "size": gigabytes(card.file_bytes),
        "problem": "",
        "header": asdict(card),
    }


async def _doctor(paths: Paths, report: LockReport, as_json: bool) -> int:
    findings = await examine(paths, report)
    if as_json:
        print(json.dumps([asdict(finding) for finding in findings], ensure_ascii=False, indent=2))
    else:
        for finding in findings:
            print(f"{'ok  ' if finding.works else 'NOT '} {finding.topic}: {printable(finding.text)}")
    return 0 if all(finding.works for finding in findings) else 1


def _safe(text: str) -> str:
    """A model's words for a terminal: escape sequences could retitle it, move its cursor or write its clipboard."""
    return "".join(
        c
        for c in text
        if c in "\n\t" or c.isprintable() or (c.isspace() and c not in "\r\v\f\x1c\x1d\x1e\x85")
    )


def printable(text: str) -> str:
    """Untrusted text for a terminal: without the control characters that could move its cursor or change it."""
    return "".join(character if character.isprintable() else " " for character in text)


def _failed(sentence: str, code: int = 1) -> int:
    print(printable(sentence), file=sys.stderr)
    return code
