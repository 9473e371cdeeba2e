"""`alcove ask`: one question, its answer streamed to standard output. A remote model's is in `ask_remote`."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from desktop.chat.turns import Ask
from desktop.cli.asking import (
    Printer,
    Refused,
    answer,
    answer_and_save,
    check_conversation,
    constraint_of,
    continued,
    images_from,
    opened,
    question_of,
    request_for,
    was_interrupted,
)
from desktop.cli.terminal import failed
from desktop.i18n import tr
from desktop.known_models import current_model
from desktop.library import Library
from desktop.local_models import make_model, make_templates
from desktop.own_settings import options_for
from desktop.paths import Paths
from desktop.placements import Placements
from desktop.settings import DECLARED, Settings
from desktop.sight import projector_for
from desktop.store.faults import StoreFault
from desktop.this_machine import ThisMachine
from desktop.words.models import model_fault
from desktop.words.store import store_fault
from models.runtime.faults import RuntimeFault
from models.runtime.values import Adapter, Bias, Effort, LoadOptions, Sampling, Speculation
from providers.base import Provider
from providers.errors import ProviderError


async def ask(chosen: argparse.Namespace, paths: Paths, settings: Settings) -> int:
    """Exit status 0 done, 1 failed, 2 wrong usage."""
    if chosen.yes_send and not chosen.remote:
        return failed(tr("--yes-send goes with --remote: nothing of this would be sent."), 2)
    try:
        if chosen.remote:
            from desktop.cli.ask_remote import ask_remote

            return await ask_remote(chosen, paths, settings)
        return await _ask_here(chosen, paths, settings)
    except Refused as refused:
        return failed(refused.sentence, refused.code)
    except StoreFault as fault:
        return failed(store_fault(fault).text)


async def _ask_here(chosen: argparse.Namespace, paths: Paths, settings: Settings) -> int:
    question = question_of(chosen)
    check_conversation(paths, chosen.conversation)
    path = chosen.model or current_model(settings)
    if path is None:
        return failed(tr("The starter model is missing. Name a model file with --model."))
    constraint = constraint_of(chosen)
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
    printer = Printer(chosen.json)
    try:
        asked = replace(asked, attached=await images_from(chosen.image or ()))
        await _answer(chosen, asked, model, paths, printer)
    except ProviderError as error:
        return failed(model_fault(error.kind, error.detail, error.facts, str(path)).text)
    except RuntimeFault as fault:
        return failed(model_fault(fault.fault, fault.detail, fault.facts, str(path)).text)
    finally:
        await model.close()
    printer.close(model.name)
    return 130 if was_interrupted() else 0


async def _answer(
    chosen: argparse.Namespace, asked: Ask, model: Provider, paths: Paths, printer: Printer
) -> None:
    if not chosen.save and chosen.conversation is None:
        await answer(request_for(asked), model, printer)
        return
    async with opened(paths) as store:
        if chosen.conversation is not None:
            asked = await continued(store, asked, chosen.conversation)
        await answer_and_save(asked, model, store, paths, printer)


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
