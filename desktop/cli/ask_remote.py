"""`alcove ask --remote PROVIDER/MODEL`: a question to a remote model, shown first and sent only with `--yes-send`.

What is shown is made by what makes the request. It is the broker that sends: this process has no network.
"""

from __future__ import annotations

import argparse
import json
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit

from desktop.chat.context import turns_of
from desktop.chat.leaving import stays
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
from desktop.cli.terminal import failed, print_json, printable, safe
from desktop.hub import Offline, connect
from desktop.i18n import tr
from desktop.paths import Paths
from desktop.processes.switch import Position, read_switch
from desktop.remote import remembered
from desktop.settings import Settings
from desktop.store.store import Store
from desktop.words.leaving import (
    characters_of,
    estimate_words,
    images_of,
    not_sent_words,
    size_words,
    words_of_turns,
)
from desktop.words.models import model_fault
from models.runtime.faults import RuntimeFault
from models.runtime.values import Constraint, ConstraintKind, Effort
from providers.base import ChatRequest
from providers.costs.prices import Price, about_tokens, estimated, read_own, written
from providers.errors import ErrorKind, ProviderError
from providers.gate.client import BrokerClient
from providers.gate.faults import BrokerGone
from providers.remote.chosen import read_chosen
from providers.remote.dialects import dialect
from providers.remote.faults import RemoteFailure, RemoteFault
from providers.remote.values import HttpCall, Service
from providers.remote_model import RemoteModel

_FOR_MODELS_HERE = (
    *("model", "adapter", "guess_ahead", "draft", "seed", "temperature", "top_p", "top_k", "min_p"),
    *("repeat_penalty", "bias"),
)
"""Options that mean nothing to a remote model: services refuse such sampling, or take no notice."""

_SAID_BY_ALCOVE = frozenset({RemoteFault.GATE, RemoteFault.NO_BROKER, RemoteFault.UNSUPPORTED})
"""The details of these are not a service's words."""


@dataclass(frozen=True, slots=True)
class _There:
    """Where a question would go. `sees` None: nobody knows whether the model takes images."""

    service: Service
    model: str
    sees: bool | None

    @property
    def host(self) -> str:
        return urlsplit(self.service.base_url).netloc


async def ask_remote(chosen: argparse.Namespace, paths: Paths, settings: Settings) -> int:
    """Exit status 0 done, 1 failed or only shown, 2 wrong usage. Raises `Refused`, `StoreFault`."""
    _check_options(chosen)
    question = question_of(chosen)
    there = _there(chosen.remote, paths)
    check_conversation(paths, chosen.conversation)
    ask = Ask(
        system_prompt=settings.get("chat.system_prompt") if chosen.system is None else chosen.system,
        sampling=replace(
            settings.sampling(),
            stop=tuple(text for text in chosen.stop if text) or settings.sampling().stop,
        ),
        max_tokens=chosen.max_tokens or settings.get("sampling.max_tokens"),
        text=question,
        constraint=constraint_of(chosen),
        effort=Effort(chosen.think),
        agreed_to=there.service.id,  # only a question that is sent is ever stored
    )
    if chosen.image and there.sees is False:
        raise _refusal(there, RemoteFault.UNSUPPORTED, {"what": "images"})
    try:
        ask = replace(ask, attached=await images_from(chosen.image or ()))
    except RuntimeFault as fault:
        raise Refused(model_fault(fault.fault, fault.detail, fault.facts, there.model).text) from fault
    async with AsyncExitStack() as stack:
        store: Store | None = None
        turns = None
        if chosen.conversation is not None:
            store = await stack.enter_async_context(opened(paths))
            ask = await continued(store, ask, chosen.conversation)
            if stays(await store.conversation_options(chosen.conversation)):
                raise _refusal(there, RemoteFault.STAYS)
            turns = await turns_of(store, ask)
        request = request_for(ask, turns, may_leave=True)
        call = _http_call(there, request)  # what can't be asked for is refused before anything is stored
        if not chosen.yes_send:
            return _show(there, request, call, str(paths.home), chosen.json)
        if store is None and chosen.save:
            store = await stack.enter_async_context(opened(paths))
        return await _send(there, ask, request, store, paths, Printer(chosen.json))


def _check_options(chosen: argparse.Namespace) -> None:
    for name in _FOR_MODELS_HERE:
        given = getattr(chosen, name)
        if given is not None and given != []:
            option = "--" + name.replace("_", "-")
            raise Refused(
                tr(
                    "{option} is for models on this device. Leave it out to ask a remote model.",
                    option=option,
                ),
                2,
            )


def _there(target: str, paths: Paths) -> _There:
    """Where PROVIDER/MODEL is, if it may be asked now. Raises `Refused`."""
    home = str(paths.home)
    provider, _, model = target.partition("/")
    if not provider or not model:
        raise Refused(
            tr("A remote model is written PROVIDER/MODEL. “alcove remote models PROVIDER” lists them."), 2
        )
    now = read_chosen(home)
    service = now.known.get(provider)
    if service is None:
        names = ", ".join(now.known)
        raise Refused(
            tr("There is no provider called {name}. There are {names}.", name=provider, names=names)
        )
    infos = remembered(paths.home).get(provider)
    sees = next((one.sees for one in infos.models if one.id == model), None) if infos is not None else None
    there = _There(service, model, sees)
    if read_switch(home).position is not Position.REMOTE:
        raise _refusal(there, RemoteFault.OFFLINE, hint="alcove network remote")
    if provider not in now.services:
        facts = {"gate": "refused", "rule": "no-provider"}
        raise _refusal(there, RemoteFault.GATE, facts, hint=f"alcove remote enable {provider}")
    if not now.allows(provider, model):
        raise _refusal(there, RemoteFault.GATE, {"gate": "refused", "rule": "model"})
    return there


def _http_call(there: _There, request: ChatRequest) -> HttpCall:
    """The request as it would leave, without the key. Raises `Refused` for what this service can't be asked for."""
    call = RemoteModel(_nobody, there.service.id, there.service.name, there.model).call(request)
    try:
        return dialect(there.service.dialect).chat(call, there.service)
    except RemoteFailure as failure:
        raise _refusal(there, failure.fault, failure.facts) from failure


async def _nobody() -> BrokerClient:
    raise LookupError


def _refusal(
    there: _There, fault: ErrorKind, facts: dict[str, Any] | None = None, detail: str = "", hint: str = ""
) -> Refused:
    """`hint`: the command that changes it."""
    told = model_fault(fault, detail, {"provider": there.service.name, **(facts or {})}, there.model)
    more = tr("In the terminal: “{command}”.", command=hint) if hint else ""
    if told.detail and fault not in _SAID_BY_ALCOVE:
        more = tr("It said: “{words}”", words=told.detail)
    return Refused(" ".join(part for part in (told.text, more) if part))


# ---- sending


async def _send(
    there: _There, ask: Ask, request: ChatRequest, store: Store | None, paths: Paths, printer: Printer
) -> int:
    client: BrokerClient | None = None

    async def broker() -> BrokerClient:
        nonlocal client
        try:
            client = connect()
        except Offline as error:  # the switch lets remote models out, so it could not be started
            raise BrokerGone(str(error)) from error
        await client.ready()
        return client

    model = RemoteModel(broker, there.service.id, there.service.name, there.model)
    try:
        if store is None:
            await answer(request, model, printer)
        else:
            await answer_and_save(ask, model, store, paths, printer)
    except ProviderError as error:
        if printer.text and not printer.as_json:
            print()  # what had come of the answer ends where it broke
        refusal = _refusal(there, error.kind, error.facts, error.detail)
        return failed(refusal.sentence, refusal.code)
    finally:
        if client is not None:
            await client.close()
    printer.close(there.model, there.service.id)
    return 130 if was_interrupted() else 0


# ---- showing


def _show(there: _There, request: ChatRequest, call: HttpCall, home: str, as_json: bool) -> int:
    """All that would be sent, and where. Exit status 1: nobody was asked."""
    price = read_own(home).price_of(there.service, there.model)
    if as_json:
        print_json(_told(there, request, call, price))
    else:
        _print(there, request, price)
    return failed(tr("Nothing was sent. Say --yes-send as well to send this."))


def _print(there: _There, request: ChatRequest, price: Price | None) -> None:
    model, host, name = there.model, there.host, there.service.name
    said = tr(
        "This would leave this device, to {model} at {host} ({name}):", model=model, host=host, name=name
    )
    print(printable(said))
    print()
    print(safe(words_of_turns(request.turns)))
    print()
    for line in _form(request):
        print(safe(line))
    turns = request.turns
    print(size_words(turns), printable(estimate_words(price, characters_of(turns), images_of(turns))))
    print(printable(not_sent_words(host)))


def _form(request: ChatRequest) -> list[str]:
    """How the answer is asked for, as far as that is said to the service."""
    told = []
    if request.max_tokens is not None:
        told.append(tr("The answer may have {count} tokens at most.", count=f"{request.max_tokens:,}"))
    if request.sampling.stop:
        told.append(tr("It ends before: {texts}", texts=", ".join(map(json.dumps, request.sampling.stop))))
    if request.effort is not Effort.AUTOMATIC:
        told.append(tr("How much it thinks first: {effort}", effort=request.effort.value))
    if request.constraint is not None:
        told.append(_constraint_words(request.constraint))
    return told


def _constraint_words(constraint: Constraint) -> str:
    match constraint.kind:
        case ConstraintKind.JSON:
            return tr("It is to be JSON.")
        case ConstraintKind.SCHEMA:
            return tr("It is to be JSON that fits this schema:") + "\n" + constraint.text
    return tr("It is to keep to this grammar:") + "\n" + constraint.text


def _told(there: _There, request: ChatRequest, call: HttpCall, price: Price | None) -> dict[str, object]:
    """The same for programs, with the request as the service would get it. Amounts are decimal numbers as text."""
    turns = request.turns
    tokens = about_tokens(characters_of(turns), images_of(turns))
    found = estimated(price, tokens)
    return {
        "sent": False,
        "provider": there.service.id,
        "model": there.model,
        "host": there.host,
        "request": {
            "method": call.method,
            "url": there.service.base_url + call.path,
            "body": json.loads(call.body),
        },
        "estimate": {
            "tokens": tokens,
            "cost": None if found is None else written(found[0]),
            "cost_with_1000_tokens": None if found is None else written(found[1]),
            "currency": None if found is None else "USD",
            "priced_on": (price.priced_on or None) if price is not None and found is not None else None,
        },
    }
