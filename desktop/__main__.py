"""The one entry of every Alcove process: take a role, lock down, and only then import anything else.

What this file imports runs unlocked, so it is the standard library's smallest and `desktop.processes`, which
imports nothing else either; a test holds both to it.
"""

from __future__ import annotations

import os
import sys

from desktop.processes.again import stand_by
from desktop.processes.home import home_folder
from desktop.processes.lockdown import lock_down
from desktop.processes.roles import Places, Role, folder_of, from_command_line
from desktop.processes.switch import Position, read_switch


def main() -> int:
    """Run one role. Exit status: 0 done, 1 failed, 2 wrong usage."""
    os.environ["GGML_NO_BACKTRACE"] = "1"  # a failed assertion of llama.cpp would start a debugger
    try:
        role, network = from_command_line(sys.argv[1:])
    except ValueError as error:
        print(f"alcove: {error}", file=sys.stderr)
        return 2
    home = home_folder(os.environ)
    if role is Role.BROKER:
        return _broker(home)
    if len(sys.argv) == 1:  # the window, in which the network switch can be turned
        stand_by()
    if role is Role.DESKTOP and read_switch(home).position is not Position.OFFLINE:
        return _desktop_with_a_way_out(home)
    if role is Role.QUANTIZER:
        return _quantizer(home, folder_of(sys.argv[1:]))
    report = lock_down(role, network)
    if role is Role.WORKER:
        from desktop.processes.channel import StdioChannel

        channel = StdioChannel()  # first, so that nothing that prints while it is imported can disturb it
        from models.runtime import worker

        return worker.main(channel, report.summary, report.enforced)
    if role is Role.SCANNER:
        from desktop.processes.channel import StdioChannel

        channel = StdioChannel()
        from models.library import scanner

        return scanner.main(channel, report.summary, report.enforced)
    if role is Role.EMBEDDER:
        from desktop.processes.channel import StdioChannel

        channel = StdioChannel()
        from models.embedding import child

        return child.main(channel, report.summary, report.enforced)
    from desktop.commands import run

    return run(sys.argv[1:], report)


def _desktop_with_a_way_out(home: str) -> int:
    """The broker first: once this process is locked, whatever it starts is locked as well."""
    from desktop.processes.way_out import close_way_out, open_way_out

    problem = open_way_out(home)
    report = lock_down(Role.DESKTOP)
    if problem:
        print(f"alcove: no broker, so nothing can leave: {problem}", file=sys.stderr)
    from desktop.commands import run

    try:
        return run(sys.argv[1:], report)
    finally:
        close_way_out()


def _quantizer(home: str, folder: str) -> int:
    report = lock_down(Role.QUANTIZER, places=Places(home, (folder,)))
    from desktop.processes.channel import StdioChannel

    channel = StdioChannel()
    from models.quantization import child

    return child.main(channel, report.summary, report.enforced)


def _broker(home: str) -> int:
    """The one process with a network. What the switch says now holds for its whole life."""
    switch = read_switch(home)
    if switch.position is Position.OFFLINE:
        print("alcove: the network switch is offline: no broker runs", file=sys.stderr)
        return 1
    report = lock_down(Role.BROKER, places=Places(home, switch.folders))
    from desktop.processes.channel import StdioChannel

    channel = StdioChannel()
    from providers.gate import broker

    mirror = broker.Mirror(switch.mirror, switch.plain_http)
    setting = broker.Setting(home, broker.Position(switch.position.value), mirror)
    return broker.main(channel, setting, report.summary, report.enforced)


if __name__ == "__main__":
    sys.exit(main())
