"""Whether a window can be shown at all, asked before Qt is: Qt's own answer is to abort the process."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from desktop.i18n import tr
from desktop.processes.lockdown import display_over_network


def display_problem(environ: Mapping[str, str], system: str) -> str:
    """Why there can be no window here, as a sentence; empty when there can. `system` as in `sys.platform`."""
    if system != "linux" or environ.get("QT_QPA_PLATFORM"):
        return ""
    if display_over_network(environ):
        return tr(
            "This display is reached over the network (DISPLAY={display}), and Alcove locks the network away from "
            'itself. Open Alcove on the machine you sit at, or use: alcove ask "…"',
            display=environ.get("DISPLAY", ""),
        )
    if environ.get("WAYLAND_DISPLAY") or _x11_socket(environ.get("DISPLAY", "")):
        return ""
    return tr('There is no display to open a window on. In a terminal, ask with: alcove ask "…"')


def _x11_socket(display: str) -> bool:
    """Whether a local X server listens for this DISPLAY: its socket in the file system, or the abstract one."""
    match = re.fullmatch(r"(?:unix|localhost/unix)?:(\d+)(?:\.\d+)?", display)
    if match is None:
        return False
    name = f"/tmp/.X11-unix/X{match[1]}"  # where X11 puts it, see X(7)
    if Path(name).exists():
        return True
    try:
        return f"@{name}\n" in Path("/proc/net/unix").read_text("utf-8", "replace")
    except OSError:
        return False
