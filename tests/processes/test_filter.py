"""The filter's program, run by a small model of the kernel's machine, over every call of both architectures.

So the filter for 64-bit Arm is checked on any machine. What is expected is written out here a second time, by
name; the numbers come from the table under test, which `test_the_numbers_are_the_kernels` compares with the
kernel's own headers.
"""

from __future__ import annotations

import errno
import os
import re
import sys
from itertools import product
from pathlib import Path

import pytest

if sys.platform == "win32":
    pytest.skip("seccomp is Linux's lock", allow_module_level=True)

from desktop.processes import seccomp
from desktop.processes.roles import POLICIES, Network, Role

ALLOWED, KILLED = "allowed", "killed"
REFUSED, MISSING = errno.errorcode[errno.EPERM], errno.errorcode[errno.ENOSYS]

LEVELS = [
    (Role.DESKTOP, Network.UNIX_ONLY),
    (Role.WORKER, Network.NONE),
    (Role.WORKER, Network.UNIX_ONLY),
    (Role.BROKER, Network.OUTGOING),
    (Role.SCANNER, Network.NONE),
    (Role.QUANTIZER, Network.NONE),
    (Role.EMBEDDER, Network.NONE),
]
LEVELS_AND_ARCHITECTURES = list(product(LEVELS, seccomp.ARCHITECTURES))
# 64-bit Arm uses the generic table.
HEADERS = {"x86_64": "**/asm/unistd_64.h", "aarch64": "asm-generic/unistd.h"}

# Refused whatever the role, whatever the arguments.
ALWAYS = """
    io_uring_setup io_uring_enter io_uring_register ptrace process_vm_readv process_vm_writev pidfd_getfd bpf
    perf_event_open userfaultfd kexec_load kexec_file_load init_module finit_module delete_module iopl ioperm
    unshare setns mount umount2 pivot_root chroot open_tree open_tree_attr move_mount fsopen fsconfig fsmount
    fspick mount_setattr open_by_handle_at keyctl add_key request_key
"""
WITHOUT_SOCKETS = """
    socket socketpair connect bind listen accept accept4 sendto sendmsg sendmmsg recvmsg recvmmsg
"""
WITHOUT_PROGRAMS_AND_CHANGES = """
    execve execveat fork vfork chmod fchmod fchmodat fchmodat2 chown fchown lchown fchownat file_setattr
    setxattr lsetxattr fsetxattr setxattrat removexattr lremovexattr fremovexattr removexattrat
"""
WITHOUT_BEING_REACHED = "bind listen accept accept4"
BY_ARGUMENT = {"socket", "socketpair", "ioctl", "clone"}

AF_UNIX, AF_INET, AF_INET6 = 1, 2, 10
STREAM, DATAGRAM = 1, 2
PTHREAD_FLAGS = 0x3D0F00  # what the GNU C library starts a thread with
FORK_FLAGS = 0x1200011
VFORK_FLAGS = 0x4111


def run(
    program: list[seccomp.Instruction],
    abi: int,
    number: int,
    first: int = 0,
    second: int = 0,
    steps: int = 500,
) -> str:
    """What the kernel's machine would answer to a call (net/core/filter.c, kernel/seccomp.c)."""
    whole = 0xFFFF_FFFF
    data = {0: number, 4: abi, 16: first & whole, 20: first >> 32, 24: second & whole, 28: second >> 32}
    accumulator = place = 0
    for _ in range(steps):
        code, constant, if_true, if_false = program[place]
        assert 0 <= if_true <= 255 and 0 <= if_false <= 255
        place += 1
        match code:
            case 0x20:
                accumulator = data[constant]
            case 0x15:
                place += if_true if accumulator == constant else if_false
            case 0x25:
                place += if_true if accumulator > constant else if_false
            case 0x35:
                place += if_true if accumulator >= constant else if_false
            case 0x45:
                place += if_true if accumulator & constant else if_false
            case 0x54:
                accumulator &= constant
            case 0x06 if constant & 0xFFFF_0000 == 0x0005_0000:
                return errno.errorcode[constant & 0xFFFF]
            case 0x06:
                return {0x7FFF_0000: ALLOWED, 0x8000_0000: KILLED}[constant]
            case _:
                raise AssertionError(f"the kernel would not take the instruction {code:#x}")
    raise AssertionError("the program does not end")


class Machine:
    """A role's filter on an architecture, asked by the names of calls."""

    def __init__(self, level: tuple[Role, Network], architecture: str) -> None:
        self.role, self.network = level
        self.architecture = seccomp.ARCHITECTURES[architecture]
        self.program = seccomp.program(self.architecture, POLICIES[self.role], self.network)

    def ask(self, name: str, first: int = 0, second: int = 0) -> str:
        number = self.architecture.number(name)
        assert number is not None
        return run(self.program, self.architecture.abi, number, first, second)

    def ask_number(self, number: int) -> str:
        return run(self.program, self.architecture.abi, number)


@pytest.fixture(params=LEVELS_AND_ARCHITECTURES, ids=lambda p: f"{p[0][0]}-{p[0][1]}-{p[1]}")
def machine(request: pytest.FixtureRequest) -> Machine:
    level, architecture = request.param
    return Machine(level, architecture)


def names_of(architecture: seccomp.Architecture) -> dict[int, str]:
    """The calls the table knows on an architecture."""
    numbers = {name: architecture.number(name) for name in seccomp._NUMBERS}
    return {number: name for name, number in numbers.items() if number is not None}


def test_each_call_of_the_kernel_gets_the_answer_its_role_was_promised(machine: Machine) -> None:
    refused = set(ALWAYS.split())
    if machine.network is Network.NONE:
        refused |= set(WITHOUT_SOCKETS.split())
    if machine.network is Network.OUTGOING:
        refused |= set(WITHOUT_BEING_REACHED.split())
    if machine.role is not Role.DESKTOP:
        refused |= set(WITHOUT_PROGRAMS_AND_CHANGES.split())
    names = names_of(machine.architecture)
    for number in range(600):
        name = names.get(number, "another call")
        if name in BY_ARGUMENT - refused:
            continue
        expected = ALLOWED
        if name == "clone3" or number > 469:
            expected = MISSING
        elif name in refused:
            expected = REFUSED
        assert machine.ask_number(number) == expected, (number, name)


def test_a_call_of_another_architecture_ends_the_process(machine: Machine) -> None:
    i386, arm32, riscv = 0x40000003, 0x40000028, 0xC00000F3
    for abi in (i386, arm32, riscv):
        assert run(machine.program, abi, 0) == KILLED
    others = [other for other in seccomp.ARCHITECTURES.values() if other is not machine.architecture]
    for other in others:
        assert run(machine.program, other.abi, 0) == KILLED


def test_the_second_set_of_numbers_of_x86_is_never_answered(machine: Machine) -> None:
    expected = KILLED if machine.architecture.has_x32 else MISSING
    for number in (0x40000000, 0x40000000 + 41, 0x40000000 + 425, 0xFFFFFFFF):
        assert machine.ask_number(number) == expected


def test_only_unix_sockets_can_be_made_where_sockets_can_be_made_at_all(machine: Machine) -> None:
    unix = REFUSED if machine.network is Network.NONE else ALLOWED
    names = ("socketpair",) if machine.network is Network.OUTGOING else ("socket", "socketpair")
    for name in names:
        assert machine.ask(name, AF_UNIX) == unix
        # The kernel reads the family as an int: what stands above it must not matter.
        assert machine.ask(name, 0xFFFF_FFFF_0000_0000 | AF_UNIX) == unix
        assert machine.ask(name, 0xFFFF_FFFF_0000_0000 | AF_INET) == REFUSED
        assert [family for family in range(64) if machine.ask(name, family) == ALLOWED] in ([], [AF_UNIX])


def test_a_broker_makes_streams_and_datagrams_of_the_internet_and_nothing_rarer() -> None:
    for architecture in seccomp.ARCHITECTURES:
        broker = Machine((Role.BROKER, Network.OUTGOING), architecture)
        nonblocking = 0o2004000
        made = {
            (family, kind)
            for family, kind in product(range(64), range(16))
            if broker.ask("socket", family, kind) == ALLOWED
        }
        assert made == set(product((AF_UNIX, AF_INET, AF_INET6), (STREAM, DATAGRAM)))
        for high in (0, 0xFFFF_FFFF_0000_0000):
            assert broker.ask("socket", high | AF_INET, high | nonblocking | STREAM) == ALLOWED
            assert broker.ask("socket", high | AF_INET, high | nonblocking | 3) == REFUSED
            assert broker.ask("socket", high | 16, high | STREAM) == REFUSED


def test_nothing_is_typed_into_a_terminal(machine: Machine) -> None:
    tiocsti, tioclinux, tcgets = 0x5412, 0x541C, 0x5401
    assert machine.ask("ioctl", 0, tiocsti) == REFUSED
    assert machine.ask("ioctl", 0, 0xFFFF_FFFF_0000_0000 | tiocsti) == REFUSED
    assert machine.ask("ioctl", 0, tioclinux) == REFUSED
    assert machine.ask("ioctl", 0, tcgets) == ALLOWED


def test_threads_can_be_started_and_processes_only_by_the_desktop(machine: Machine) -> None:
    process = ALLOWED if machine.role is Role.DESKTOP else REFUSED
    assert machine.ask("clone", PTHREAD_FLAGS) == ALLOWED
    assert machine.ask("clone", FORK_FLAGS) == process
    assert machine.ask("clone", VFORK_FLAGS) == process


def test_no_process_is_started_in_a_namespace_of_its_own(machine: Machine) -> None:
    mount, cgroup, uts, ipc, user, pid, network = (
        1 << 17,
        1 << 25,
        1 << 26,
        1 << 27,
        1 << 28,
        1 << 29,
        1 << 30,
    )
    for flag in (mount, cgroup, uts, ipc, user, pid, network):
        assert machine.ask("clone", FORK_FLAGS | flag) == REFUSED


@pytest.mark.skipif(sys.platform != "linux", reason="the headers are Linux's")
@pytest.mark.parametrize("architecture", sorted({os.uname().machine, "aarch64"} & set(seccomp.ARCHITECTURES)))
def test_the_numbers_are_the_kernels(architecture: str) -> None:
    header = next(Path("/usr/include").glob(HEADERS[architecture]))
    found = dict(re.findall(r"#define __NR(?:3264)?_(\w+)\s+(\d+)", header.read_text()))
    names = names_of(seccomp.ARCHITECTURES[architecture])
    # The newest are missing where the headers are older than the table.
    checked = [name for number, name in names.items() if int(found.get(name, number)) == number]
    assert checked == [*names.values()]
    assert len(found.keys() & names.values()) >= 50
