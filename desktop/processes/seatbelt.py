"""macOS: the sandbox ("seatbelt") that the kernel asks before a locked process uses the network.

`sandbox_init` (sandbox.h) is marked deprecated by Apple, and is still what browsers lock their processes
with. Unlike on Linux a socket can be made, but not connected, bound or sent from: the self-test connects.
"""

from __future__ import annotations

import ctypes
import errno
import os
import resource
import socket
import sys
from contextlib import suppress

from desktop.processes.report import Gap, LockReport, Mechanism, Remaining
from desktop.processes.roles import POLICIES, Network, Places, Policy, Role

assert sys.platform != "win32"

# The window server, the pasteboard and the keychain are reached through Mach services and Unix sockets. The
# name resolver is a Unix socket too, and would carry any text out in a name to look up.
_UNIX_SOCKETS = """
(allow network* (local unix-socket) (remote unix-socket))
(deny network-outbound (literal "/private/var/run/mDNSResponder"))
"""
_NOT_REACHED = "(deny network-bind)\n(deny network-inbound)\n"
_NO_PROGRAMS = "(deny process-fork)\n(deny process-exec)\n"
# Devices stay writable, for GPU drivers.
_NO_FILE_CHANGES = '(deny file-write*)\n(allow file-write* (subpath "/dev"))\n'

# Documentation addresses (RFC 5737, RFC 3849), which belong to nobody; nothing is sent to them in any case.
_IPV4, _IPV6 = ("192.0.2.1", 9), ("2001:db8::1", 9)

_NOWHERE = Places("/nowhere")


def profile(policy: Policy, network: Network, places: Places = _NOWHERE) -> str:
    """The rules for a role, in seatbelt's own language. The last rule that fits decides."""
    text = "(version 1)\n(allow default)\n"
    text += _NOT_REACHED if network is Network.OUTGOING else "(deny network*)\n"
    if network is Network.UNIX_ONLY:
        text += _UNIX_SOCKETS
    if not policy.may_start_programs:
        text += _NO_PROGRAMS
    if not policy.may_change_files:
        text += _NO_FILE_CHANGES
    if policy.one_folder:
        for folder in places.folders:
            text += f"(allow file-write* (subpath {_quoted(folder)}))\n"
    if policy.own_folders_only:
        text += _NO_FILE_CHANGES + f"(deny file-read-data (subpath {_quoted(places.home)}))\n"
        for folder in places.writable:
            text += f"(allow file-read* file-write* (subpath {_quoted(folder)}))\n"
        for folder in places.readable:
            text += f"(allow file-read* (subpath {_quoted(folder)}))\n"
    return text


def _quoted(path: str) -> str:
    """A path as seatbelt's language writes text. Links are followed, as the kernel does before it compares."""
    plain = os.path.realpath(path).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{plain}"'


def lock(role: Role, network: Network, places: Places) -> LockReport:
    """Lock this process as `role` requires. Never raises: what could not be done is in the report."""
    policy = POLICIES[role]
    with suppress(OSError, ValueError):  # a core dump would hold conversations
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with suppress(OSError):
        os.nice(policy.niceness)
    try:
        _sandbox(profile(policy, network, places))
    except OSError as error:
        return LockReport.unlocked(role, Gap.KERNEL, str(error))
    self_test = _not_reached() if network is Network.OUTGOING else _self_test()
    not_refused = ", ".join(name for name, refused in self_test if not refused)
    if not_refused:
        return LockReport.unlocked(role, Gap.SELF_TEST, not_refused, self_test)
    remaining = [Remaining.LOCAL_SERVICES]  # Mach services answer in every role
    if network is Network.OUTGOING:
        remaining.insert(0, Remaining.NETWORK)
    if policy.may_change_files and not policy.own_folders_only:
        remaining.append(Remaining.CHANGE_FILES)
    return LockReport(role, Mechanism.SEATBELT, True, network, self_test, tuple(remaining))


def _sandbox(rules: str) -> None:
    """Apply the rules to this process and its children, for good. Raises OSError with the system's words."""
    library = ctypes.CDLL("/usr/lib/libSystem.B.dylib")
    message = ctypes.c_char_p()
    if library.sandbox_init(rules.encode(), ctypes.c_uint64(0), ctypes.byref(message)):
        words = (message.value or b"no reason given").decode(errors="replace")
        raise OSError(errno.EPERM, words)


def _self_test() -> tuple[tuple[str, bool], ...]:
    attempts = (
        ("IPv4 TCP", socket.AF_INET, socket.SOCK_STREAM, _IPV4),
        ("IPv4 UDP", socket.AF_INET, socket.SOCK_DGRAM, _IPV4),
        ("IPv6 TCP", socket.AF_INET6, socket.SOCK_STREAM, _IPV6),
        ("IPv6 UDP", socket.AF_INET6, socket.SOCK_DGRAM, _IPV6),
    )
    return tuple((name, _refused(family, kind, address)) for name, family, kind, address in attempts)


def _not_reached() -> tuple[tuple[str, bool], ...]:
    """For the process that may connect: nobody can connect to it."""
    return (("bind", _bind_refused(socket.SOCK_STREAM)), ("bind UDP", _bind_refused(socket.SOCK_DGRAM)))


def _bind_refused(kind: socket.SocketKind) -> bool:
    with socket.socket(socket.AF_INET, kind) as way_in:
        try:
            way_in.bind(("127.0.0.1", 0))
        except OSError as error:
            return error.errno == errno.EPERM
    return False


def _refused(family: int, kind: int, address: tuple[str, int]) -> bool:
    with socket.socket(family, kind) as way_out:
        way_out.setblocking(False)
        try:
            way_out.connect(address)
        except OSError as error:
            return error.errno == errno.EPERM
    return False
