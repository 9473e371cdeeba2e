"""Linux: the whole lock of a process, in order: limits, inherited sockets, Landlock, seccomp, self-test."""

from __future__ import annotations

import ctypes
import errno
import os
import resource
import stat
import sys
from contextlib import suppress

from desktop.processes import landlock, seccomp
from desktop.processes.report import Gap, LockReport, Mechanism, Remaining
from desktop.processes.roles import POLICIES, Network, Places, Policy, Role

assert sys.platform == "linux"

_AF_UNIX, _AF_INET, _AF_INET6, _AF_NETLINK, _AF_PACKET, _AF_VSOCK = 1, 2, 10, 16, 17, 40
_STREAM, _DATAGRAM, _RAW = 1, 2, 3
_SOL_SOCKET, _SO_DOMAIN = 1, 39
_CLONE_SIGHAND = 0x800
_TIOCSTI = 0x5412
_PTRACE_ATTACH = 16

Attempt = tuple[str, str, tuple[int, ...]]
"""A name for people, the system call and its arguments.

Each is built to fail harmlessly where nothing refuses it (a bad descriptor, process 0, a null pointer), with
another error than the lock's.
"""

_INTERNET: tuple[Attempt, ...] = (
    ("IPv4 TCP", "socket", (_AF_INET, _STREAM, 0)),
    ("IPv4 UDP", "socket", (_AF_INET, _DATAGRAM, 0)),
    ("IPv6 TCP", "socket", (_AF_INET6, _STREAM, 0)),
    ("IPv6 UDP", "socket", (_AF_INET6, _DATAGRAM, 0)),
)
_BEING_REACHED: tuple[Attempt, ...] = (
    ("raw packets", "socket", (_AF_INET, _RAW, 1)),
    ("bind", "bind", (-1, 0, 0)),
    ("listen", "listen", (-1, 1)),
    ("accept", "accept4", (-1, 0, 0, 0)),
)
_WAYS_OUT: tuple[Attempt, ...] = (
    ("netlink", "socket", (_AF_NETLINK, _RAW, 0)),
    ("packet", "socket", (_AF_PACKET, _RAW, 0)),
    ("vsock", "socket", (_AF_VSOCK, _STREAM, 0)),
    ("io_uring", "io_uring_setup", (0, 0)),
    ("ptrace", "ptrace", (_PTRACE_ATTACH, 0, 0, 0)),
    ("reading another process", "process_vm_readv", (0, 0, 0, 0, 0, 0)),
    ("taking another process's socket", "pidfd_getfd", (-1, 0, 0)),
    ("namespace", "unshare", (0,)),
    ("typing into the terminal", "ioctl", (-1, _TIOCSTI, 0)),
)
_LOCAL_SOCKETS: tuple[Attempt, ...] = (
    ("Unix socket", "socket", (_AF_UNIX, _STREAM, 0)),
    ("socket pair", "socketpair", (_AF_UNIX, _STREAM, 0, 0)),
    ("connect", "connect", (-1, 0, 0)),
    ("bind", "bind", (-1, 0, 0)),
    ("sendto", "sendto", (-1, 0, 0, 0, 0, 0)),
)
_PROGRAMS: tuple[Attempt, ...] = (
    ("starting a program", "execve", (0, 0, 0)),
    ("starting a process", "clone", (_CLONE_SIGHAND, 0, 0, 0, 0)),
)


def lock(role: Role, network: Network, places: Places) -> LockReport:
    """Lock this process as `role` requires. Never raises: what could not be done is in the report.

    `places`: whose files these are, for a role that is kept to its own folders.
    """
    policy = POLICIES[role]
    memory_limit = _limit(policy)
    libc = ctypes.CDLL(None, use_errno=True)
    libc.syscall.restype = ctypes.c_long
    architecture = seccomp.this_architecture()
    if architecture is None:
        return LockReport.unlocked(role, Gap.ARCHITECTURE, os.uname().machine, memory_limit=memory_limit)
    try:
        _close_foreign_sockets(libc)
        seccomp.forbid_new_privileges(libc)
        own_domain = landlock.confine(libc, policy, places)
        seccomp.install(libc, architecture, seccomp.program(architecture, policy, network))
    except OSError as error:
        return LockReport.unlocked(role, Gap.KERNEL, str(error), memory_limit=memory_limit)
    self_test = _self_test(libc, architecture, policy, network)
    if own_domain and policy.one_folder:
        self_test += (("writing outside its folder", not _can_open_a_file_for_writing()),)
    if own_domain and policy.own_folders_only:
        self_test += (("looking into Alcove's folder", _is_closed(places.home)),)
    not_refused = ", ".join(name for name, refused in self_test if not refused)
    if not_refused:
        return LockReport.unlocked(role, Gap.SELF_TEST, not_refused, self_test, memory_limit)
    return LockReport(
        role,
        Mechanism.SECCOMP,
        enforced=True,
        network=network,
        self_test=self_test,
        remaining=_remaining(network, own_domain),
        memory_limit=memory_limit,
    )


def _limit(policy: Policy) -> int | None:
    """Set the role's limits, each as far as the system lets it. Returns the memory limit in bytes, if any."""
    with suppress(OSError, ValueError):  # a core dump would hold conversations
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with suppress(OSError):
        os.nice(policy.niceness)
    if policy.out_of_memory_score:
        with suppress(OSError), open("/proc/self/oom_score_adj", "w", encoding="ascii") as score:
            score.write(str(policy.out_of_memory_score))
    if not policy.memory_limited:
        return None
    # Private memory, not address space: GPU drivers and mapped weights take more of that than there is.
    limit = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    if hard != resource.RLIM_INFINITY:
        limit = min(limit, hard)
    try:
        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    except (OSError, ValueError):
        return None
    return limit


def _close_foreign_sockets(libc: ctypes.CDLL) -> None:
    """Close the sockets this process was started with, Unix sockets excepted: no filter sees their use."""
    for name in os.listdir("/proc/self/fd"):
        descriptor = int(name)
        try:
            is_socket = stat.S_ISSOCK(os.fstat(descriptor).st_mode)
        except OSError:  # the listing's own descriptor
            continue
        if not is_socket or _family(libc, descriptor) == _AF_UNIX:
            continue
        nowhere = os.open(os.devnull, os.O_RDWR)  # keeps the number taken, so that nothing else lands on it
        os.dup2(nowhere, descriptor)
        os.close(nowhere)


def _family(libc: ctypes.CDLL, descriptor: int) -> int:
    """The socket's address family, or -1 when the system does not say."""
    family, size = ctypes.c_int(-1), ctypes.c_uint(ctypes.sizeof(ctypes.c_int))
    libc.getsockopt(descriptor, _SOL_SOCKET, _SO_DOMAIN, ctypes.byref(family), ctypes.byref(size))
    return family.value


def _self_test(
    libc: ctypes.CDLL, architecture: seccomp.Architecture, policy: Policy, network: Network
) -> tuple[tuple[str, bool], ...]:
    """Try every way out that the policy closes. Returns each with whether it was refused."""
    attempts = _WAYS_OUT + (_BEING_REACHED if network is Network.OUTGOING else _INTERNET)
    if network is Network.NONE:
        attempts += _LOCAL_SOCKETS
    if not policy.may_start_programs:
        attempts += _PROGRAMS
    return tuple((name, _refused(libc, architecture, call, args)) for name, call, args in attempts)


def _refused(
    libc: ctypes.CDLL, architecture: seccomp.Architecture, call: str, arguments: tuple[int, ...]
) -> bool:
    number = architecture.number(call)
    if number is None:
        return True  # this architecture has no such call
    result = libc.syscall(ctypes.c_long(number), *(ctypes.c_long(value) for value in arguments))
    if result >= 0:
        if call == "socket":
            os.close(result)
        return False
    return ctypes.get_errno() == errno.EPERM


def _is_closed(folder: str) -> bool:
    """Whether this folder, where the conversations are, can no longer be looked into."""
    try:
        os.close(os.open(folder, os.O_RDONLY | os.O_DIRECTORY))
    except PermissionError:
        return True
    except OSError:
        return False
    return False


def _remaining(network: Network, own_domain: bool) -> tuple[Remaining, ...]:
    """What this process can still do, with its lock taken. `own_domain`: whether Landlock holds."""
    remaining = []
    if network is Network.OUTGOING:
        remaining.append(Remaining.NETWORK)
    if network in (Network.UNIX_ONLY, Network.OUTGOING):
        remaining.append(Remaining.LOCAL_SERVICES)
    if _can_open_a_file_for_writing():
        remaining.append(Remaining.CHANGE_FILES)
    if not own_domain:
        remaining.append(Remaining.OTHER_PROGRAMS)
    return tuple(remaining)


def _can_open_a_file_for_writing() -> bool:
    try:
        # This thread's own name: always there, always its owner's to write, and not written here.
        os.close(os.open("/proc/self/comm", os.O_WRONLY))
    except OSError:
        return False
    return True
