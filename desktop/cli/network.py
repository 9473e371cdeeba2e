"""`alcove network`: where the network switch stands, and turning it. It is read at the next start."""

from __future__ import annotations

import argparse
from dataclasses import replace

from desktop.cli.terminal import failed, printable
from desktop.i18n import tr
from desktop.paths import Paths
from desktop.processes.switch import Position, Switch, read_stored, read_switch, write_switch
from providers.gate.address import is_this_machine, mirror_address
from providers.gate.rules import Mirror

_PUBLIC = "public"


def network(chosen: argparse.Namespace, paths: Paths) -> int:
    """Exit status 0 done, 1 failed."""
    home = str(paths.home)
    if chosen.position is None and chosen.hub is None:
        switch = read_switch(home)
        print(printable(" · ".join(part for part in (switch.position.value, switch.mirror) if part)))
        return 0
    switch = read_stored(home)
    if chosen.hub is not None:
        if problem := _hub_problem(chosen.hub):
            return failed(problem)
        switch = _with_hub(switch, chosen.hub)
    if chosen.position is not None:
        switch = replace(switch, position=Position(chosen.position))
    try:
        write_switch(home, switch)
    except OSError as error:
        return failed(
            tr("The network switch could not be stored: {why}. Nothing was changed.", why=error.strerror)
        )
    if switch.mirror and switch.position is not Position.OFFLINE:
        told = tr(
            "{position}, from {hub}: from the next start on.", position=switch.position, hub=switch.mirror
        )
    else:
        told = tr("{position}: from the next start on.", position=switch.position)
    print(printable(told))
    return 0


def _with_hub(switch: Switch, url: str) -> Switch:
    if url == _PUBLIC:
        return replace(switch, mirror="", plain_http=False)
    return replace(switch, mirror=url.rstrip("/"), plain_http=url.startswith("http://"))


def _hub_problem(url: str) -> str:
    """Why an address can't be the hub's; "" when it can."""
    if url == _PUBLIC:
        return ""
    address = mirror_address(Mirror(url))
    if address is None:
        return tr(
            "{hub} is not the address of a model hub: it begins with https:// and has no user name, “?” or “#” in it. "
            "Nothing was changed.",
            hub=url,
        )
    if address.scheme == "http" and not is_this_machine(address.host):
        return tr(
            "{hub} is not encrypted, and everybody on the way could change what is fetched. Only a hub on this "
            "computer itself may be reached by http://. Nothing was changed.",
            hub=url,
        )
    return ""
