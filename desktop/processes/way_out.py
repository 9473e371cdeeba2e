"""Starting the broker, the one process with a network, before the desktop gives its own up for good.

A locked process can start no unlocked one, so this happens first, in plain `subprocess`: two pipes and a
process, and no event loop. Whoever has a loop later takes the pipes over (`desktop.processes.adopted`).
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress

from desktop.processes.environment import broker_environment
from desktop.processes.roles import Role, command_line

_PATIENCE = 2.0  # seconds that a broker gets to write its last rows once its input has ended

BrokerProcess = subprocess.Popen[bytes]

_running: BrokerProcess | None = None
_taken = False  # whether somebody may have asked it for something


def open_way_out(home: str, environ: Mapping[str, str] = os.environ) -> str:
    """Start the broker for the Alcove at `home`. Returns "", or why there is none; never raises.

    It reads the switch itself, locks itself, and dies with this process's end of its pipe.
    """
    global _running
    try:
        _running = start_broker(home, environ)
    except (OSError, ValueError) as error:
        return str(error)
    return ""


def broker() -> BrokerProcess | None:
    """The broker that was started with this process; None while the switch is offline or none could start.

    For one caller, who takes over its pipes.
    """
    global _taken
    _taken = True
    return _running


def start_broker(home: str, environ: Mapping[str, str]) -> BrokerProcess:
    """A new broker process with three pipes. Raises OSError."""
    flags = 0
    if sys.platform == "win32":
        flags = subprocess.CREATE_NO_WINDOW | subprocess.BELOW_NORMAL_PRIORITY_CLASS
    return subprocess.Popen(
        [sys.executable, "-X", "utf8", "-P", "-m", "desktop", *command_line(Role.BROKER)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        bufsize=0,
        # The root folder holds no module or library that could be put in its way.
        cwd=os.path.abspath(os.sep),
        env=broker_environment(environ, home),
        start_new_session=True,  # Ctrl+C in a terminal is for the parent
        creationflags=flags,
    )


def close_way_out() -> None:
    """End the broker in good order: what is under way is cut off and its rows are closed. Waits at most 2 s.

    One that nobody asked for anything has nothing to finish, and nobody waits for it.
    """
    global _running
    process, _running = _running, None
    if process is not None:
        if not _taken:
            process.kill()
        end_broker(process)


def end_broker(process: BrokerProcess) -> None:
    """Close its input and wait for its end, then insist. Safe when it has gone already."""
    if process.stdin is not None:
        with suppress(OSError):
            process.stdin.close()
    try:
        process.wait(_PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for pipe in (process.stdout, process.stderr):
        if pipe is not None:
            with suppress(OSError):
                pipe.close()
