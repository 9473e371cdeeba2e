"""The roles a process of Alcove can play, and what each may do. This table is the whole policy."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    """What one process is for. The value is what stands on its command line."""

    DESKTOP = "desktop"
    WORKER = "worker"
    BROKER = "broker"
    SCANNER = "scanner"
    QUANTIZER = "quantizer"
    EMBEDDER = "embedder"


class Network(StrEnum):
    """What a process can reach through sockets, from least to most."""

    NONE = "none"  # no socket of any kind
    UNIX_ONLY = "unix-sockets-only"  # other programs on this machine, through AF_UNIX
    OUTGOING = "outgoing"  # TCP and UDP that this process begins, and AF_UNIX; nobody can connect to it
    OPEN = "open"  # whatever the machine can reach: no lock


@dataclass(frozen=True, slots=True)
class Policy:
    """What a role may do, and its limits. All of it is applied before the role's own code is imported."""

    does: str
    network: Network
    weaker: Network  # the loosest lock it may be started with, when a driver cannot work under `network`
    may_start_programs: bool  # execve and fork; threads are always possible
    may_change_files: bool  # create, write, rename or remove anything but GPU devices
    memory_limited: bool  # private memory up to the machine's physical memory, not beyond
    out_of_memory_score: int  # in /proc/self/oom_score_adj: the higher, the earlier the kernel ends it
    niceness: int  # added to the scheduling priority number: the higher, the more it yields to others
    own_folders_only: bool = False  # reads the system's and Alcove's program files and writes in its `Places`
    one_folder: bool = (
        False  # writes ordinary files in the one folder that its command line names, nothing else
    )


@dataclass(frozen=True, slots=True)
class Places:
    """The files of a role with `own_folders_only`, or the one folder of one with `one_folder`. Absolute paths."""

    home: str  # Alcove's folder: what is below it is closed, but for `OWN_FOLDERS`
    folders: tuple[str, ...] = ()  # more folders that may be written to

    @property
    def own(self) -> tuple[str, ...]:
        return tuple(os.path.join(self.home, name) for name in OWN_FOLDERS)

    @property
    def readable(self) -> tuple[str, ...]:
        return tuple(os.path.join(self.home, name) for name in READ_FOLDERS)

    @property
    def writable(self) -> tuple[str, ...]:
        return (*self.own, *self.folders)


OWN_FOLDERS = ("models", "ledger", "downloads")
"""Below Alcove's home: where a broker writes. The conversations and the settings lie beside them, closed."""
READ_FOLDERS = ("remote",)
"""Below Alcove's home: what a broker reads and can't change, which is what it is allowed."""


POLICIES: dict[Role, Policy] = {
    Role.DESKTOP: Policy(
        does="windows, conversations, the database, the decisions",
        network=Network.UNIX_ONLY,  # the display, the session bus and the keyring are Unix sockets
        weaker=Network.UNIX_ONLY,
        may_start_programs=True,  # workers
        may_change_files=True,
        memory_limited=False,
        out_of_memory_score=0,
        niceness=0,
    ),
    Role.WORKER: Policy(
        does="opens a model file from a stranger, renders its template, generates",
        network=Network.NONE,
        weaker=Network.UNIX_ONLY,  # some GPU drivers want a Unix socket
        may_start_programs=False,
        may_change_files=False,
        memory_limited=True,
        out_of_memory_score=500,
        niceness=5,
    ),
    Role.BROKER: Policy(
        does="every byte that leaves: decides, writes the row, then sends",
        network=Network.OUTGOING,
        weaker=Network.OUTGOING,
        may_start_programs=False,
        may_change_files=True,
        memory_limited=True,
        out_of_memory_score=300,
        niceness=0,
        own_folders_only=True,
    ),
    Role.SCANNER: Policy(
        does="looks for model files, reads their headers, hashes them",
        network=Network.NONE,
        weaker=Network.NONE,
        may_start_programs=False,
        may_change_files=False,
        memory_limited=True,
        out_of_memory_score=500,
        niceness=5,
    ),
    Role.QUANTIZER: Policy(
        does="opens a model file from a stranger and writes a smaller version of it",
        network=Network.NONE,
        weaker=Network.NONE,
        may_start_programs=False,
        may_change_files=False,
        memory_limited=True,
        out_of_memory_score=600,  # it can be asked for again; a conversation under way goes on
        niceness=10,
        one_folder=True,
    ),
    Role.EMBEDDER: Policy(
        does="opens a model file from a stranger, turns texts into vectors",
        network=Network.NONE,
        weaker=Network.UNIX_ONLY,  # as the worker's
        may_start_programs=False,
        may_change_files=False,
        memory_limited=True,
        out_of_memory_score=550,
        niceness=5,
    ),
}


def command_line(role: Role, network: Network | None = None, folder: str = "") -> list[str]:
    """The arguments that make a new process take `role`; the opposite of `from_command_line`, `folder_of`."""
    arguments = ["--role", role.value]
    if network is not None:
        arguments += ["--network", network.value]
    return [*arguments, "--folder", folder] if folder else arguments


def folder_of(arguments: Sequence[str]) -> str:
    """The one folder that a command line lets its role write in; "" for roles that have none."""
    *others, option, folder = ("", "", *arguments)
    return folder if option == "--folder" and others[2:4] == ["--role", Role.QUANTIZER.value] else ""


def from_command_line(arguments: Sequence[str]) -> tuple[Role, Network]:
    """The role and network policy a command line asks for. Without `--role` first, it is the desktop.

    Reads nothing but its own arguments, so that it can run before the lock. Raises ValueError for an
    unknown role, for a network policy looser than the role may have, and where a folder is missing.
    """
    if not arguments or arguments[0] != "--role":
        return Role.DESKTOP, POLICIES[Role.DESKTOP].network
    role = Role(arguments[1] if len(arguments) > 1 else "")
    if POLICIES[role].one_folder:
        if not os.path.isabs(folder_of(arguments)):
            raise ValueError(f"a {role} needs the folder it may write in: {list(arguments)!r}")
        arguments = arguments[:-2]
    if len(arguments) == 2:
        return role, POLICIES[role].network
    if len(arguments) != 4 or arguments[2] != "--network":
        raise ValueError(f"not the arguments of a child process: {list(arguments)!r}")
    return role, allowed_network(role, Network(arguments[3]))


def allowed_network(role: Role, network: Network | None) -> Network:
    """`network` if `role` may have it; for None the role's own. Raises ValueError when it may not."""
    policy = POLICIES[role]
    if network not in (None, policy.network, policy.weaker):
        raise ValueError(f"a {role} may not run with the network policy {network}")
    return network or policy.network
