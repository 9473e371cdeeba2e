"""Roles come from the command line alone, and a report says what is so and no more."""

from __future__ import annotations

import json

import pytest

from desktop.processes.lockdown import display_over_network, lock_down
from desktop.processes.report import Gap, LockReport, Mechanism, Remaining
from desktop.processes.roles import POLICIES, Network, Role, command_line, folder_of, from_command_line

LOCKED = LockReport(
    Role.WORKER,
    Mechanism.SECCOMP,
    enforced=True,
    network=Network.NONE,
    self_test=(("IPv4 TCP", True), ("io_uring", True)),
    remaining=(),
    memory_limit=8 << 30,
)
UNLOCKED = LockReport.unlocked(Role.DESKTOP, Gap.KERNEL, "[Errno 22] seccomp filter refused")


@pytest.mark.parametrize("role", Role)
def test_a_child_takes_the_role_it_was_started_in(role: Role) -> None:
    policy = POLICIES[role]
    folder = "/where it/writes" if policy.one_folder else ""
    for network in (None, policy.weaker):
        arguments = command_line(role, network, folder)
        assert from_command_line(arguments) == (role, network or policy.network)
        assert folder_of(arguments) == folder


@pytest.mark.parametrize("arguments", [[], ["ask", "--role", "worker"], ["--help"]])
def test_a_person_always_starts_the_desktop(arguments: list[str]) -> None:
    assert from_command_line(arguments) == (Role.DESKTOP, Network.UNIX_ONLY)


@pytest.mark.parametrize(
    "arguments",
    [
        ["--role"],
        ["--role", "admin"],
        ["--role", "worker", "--network"],
        ["--role", "worker", "--network", "open"],
        ["--role", "desktop", "--network", "open"],
        ["--role", "desktop", "--network", "outgoing"],
        ["--role", "worker", "--network", "outgoing"],
        ["--role", "broker", "--network", "open"],
        ["--role", "worker", "ask"],
        ["--role", "worker", "--network", "none", "more"],
        ["--role", "worker", "--folder", "/"],
        ["--role", "scanner", "--network", "none", "--folder", "/"],
        ["--role", "quantizer"],
        ["--role", "quantizer", "--folder", "models"],
        ["--role", "quantizer", "--folder", "/models", "more"],
        ["--role", "quantizer", "--network", "open", "--folder", "/models"],
    ],
)
def test_no_command_line_asks_for_less_of_a_lock(arguments: list[str]) -> None:
    with pytest.raises(ValueError):
        from_command_line(arguments)


def test_a_lock_looser_than_the_roles_is_refused_before_anything_is_done() -> None:
    with pytest.raises(ValueError):
        lock_down(Role.WORKER, Network.OPEN)


@pytest.mark.parametrize("report", [LOCKED, UNLOCKED])
def test_a_report_survives_json(report: LockReport) -> None:
    assert LockReport.from_record(json.loads(json.dumps(report.to_record()))) == report


@pytest.mark.parametrize(
    "change",
    [
        {"enforced": "yes"},
        {"network": "some"},
        {"self_test": [["IPv4 TCP"]]},
        {"self_test": [["IPv4 TCP", 1]]},
        {"remaining": ["nothing"]},
        {"gap": 3},
        {"memory_limit": "all"},
        {"surplus": 1},
    ],
)
def test_a_damaged_report_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(ValueError):
        LockReport.from_record(LOCKED.to_record() | change)
    with pytest.raises(ValueError):
        LockReport.from_record({})


def test_a_process_that_is_not_locked_claims_nothing() -> None:
    assert not UNLOCKED.enforced
    assert UNLOCKED.mechanism is Mechanism.NONE
    assert UNLOCKED.network is Network.OPEN
    assert UNLOCKED.remaining == tuple(Remaining)
    assert UNLOCKED.weaker_than_planned
    assert "nothing but Alcove's own code" in UNLOCKED.summary
    assert "refused this process" not in UNLOCKED.summary


def test_the_summary_names_what_unix_sockets_leave_open() -> None:
    desktop = LockReport(
        Role.DESKTOP,
        Mechanism.SECCOMP,
        True,
        Network.UNIX_ONLY,
        (("IPv4 TCP", True),),
        (Remaining.LOCAL_SERVICES,),
    )
    assert "other programs on this machine, and those may have a network" in desktop.summary
    assert not desktop.weaker_than_planned
    assert "every socket" in LOCKED.summary


@pytest.mark.parametrize(
    ("environ", "over_network"),
    [
        ({}, False),
        ({"DISPLAY": ":0"}, False),
        ({"DISPLAY": ":0.1"}, False),
        ({"DISPLAY": "unix:0"}, False),
        ({"DISPLAY": "unix/:0"}, False),
        ({"DISPLAY": "unix/somewhere:0"}, False),
        ({"DISPLAY": "/private/tmp/com.apple.launchd.x/org.xquartz:0"}, False),
        ({"DISPLAY": "nonsense"}, False),
        ({"DISPLAY": "localhost:10.0"}, True),
        ({"DISPLAY": "host:0"}, True),
        ({"DISPLAY": "192.0.2.1:0"}, True),
        ({"DISPLAY": "[2001:db8::1]:0"}, True),
        ({"DISPLAY": "tcp/host:0"}, True),
        ({"DISPLAY": "host:0", "WAYLAND_DISPLAY": "wayland-0"}, False),
        ({"DISPLAY": "host:0", "WAYLAND_DISPLAY": "wayland-0", "QT_QPA_PLATFORM": "xcb"}, True),
        ({"DISPLAY": "host:0", "QT_QPA_PLATFORM": "offscreen"}, False),
        ({"DISPLAY": "host:0", "QT_QPA_PLATFORM": "wayland;xcb"}, False),
    ],
)
def test_a_display_on_another_machine_is_recognised(environ: dict[str, str], over_network: bool) -> None:
    assert display_over_network(environ) is over_network
