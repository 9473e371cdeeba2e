"""Linux: the filter that the kernel asks before every system call of a locked process.

The filter is a program for the kernel's classic BPF machine (linux/filter.h, Documentation/userspace-api/
seccomp_filter.rst). It can compare numbers, not follow pointers: it sees which call is made and which family
a socket would have, not which path a Unix socket is connected to.

Refused calls answer EPERM, as if the account lacked the right: libraries are used to that.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct
import sys
from dataclasses import dataclass

from desktop.processes.roles import Network, Policy

assert sys.platform != "win32"

# Names to numbers: x86-64 (asm/unistd_64.h), 64-bit Arm (asm-generic/unistd.h); None where it does not exist.
_NUMBERS: dict[str, tuple[int | None, int | None]] = {
    # sockets
    "socket": (41, 198),
    "socketpair": (53, 199),
    "connect": (42, 203),
    "bind": (49, 200),
    "listen": (50, 201),
    "accept": (43, 202),
    "accept4": (288, 242),
    "sendto": (44, 206),
    "sendmsg": (46, 211),
    "sendmmsg": (307, 269),
    "recvmsg": (47, 212),
    "recvmmsg": (299, 243),
    # a ring of requests that the kernel runs without asking the filter: connect and send among them
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    # another process's memory or open connections
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "pidfd_getfd": (438, 438),
    # the kernel's own programming interfaces; code in the kernel is behind every lock
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "kexec_load": (246, 104),
    "kexec_file_load": (320, 294),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "delete_module": (176, 106),
    "iopl": (172, None),
    "ioperm": (173, None),
    # other views of the machine: namespaces, mounts, files by handle
    "unshare": (272, 97),
    "setns": (308, 268),
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "open_tree": (428, 428),
    "open_tree_attr": (467, 467),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fspick": (433, 433),
    "mount_setattr": (442, 442),
    "open_by_handle_at": (304, 265),
    # the kernel's key rings (Kerberos tickets, disk keys), which can also start a program outside the lock
    "keyctl": (250, 219),
    "add_key": (248, 217),
    "request_key": (249, 218),
    # starting programs
    "execve": (59, 221),
    "execveat": (322, 281),
    "fork": (57, None),
    "vfork": (58, None),
    "clone": (56, 220),
    "clone3": (435, 435),
    # a file's rights, owner and labels, which Landlock leaves alone
    "chmod": (90, None),
    "fchmod": (91, 52),
    "fchmodat": (268, 53),
    "fchmodat2": (452, 452),
    "chown": (92, None),
    "fchown": (93, 55),
    "lchown": (94, None),
    "fchownat": (260, 54),
    "setxattr": (188, 5),
    "lsetxattr": (189, 6),
    "fsetxattr": (190, 7),
    "setxattrat": (463, 463),
    "removexattr": (197, 14),
    "lremovexattr": (198, 15),
    "fremovexattr": (199, 16),
    "removexattrat": (466, 466),
    "file_setattr": (469, 469),
    "ioctl": (16, 29),
    # needed to install the filter itself
    "seccomp": (317, 277),
}

_ALWAYS_REFUSED = (
    *("io_uring_setup", "io_uring_enter", "io_uring_register"),
    *("ptrace", "process_vm_readv", "process_vm_writev", "pidfd_getfd"),
    *("bpf", "perf_event_open", "userfaultfd", "kexec_load", "kexec_file_load"),
    *("init_module", "finit_module", "delete_module", "iopl", "ioperm"),
    *("unshare", "setns", "mount", "umount2", "pivot_root", "chroot", "open_tree", "open_tree_attr"),
    *("move_mount", "fsopen", "fsconfig", "fsmount", "fspick", "mount_setattr", "open_by_handle_at"),
    *("keyctl", "add_key", "request_key"),
)
# recvmsg and sendmsg also pass open files: without them no connection can be handed in.
_SOCKET_CALLS = (
    *("socket", "socketpair", "connect", "bind", "listen", "accept", "accept4"),
    *("sendto", "sendmsg", "sendmmsg", "recvmsg", "recvmmsg"),
)
_BEING_REACHED = ("bind", "listen", "accept", "accept4")
_STARTING_PROGRAMS = ("execve", "execveat", "fork", "vfork")
_CHANGING_RIGHTS = (
    *("chmod", "fchmod", "fchmodat", "fchmodat2", "chown", "fchown", "lchown", "fchownat", "file_setattr"),
    *("setxattr", "lsetxattr", "fsetxattr", "setxattrat"),
    *("removexattr", "lremovexattr", "fremovexattr", "removexattrat"),
)

# file_setattr. Calls that a later kernel adds answer ENOSYS, as on the kernels this table was made for.
_NEWEST_KNOWN = 469
_X32_BIT = 0x40000000

_AF_UNIX, _AF_INET, _AF_INET6 = 1, 2, 10
_STREAM, _DATAGRAM = 1, 2
_KIND_OF_SOCKET = 0xF  # of the second argument (SOCK_TYPE_MASK in linux/net.h); the rest are flags
_TIOCSTI = 0x5412  # types characters into the terminal, where an unlocked shell reads them
_TIOCLINUX = 0x541C  # the same by selecting and pasting on a console
_CLONE_THREAD = 0x00010000
# CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID and NEWNET (linux/sched.h)
_CLONE_NEW_NAMESPACE = 0x7E020000

# struct seccomp_data: the number, the ABI, then from byte 16 six arguments of 8 bytes. What is compared here
# is an int to the kernel, so the low half (first, on these two little-endian architectures) is all it reads.
_NUMBER, _ABI, _FIRST_ARGUMENT, _SECOND_ARGUMENT = 0, 4, 16, 24

_LOAD, _RETURN, _AND = 0x20, 0x06, 0x54
_JUMP_EQUAL, _JUMP_GREATER, _JUMP_GREATER_EQUAL, _JUMP_BITS = 0x15, 0x25, 0x35, 0x45
_ALLOW, _KILL_PROCESS, _ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
_REFUSE = _ERRNO | errno.EPERM
_UNKNOWN = _ERRNO | errno.ENOSYS

_PR_SET_NO_NEW_PRIVS = 38
_SECCOMP_SET_MODE_FILTER = 1
_TSYNC = 1  # all threads of the process at once
_SPEC_ALLOW = 4  # without it kernels before 5.16 slow a filtered process down, against Spectre

Instruction = tuple[int, int, int, int]
"""Code, constant, how many instructions to skip if true, how many if false (sock_filter, reordered)."""


@dataclass(frozen=True, slots=True)
class Architecture:
    """A processor's system call interface, as the kernel reports it to the filter."""

    abi: int  # AUDIT_ARCH_… (linux/audit.h)
    column: int  # in `_NUMBERS`
    has_x32: bool  # a second set of numbers under the same ABI, told apart by one bit

    def number(self, name: str) -> int | None:
        return _NUMBERS[name][self.column]


ARCHITECTURES = {
    "x86_64": Architecture(0xC000003E, 0, has_x32=True),
    "aarch64": Architecture(0xC00000B7, 1, has_x32=False),
}


def this_architecture() -> Architecture | None:
    """The one this process runs on, or None when the filter does not know it.

    A 32-bit process on a 64-bit kernel (common on a Raspberry Pi) is unknown: the filter would kill it.
    """
    return ARCHITECTURES.get(os.uname().machine) if struct.calcsize("P") == 8 else None


def program(architecture: Architecture, policy: Policy, network: Network) -> list[Instruction]:
    """The filter for a role. The first rule that fits decides; what no rule names is allowed."""
    rules = [
        (_LOAD, _ABI, 0, 0),
        # Another ABI (int 0x80 on x86-64) has other numbers for the same calls, and no honest use here.
        (_JUMP_EQUAL, architecture.abi, 1, 0),
        (_RETURN, _KILL_PROCESS, 0, 0),
        (_LOAD, _NUMBER, 0, 0),
    ]
    if architecture.has_x32:
        rules += [(_JUMP_GREATER_EQUAL, _X32_BIT, 0, 1), (_RETURN, _KILL_PROCESS, 0, 0)]
    rules += [(_JUMP_GREATER, _NEWEST_KNOWN, 0, 1), (_RETURN, _UNKNOWN, 0, 0)]
    refused = [*_ALWAYS_REFUSED]
    if network is Network.NONE:
        refused += _SOCKET_CALLS
    if network is Network.OUTGOING:
        refused += _BEING_REACHED
    if not policy.may_start_programs:
        refused += _STARTING_PROGRAMS
    if not policy.may_change_files or policy.own_folders_only:
        refused += _CHANGING_RIGHTS
    for name in refused:
        rules += _answer(architecture.number(name), _REFUSE)
    # Its flags are behind a pointer, where no filter sees them. Where it is missing, C libraries use clone.
    rules += _answer(architecture.number("clone3"), _UNKNOWN)
    if network is Network.UNIX_ONLY:
        for name in ("socket", "socketpair"):
            rules += _only_unix(architecture.number(name))
    if network is Network.OUTGOING:
        rules += _only_internet_and_unix(architecture.number("socket"))
        rules += _only_unix(architecture.number("socketpair"))
    rules += _no_typing_into_the_terminal(architecture.number("ioctl"))
    rules += _clone(architecture.number("clone"), policy)
    return [*rules, (_RETURN, _ALLOW, 0, 0)]


def _answer(number: int | None, action: int) -> list[Instruction]:
    return [] if number is None else [(_JUMP_EQUAL, number, 0, 1), (_RETURN, action, 0, 0)]


def _only_unix(number: int | None) -> list[Instruction]:
    return _looking_at(
        number,
        _FIRST_ARGUMENT,
        [(_JUMP_EQUAL, _AF_UNIX, 0, 1), (_RETURN, _ALLOW, 0, 0), (_RETURN, _REFUSE, 0, 0)],
    )


def _only_internet_and_unix(number: int | None) -> list[Instruction]:
    """Streams and datagrams over IPv4, IPv6 and Unix sockets: no raw packets, no netlink, nothing rarer."""
    allow, refuse = (_RETURN, _ALLOW, 0, 0), (_RETURN, _REFUSE, 0, 0)
    families = [(_JUMP_EQUAL, _AF_UNIX, 2, 0), (_JUMP_EQUAL, _AF_INET, 1, 0), (_JUMP_EQUAL, _AF_INET6, 0, 5)]
    kinds = [(_LOAD, _SECOND_ARGUMENT, 0, 0), (_AND, _KIND_OF_SOCKET, 0, 0)]
    kinds += [(_JUMP_EQUAL, _STREAM, 1, 0), (_JUMP_EQUAL, _DATAGRAM, 0, 1)]
    return _looking_at(number, _FIRST_ARGUMENT, [*families, *kinds, allow, refuse])


def _no_typing_into_the_terminal(number: int | None) -> list[Instruction]:
    return _looking_at(
        number,
        _SECOND_ARGUMENT,
        [
            (_JUMP_EQUAL, _TIOCSTI, 2, 0),
            (_JUMP_EQUAL, _TIOCLINUX, 1, 0),
            (_RETURN, _ALLOW, 0, 0),
            (_RETURN, _REFUSE, 0, 0),
        ],
    )


def _clone(number: int | None, policy: Policy) -> list[Instruction]:
    if policy.may_start_programs:
        test = [(_JUMP_BITS, _CLONE_NEW_NAMESPACE, 0, 1), (_RETURN, _REFUSE, 0, 0), (_RETURN, _ALLOW, 0, 0)]
    else:
        test = [(_JUMP_BITS, _CLONE_THREAD, 0, 1), (_RETURN, _ALLOW, 0, 0), (_RETURN, _REFUSE, 0, 0)]
    return _looking_at(number, _FIRST_ARGUMENT, test)


def _looking_at(number: int | None, argument: int, test: list[Instruction]) -> list[Instruction]:
    """A rule for one call that decides by one of its arguments; `test` returns on every way through it."""
    if number is None:
        return []
    return [(_JUMP_EQUAL, number, 0, len(test) + 1), (_LOAD, argument, 0, 0), *test]


def forbid_new_privileges(libc: ctypes.CDLL) -> None:
    """No program that this process or a child of it starts gains rights (set-uid and the like), for good.

    Both locks need it, or only root could take them. Raises OSError where the kernel does not know it.
    """
    one, zero = ctypes.c_ulong(1), ctypes.c_ulong(0)
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, one, zero, zero, zero):
        raise OSError(ctypes.get_errno(), "no_new_privs refused")


def install(libc: ctypes.CDLL, architecture: Architecture, filter_program: list[Instruction]) -> None:
    """Put the filter on every thread of this process and all its later children, for good.

    Raises OSError with the kernel's answer. Needs no_new_privs.
    """
    packed = b"".join(struct.pack("=HBBI", code, yes, no, k) for code, k, yes, no in filter_program)
    instructions = ctypes.create_string_buffer(packed, len(packed))
    header = struct.pack("@HP", len(filter_program), ctypes.addressof(instructions))
    number = ctypes.c_long(architecture.number("seccomp") or 0)
    for flags in (_TSYNC | _SPEC_ALLOW, _TSYNC):  # sandboxes that imitate a kernel know only the older flag
        result = libc.syscall(number, ctypes.c_ulong(_SECCOMP_SET_MODE_FILTER), ctypes.c_ulong(flags), header)
        if result == 0:
            return
    if result > 0:
        raise OSError(errno.EBUSY, f"thread {result} could not be brought under the filter")
    raise OSError(ctypes.get_errno(), "seccomp filter refused")
