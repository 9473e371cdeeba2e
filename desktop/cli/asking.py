"""What a question in the terminal is made of, and how its answer is written, wherever the model is."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import asdict, replace
from pathlib import Path

from desktop.chat.context import turns_alone
from desktop.chat.session import Session
from desktop.chat.turns import Ask, Ended, NotStored, SessionEvent
from desktop.cli.terminal import print_json, safe
from desktop.i18n import tr
from desktop.paths import Paths
from desktop.pictures import Pictures
from desktop.store.faults import StoreFault, StoreFaultKind
from desktop.store.records import NewAttachment, Status
from desktop.store.store import Store
from desktop.words.store import store_fault
from models.runtime.values import Constraint, ConstraintKind, Turn
from providers.base import ChatRequest, Provider
from providers.errors import ProviderError, kind_of
from providers.events import Billed, Finished, LoadProgress, ReasoningDelta, TextDelta, Usage, Waiting


class Refused(Exception):
    """Nothing was asked. `sentence` says why; `code` is the exit status."""

    def __init__(self, sentence: str, code: int = 1) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.code = code


class Printer:
    """Writes an answer as it comes, and remembers it for `--json`."""

    def __init__(self, as_json: bool) -> None:
        self.as_json = as_json
        self._shown = -1
        self.text: list[str] = []
        self.reasoning: list[str] = []
        self.usage = Usage()
        self.billed = Billed()
        self.finished: Finished | None = None
        self.failure: ProviderError | None = None

    def take(self, event: SessionEvent) -> None:
        match event:
            case TextDelta(text):
                self.text.append(text)
                if not self.as_json:
                    print(safe(text), end="", flush=True)
            case ReasoningDelta(text):
                self.reasoning.append(text)
            case LoadProgress(fraction):
                self._progress(round(fraction * 100))
            case Waiting(seconds):
                told = tr("The service is busy; it is asked again in {seconds} s.", seconds=f"{seconds:g}")
                print(told, file=sys.stderr, flush=True)
            case Usage():
                self.usage = event
            case Billed():
                self.billed = event
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

    def close(self, model: str, provider: str = "") -> None:
        """The end of the output: a line break, or the JSON object. `provider`: its id, "" for this device."""
        if not self.as_json:
            print()
            if self.finished is not None and self.finished.omitted_turns:
                print(
                    tr("(The question was longer than the context; its oldest part was not used.)"),
                    file=sys.stderr,
                )
            return
        answer = {
            **({"provider": provider} if provider else {}),
            "model": model,
            "answer": "".join(self.text),
            "reasoning": "".join(self.reasoning),
            "stop": self.finished.reason.value if self.finished else "",
            "usage": asdict(self.usage),
            **(self._cost() if provider else {}),
        }
        print_json(answer)

    def _cost(self) -> dict[str, str | None]:
        """None: nobody knows, which is not nothing."""
        return {
            "cost": self.billed.cost or None,
            "currency": self.billed.currency or None,
            "cost_basis": self.billed.basis.value,
            "priced_on": self.billed.priced_on or None,
        }


def question_of(chosen: argparse.Namespace) -> str:
    """What is asked, from the command line or from standard input. Raises `Refused`."""
    question: str = sys.stdin.read() if chosen.question == "-" else chosen.question
    if not question.strip():
        raise Refused(tr("There is no question."), 2)
    return question


def constraint_of(chosen: argparse.Namespace) -> Constraint | None:
    """What the answer must keep to. Raises `Refused` for a file that can't be read."""
    if chosen.json_answer:
        return Constraint(ConstraintKind.JSON)
    try:
        if chosen.json_schema is not None:
            return Constraint(ConstraintKind.SCHEMA, chosen.json_schema.read_text("utf-8-sig"))
        if chosen.grammar is not None:
            return Constraint(ConstraintKind.GRAMMAR, chosen.grammar.read_text("utf-8-sig"))
    except (OSError, UnicodeDecodeError) as error:
        name = chosen.json_schema or chosen.grammar
        raise Refused(tr("The file {name} can't be read as text.", name=name)) from error
    return None


async def images_from(files: Sequence[Path]) -> tuple[NewAttachment, ...]:
    """The images that go with the question. Raises `RuntimeFault`."""
    if not files:
        return ()
    pictures = Pictures()
    try:
        return tuple([await pictures.prepare_file(file.expanduser().absolute()) for file in files])
    finally:
        await pictures.close()


# ---- a conversation that is kept


@asynccontextmanager
async def opened(paths: Paths) -> AsyncIterator[Store]:
    """The conversations. Raises `StoreFault`."""
    store = Store(paths.database)
    try:
        await store.open()
        yield store
    finally:
        await store.close()


async def continued(store: Store, ask: Ask, conversation_id: int) -> Ask:
    """The question as the next one of a conversation, behind what is shown of it. Raises `Refused`, `StoreFault`."""
    try:
        conversation = await store.conversation(conversation_id)
    except LookupError as error:
        raise _no_conversation(conversation_id) from error
    if conversation.trashed_at is not None:
        raise Refused(
            tr("Conversation {id} is in the trash. Restore it in the window first.", id=conversation_id)
        )
    return replace(ask, conversation_id=conversation.id, parent_id=conversation.head_id)


def check_conversation(paths: Paths, conversation_id: int | None) -> None:
    """Where nothing was ever kept there is nothing to go on with, and no file is made to find out."""
    if conversation_id is not None and not paths.database.exists():
        raise _no_conversation(conversation_id)


def _no_conversation(conversation_id: int) -> Refused:
    return Refused(
        tr("There is no conversation {id}. “alcove conversations” lists them.", id=conversation_id)
    )


# ---- the answer


def request_for(ask: Ask, turns: tuple[Turn, ...] | None = None, *, may_leave: bool = False) -> ChatRequest:
    """The request for a question that nothing is kept of, unless there are `turns` of a conversation."""
    return ChatRequest(
        turns_alone(ask) if turns is None else turns,
        ask.sampling,
        ask.max_tokens,
        ask.constraint,
        ask.adapters,
        effort=ask.effort,
        may_leave=may_leave,
    )


async def answer(request: ChatRequest, model: Provider, printer: Printer) -> None:
    """Nothing is stored: a question in a pipe is not a conversation. Raises `ProviderError`."""
    async with aclosing(model.stream(request)) as events:
        async for event in events:
            printer.take(event)


async def answer_and_save(ask: Ask, model: Provider, store: Store, paths: Paths, printer: Printer) -> None:
    """Question and answer are kept, whatever comes of it. Raises `ProviderError`, `StoreFault`."""
    session = Session(store)
    await session.run_turn(ask, model, printer.take)
    if not await session.store_what_is_left():
        raise StoreFault(StoreFaultKind.DISK_FULL, paths.database)
    if printer.failure is not None:
        raise printer.failure


def was_interrupted() -> bool:
    """Whether Ctrl+C ended the answer: what there is of one that is kept is kept, and the task ends normally."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
