"""`alcove keys`: keys for services outside, in the system's keychain. None is ever printed.

alcove keys                 which are set, and the state of the keychain
alcove keys set hub [-]     typed without an echo, or from standard input with -
alcove keys remove hub
alcove keys test hub        ask the service whether it takes the key; the network switch must allow it

“hub” is the model hub; any other name is a provider's, as “alcove remote” lists them.
"""

from __future__ import annotations

import argparse
import getpass
import sys
from typing import TYPE_CHECKING

from desktop.cli.terminal import failed, print_json, printable
from desktop.i18n import tr

if TYPE_CHECKING:
    from desktop.keys import KeyStatus
    from desktop.paths import Paths
    from providers.keys import KeyPlace

    Commands = argparse._SubParsersAction[argparse.ArgumentParser]

_MOST_READ = 4096


def add_keys_command(commands: Commands) -> None:
    """Give the command line its `keys` command. What was chosen goes to `keys`."""
    whole = commands.add_parser(
        "keys", help=tr("keys for the model hub and for providers, in the system's keychain")
    )
    whole.add_argument("--json", action="store_true", help=tr("print JSON"))
    actions = whole.add_subparsers(dest="action", metavar=tr("action"))
    for name, words in (
        ("set", tr("store a key; it is asked for without an echo")),
        ("remove", tr("remove a key")),
        ("test", tr("ask the service whether it takes the key")),
    ):
        action = actions.add_parser(name, help=words)
        action.add_argument(
            "owner",
            metavar="NAME",
            help=tr("whose key: hub, the model hub; or a provider, as “remote” lists it"),
        )
        if name == "set":
            action.add_argument(
                "source", nargs="?", choices=("-",), help=tr("- reads it from standard input")
            )


async def keys(chosen: argparse.Namespace, paths: Paths) -> int:
    """Exit status 0 done, 1 failed, 2 wrong usage."""
    from desktop.keys import KeyFailed

    places = _places(paths)
    if chosen.action is None:
        return await _list(list(places.values()), chosen.json)
    place = places.get(chosen.owner)
    if place is None:
        return failed(
            tr(
                "There is no {name} to have a key for. There are {names}.",
                name=chosen.owner,
                names=", ".join(places),
            ),
            2,
        )
    try:
        match chosen.action:
            case "set":
                return await _set(place, chosen.source == "-")
            case "remove":
                return await _remove(place)
            case _:
                return await _test(place)
    except KeyFailed as fault:
        return failed(_words(fault.code))


def _places(paths: Paths) -> dict[str, KeyPlace]:
    """Where keys are kept, by whose they are: the hub's first."""
    from desktop.keys import places
    from desktop.processes.switch import read_switch
    from desktop.remote import key_place
    from providers.keys import HUB
    from providers.remote.chosen import read_chosen
    from providers.remote.values import Auth

    home = str(paths.home)
    (hub,) = places(read_switch(home).mirror)
    services = read_chosen(home).known.values()
    return {HUB: hub, **{one.id: key_place(one) for one in services if one.auth is not Auth.NONE}}


def _words(code: str) -> str:
    from desktop.words.keys import key_problem_words, keychain_words

    if not code.startswith("keychain_"):
        return key_problem_words(code)
    words = keychain_words(code)
    if code in ("keychain_absent", "keychain_none_made"):
        words += " " + tr(
            "So a key can't be kept here, and nothing was stored. In the window a key can be given for one run."
        )
    return words


async def _list(places: list[KeyPlace], as_json: bool) -> int:
    from desktop.keys import status
    from desktop.words.keys import keychain_words

    found = [await status(places[0])]
    if found[0].stored is not None:  # else the keychain does not say, and would not say it of the others
        found += [await status(place) for place in places[1:]]
    if as_json:
        print_json(
            {
                "keychain": found[0].keychain,
                "state": found[0].state.value,
                "keys": [
                    {"owner": one.place.owner, "service": one.place.service, "stored": one.stored}
                    for one in found
                ],
            }
        )
        return 0
    print(printable(f"{found[0].keychain}: {keychain_words(found[0].state.value)}"))
    for one in found:
        print(printable(f"{one.place.owner} ({one.place.host}) · {_stored(one)} · {one.place.service}"))
    return 0


def _stored(found: KeyStatus) -> str:
    match found.stored:
        case True:
            return tr("a key is stored")
        case False:
            return tr("no key")
        case None:
            return tr("not known")


async def _set(place: KeyPlace, from_input: bool) -> int:
    from desktop.keys import save

    if from_input:
        # The last line break comes from `echo`, not from the key.
        key = sys.stdin.read(_MOST_READ).removesuffix("\n").removesuffix("\r")
    elif sys.stdin.isatty():
        key = getpass.getpass(tr("Key for {host} (it is not shown): ", host=place.host)).strip()
    else:
        return failed(tr("There is no terminal to ask for the key. Use - to read it from standard input."), 2)
    await save(place, key)
    print(printable(tr("The key for {host} is in the keychain.", host=place.host)))
    return 0


async def _remove(place: KeyPlace) -> int:
    from desktop.keys import remove

    if await remove(place):
        print(printable(tr("The key for {host} was removed from the keychain.", host=place.host)))
    else:
        print(printable(tr("There was no key for {host} in the keychain.", host=place.host)))
    return 0


async def _test(place: KeyPlace) -> int:
    from desktop.hub import HubFailed, Offline, connect
    from desktop.keys import test
    from desktop.words.hub import hub_fault
    from desktop.words.models import model_fault
    from providers.errors import ProviderError
    from providers.gate.faults import BrokerGone, GateError

    try:
        client = connect()
    except Offline:
        return failed(
            tr(
                "Alcove is offline, so the key can't be tested. Turn the network switch: “alcove network downloads”."
            )
        )
    try:
        await client.ready()
        account = await test(client, place)
    except ProviderError as error:
        facts: dict[str, int | str] = {"provider": place.host, **error.facts}
        return failed(model_fault(error.kind, error.detail, facts, "").text)
    except HubFailed as fault:
        return failed(hub_fault(fault.code, fault.facts).text)
    except GateError as error:
        return failed(hub_fault(error.rule or error.fault.value, {}).text)
    except BrokerGone:
        return failed(hub_fault("gone", {}).text)
    finally:
        await client.close()
    if account:
        print(
            printable(tr("{host} takes the key; it belongs to {account}.", host=place.host, account=account))
        )
    else:
        print(printable(tr("{host} takes the key.", host=place.host)))
    return 0
