"""`alcove remote`: the providers of remote models, and which are switched on. Sends nothing but for `models`.

alcove remote [--json]                          every provider: whether it is on, and where it is
alcove remote enable NAME | disable NAME        holds from the next request on
alcove remote info NAME                         what is known of what it does with what it gets
alcove remote models NAME [--json]              ask it which models it has
alcove remote only NAME [MODEL…]                the only models of it that may be asked; none named: any
alcove remote add KIND URL [--name TEXT] [--key] [--plain-http]
alcove remote remove NAME                       a server that was added
"""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from desktop.cli.terminal import failed, print_json, printable
from desktop.i18n import tr
from desktop.paths import Paths
from providers.remote.catalogue import kinds_of_own_servers
from providers.remote.chosen import FOLDER, Chosen, own_service, read_chosen, write_chosen
from providers.remote.values import Auth, RemoteModelInfo, Service

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]


def add_remote_command(commands: Commands) -> None:
    """Give the command line its `remote` command. What was chosen goes to `remote`."""
    whole = commands.add_parser("remote", help=tr("providers of remote models, off until switched on"))
    whole.add_argument("--json", action="store_true", help=tr("print JSON"))
    actions = whole.add_subparsers(dest="action", metavar=tr("action"))
    for name, words in (
        ("enable", tr("switch a provider on")),
        ("disable", tr("switch a provider off")),
        ("info", tr("what is known of what it does with what it gets")),
        ("remove", tr("take a server off the list that was added")),
    ):
        actions.add_parser(name, help=words).add_argument("name", metavar="NAME", help=tr("as listed"))
    models = actions.add_parser("models", help=tr("ask a provider which models it has"))
    models.add_argument("name", metavar="NAME", help=tr("as listed"))
    models.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help=tr("print JSON"))
    only = actions.add_parser("only", help=tr("say which models of it may be asked"))
    only.add_argument("name", metavar="NAME", help=tr("as listed"))
    only.add_argument(
        "model", metavar="MODEL", nargs="*", help=tr("as it calls them; none: any may be asked")
    )
    add = actions.add_parser("add", help=tr("add a server of your own"))
    add.add_argument("kind", choices=tuple(kinds_of_own_servers()), help=tr("what runs there"))
    add.add_argument("url", metavar="URL", help=tr("its address, such as https://models.example.org/v1"))
    add.add_argument("--name", metavar="TEXT", default="", help=tr("what to call it"))
    add.add_argument("--key", action="store_true", help=tr("it asks for a key"))
    add.add_argument(
        "--plain-http",
        action="store_true",
        help=tr("it is reached by http://: what is sent can be read on the way"),
    )


async def remote(chosen: argparse.Namespace, paths: Paths) -> int:
    """Exit status 0 done, 1 failed."""
    home = str(paths.home)
    now = read_chosen(home)
    if now.damaged:
        said = tr(
            "What was switched on and added can't be read any more, so every provider is off. The file is kept beside "
            "the next one that is written, as “providers.damaged”, in {folder}.",
            folder=paths.home / FOLDER,
        )
        print(printable(said), file=sys.stderr)
    match chosen.action:
        case None:
            return _list(now, chosen.json)
        case "add":
            return _add(home, now, chosen)
    service = now.known.get(chosen.name)
    if service is None:
        names = ", ".join(now.known)
        return failed(
            tr("There is no provider called {name}. There are {names}.", name=chosen.name, names=names)
        )
    match chosen.action:
        case "enable" | "disable":
            return _switch(home, now, service, chosen.action == "enable")
        case "remove":
            return _remove(home, now, service)
        case "only":
            return _only(home, now, service, chosen.model)
        case "info":
            return _info(service)
        case _:
            return await _models(service, chosen.json)


def _list(now: Chosen, as_json: bool) -> int:
    listed = [
        {
            "name": service.id,
            "title": service.name,
            "enabled": service.id in now.enabled,
            "url": service.base_url,
            "own": service.own,
        }
        for service in now.known.values()
    ]
    if as_json:
        print_json(listed)
        return 0
    for service in now.known.values():
        state = tr("on") if service.id in now.enabled else tr("off")
        print(printable(f"{service.id:12} {state:4} {service.name} · {service.base_url}"))
    return 0


def _switch(home: str, now: Chosen, service: Service, on: bool) -> int:
    if (status := _write(home, now.switched(service.id, on))) != 0:
        return status
    if not on:
        print(printable(tr("{name} is off. Nothing goes there.", name=service.name)))
        return 0
    print(
        printable(
            tr(
                "{name} is on. What is asked of its models goes to {url} when the network switch is at “remote”.",
                name=service.name,
                url=service.base_url,
            )
        )
    )
    return 0


def _only(home: str, now: Chosen, service: Service, models: list[str]) -> int:
    if (status := _write(home, now.only(service.id, models or None))) != 0:
        return status
    if models:
        said = tr(
            "Only these models of {name} may be asked: {models}.", name=service.name, models=", ".join(models)
        )
    else:
        said = tr("Any model of {name} may be asked.", name=service.name)
    print(printable(said))
    return 0


def _add(home: str, now: Chosen, asked: argparse.Namespace) -> int:
    kind = kinds_of_own_servers()[asked.kind]
    auth = (Auth.BEARER if kind.auth is Auth.NONE else kind.auth) if asked.key else Auth.NONE
    try:
        service = own_service(
            now.last_number + 1, asked.kind, asked.name or kind.name, asked.url, auth, asked.plain_http
        )
    except ValueError:
        if asked.url.startswith("http://") and not asked.plain_http:
            return failed(
                tr(
                    "{url} is not encrypted: what is sent there can be read on the way. If you want that, say "
                    "--plain-http. Nothing was changed.",
                    url=asked.url,
                )
            )
        return failed(
            tr(
                "{url} is not the address of a server: it begins with https:// and has no user name, “?” or “#” in it. "
                "Nothing was changed.",
                url=asked.url,
            )
        )
    if (status := _write(home, now.with_own(service))) != 0:
        return status
    print(
        printable(
            tr("{name} was added as {id}. It is off until you enable it.", name=service.name, id=service.id)
        )
    )
    return 0


def _remove(home: str, now: Chosen, service: Service) -> int:
    if not service.own:
        return failed(
            tr("{name} comes with Alcove and stays in the list; it can be switched off.", name=service.name)
        )
    if (status := _write(home, now.without_own(service.id))) != 0:
        return status
    print(
        printable(tr("{name} was taken off the list. Its key stays in the keychain.", name=service.name))
        if service.auth is not Auth.NONE
        else printable(tr("{name} was taken off the list.", name=service.name))
    )
    return 0


def _write(home: str, chosen: Chosen) -> int:
    try:
        write_chosen(home, chosen)
    except OSError as error:
        return failed(tr("This could not be stored: {why}. Nothing was changed.", why=error.strerror))
    return 0


def _info(service: Service) -> int:
    from providers.remote.facts import facts_of

    known = facts_of(service.id)
    print(printable(f"{service.name} · {service.base_url}"))
    if known is None:
        print(tr("A server of your own: what it does with what it gets is up to who runs it."))
        return 0
    print(printable(f"{known.who} · {known.country}"))
    for fact in known.facts:
        print()
        print(printable(f"{fact.topic.value}: {fact.text or tr('nothing is known')}"))
        if fact.source:
            print(printable(f"    {fact.source} · {fact.date or fact.checked}"))
    return 0


async def _models(service: Service, as_json: bool) -> int:
    from desktop.hub import Offline, connect
    from desktop.remote import models_of
    from desktop.words.models import model_fault
    from providers.errors import ProviderError

    try:
        client = connect()
    except Offline:
        return failed(
            tr("Alcove is offline, so it can't ask. Turn the network switch: “alcove network remote”.")
        )
    try:
        await client.ready()
        found = await models_of(client, service.id)
    except ProviderError as error:
        return failed(
            model_fault(error.kind, error.detail, {"provider": service.name, **error.facts}, "").text
        )
    finally:
        await client.close()
    if as_json:
        print_json([{"id": model.id, "name": model.name, "context": model.context_tokens} for model in found])
        return 0
    for model in found:
        print(printable(_line(model)))
    return 0


def _line(model: RemoteModelInfo) -> str:
    parts = (
        model.id,
        model.name if model.name != model.id else "",
        tr("{count} tokens", count=f"{model.context_tokens:,}") if model.context_tokens else "",
        tr("sees images") if model.sees else "",
        tr("calls tools") if model.calls_tools else "",
    )
    return " · ".join(part for part in parts if part)
