"""`alcove network`: where the network switch stands, and turning it. It is read at the next start."""

from __future__ import annotations

import argparse
from dataclasses import replace

from desktop.cli.terminal import failed
from desktop.i18n import tr
from desktop.paths import Paths
from desktop.processes.switch import Position, read_switch, write_switch


def network(chosen: argparse.Namespace, paths: Paths) -> int:
    """Exit status 0 done, 1 failed."""
    home = str(paths.home)
    switch = read_switch(home)
    if chosen.position is None:
        print(switch.position.value)
        return 0
    try:
        write_switch(home, replace(switch, position=Position(chosen.position)))
    except OSError as error:
        return failed(
            tr("The network switch could not be stored: {why}. Nothing was changed.", why=error.strerror)
        )
    print(tr("{position}: from the next start on.", position=chosen.position))
    return 0
