"""No way leads out of a locked process: tried for real, on servers that listen, and watched with strace."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="seccomp is Linux's lock")

PROBE = Path(__file__).parent / "probes" / "ways_out.py"
LOCKED = ("desktop", "worker", "worker/unix-sockets-only")

# What the lock does not decide alone: whether these succeed unlocked depends on the machine.
MACHINE_DECIDES = {
    *("stolen socket", "io_uring", "raw", "MPTCP", "netlink", "packet", "vsock", "Bluetooth"),
    *("kernel crypto", "XDP", "typing into the terminal"),
}


class Outside:
    """Servers on loopback that the test holds open, and what arrived at them."""

    def __init__(self, stack: ExitStack) -> None:
        def bound(family: int, kind: int, host: str) -> socket.socket:
            server = stack.enter_context(socket.socket(family, kind))
            server.bind((host, 0))
            server.setblocking(False)
            return server

        self.tcp4 = bound(socket.AF_INET, socket.SOCK_STREAM, "127.0.0.1")
        self.tcp6 = bound(socket.AF_INET6, socket.SOCK_STREAM, "::1")
        self.udp4 = bound(socket.AF_INET, socket.SOCK_DGRAM, "127.0.0.1")
        self.udp6 = bound(socket.AF_INET6, socket.SOCK_DGRAM, "::1")
        for server in (self.tcp4, self.tcp6):
            server.listen(64)
        # One connection made outside, whose near end the probe inherits.
        self.near = stack.enter_context(socket.create_connection(self.tcp4.getsockname()))
        self.far = stack.enter_context(self.tcp4.accept()[0])
        self.far.setblocking(False)

    def offer(self) -> str:
        servers = {"tcp4": self.tcp4, "tcp6": self.tcp6, "udp4": self.udp4, "udp6": self.udp6}
        ports = {name: server.getsockname()[1] for name, server in servers.items()}
        victim = {"victim": os.getpid(), "victim_socket": self.near.fileno()}
        return json.dumps({**ports, **victim, "inherited": self.near.fileno()})

    def arrivals(self) -> list[str]:
        """The ways by which something came in."""
        found = []
        for name, server in (("tcp4", self.tcp4), ("tcp6", self.tcp6)):
            try:
                server.accept()[0].close()
                found.append(name)
            except BlockingIOError:
                pass
        for name, receiver in (("udp4", self.udp4), ("udp6", self.udp6), ("inherited", self.far)):
            try:
                receiver.recv(1)
                found.append(name)
            except BlockingIOError:
                pass
        return found


@pytest.fixture
def outside() -> Iterator[Outside]:
    with ExitStack() as stack:
        yield Outside(stack)


def try_everything(role: str, outside: Outside, before: tuple[str, ...] = ()) -> dict[str, str]:
    command = [*before, sys.executable, str(PROBE), role, outside.offer()]
    finished = subprocess.run(command, pass_fds=[outside.near.fileno()], capture_output=True, text=True)
    assert finished.returncode == 0, finished.stderr
    outcomes: dict[str, str] = json.loads(finished.stdout)
    return outcomes


def test_the_attempts_do_get_out_of_a_process_that_is_not_locked(outside: Outside) -> None:
    outcomes = try_everything("unlocked", outside)
    stopped = {name: outcome for name, outcome in outcomes.items() if outcome != "out"}
    assert set(stopped) <= MACHINE_DECIDES
    assert outside.arrivals() == ["tcp4", "tcp6", "udp4", "udp6", "inherited"]


@pytest.mark.parametrize("role", LOCKED)
def test_every_way_out_is_refused_and_nothing_arrives(role: str, outside: Outside) -> None:
    outcomes = try_everything(role, outside)
    assert [name for name, outcome in outcomes.items() if outcome == "out"] == []
    assert outside.arrivals() == []


@pytest.mark.parametrize("role", LOCKED)
def test_strace_sees_no_connection_but_to_unix_sockets(role: str, outside: Outside, tmp_path: Path) -> None:
    # One file per thread (-ff), so that no call is cut in two by another thread's.
    watched = ("strace", "-ff", "-e", "trace=%network,io_uring_setup", "-o", str(tmp_path / "calls"))
    try_everything(role, outside, before=watched)
    calls = [line for file in tmp_path.iterdir() for line in file.read_text().splitlines()]
    refused = [line for line in calls if line.endswith("EPERM (Operation not permitted)")]
    assert any("AF_INET6" in line for line in refused), "strace saw none of the attempts"
    assert any(line.startswith("io_uring_setup") for line in refused)
    assert [line for line in calls if went_out(line)] == []
    if role == "worker":
        assert [line for line in calls if re.match(r"(socket|socketpair|connect|bind)\(.*= \d+$", line)] == []


def went_out(call: str) -> bool:
    """Whether a line of strace shows a call that succeeded on anything but a Unix socket."""
    succeeded = re.search(r"\) += (\d+)", call)
    if not succeeded:
        return False
    name = call.partition("(")[0]
    if name in ("socket", "socketpair"):
        return not call.startswith((f"{name}(AF_UNIX", f"{name}(AF_LOCAL"))
    if name == "io_uring_setup":
        return True
    return "sa_family=" in call and "sa_family=AF_UNIX" not in call and "sa_family=AF_LOCAL" not in call
