"""Locking a process: the one call a process makes before it imports anything of its role's own code."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from contextlib import suppress

from desktop.processes.home import home_folder
from desktop.processes.report import Gap, LockReport
from desktop.processes.roles import POLICIES, Network, Places, Role, allowed_network


def lock_down(role: Role, network: Network | None = None, places: Places | None = None) -> LockReport:
    """Take from this process, and from all its children, what `role` does not need. There is no way back.

    `network`: None for the role's own policy, or the weaker one that the role's table allows for GPU drivers;
    ValueError for any other. `places`: the files of a role that is kept to its own; None for those of this
    account's Alcove. Its own folders are made first: what is locked can't make them. Everything else
    that goes wrong is in the report: nothing is claimed that the self-test did not see.
    """
    network = allowed_network(role, network)
    places = places or Places(home_folder(os.environ))
    if POLICIES[role].own_folders_only:
        for folder in (*places.own, *places.readable):
            with suppress(OSError):  # then writing there fails, and is told where it is tried
                os.makedirs(folder, mode=0o700, exist_ok=True)
    # Each system's file is imported only there: they import what the others do not have.
    if sys.platform == "linux":
        from desktop.processes import linux

        return linux.lock(role, network, places)
    if sys.platform == "darwin":
        from desktop.processes import seatbelt

        return seatbelt.lock(role, network, places)
    # Windows has no filter that a process may put on its own calls: nothing is enforced, and nothing claimed.
    return LockReport.unlocked(role, Gap.SYSTEM, sys.platform)


def display_over_network(environ: Mapping[str, str]) -> bool:
    """Whether the window would be drawn over the network (`ssh -X`, DISPLAY=host:0), which the lock refuses.

    Follows how libxcb reads DISPLAY (xcb_util.c): `[protocol/][host]:number[.screen]`.
    """
    platform = environ.get("QT_QPA_PLATFORM", "").partition(":")[0]
    if platform not in ("", "xcb"):
        return False
    if not platform and environ.get("WAYLAND_DISPLAY"):
        return False
    display = environ.get("DISPLAY", "")
    if display.startswith(("/", "unix:")) or ":" not in display:
        return False
    protocol, slash, address = display.rpartition("/")
    host = address.rpartition(":")[0]
    return host != "" and host != "unix" and (not slash or protocol != "unix")
