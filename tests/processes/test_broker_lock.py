"""A locked broker reaches out and writes in its own folders, and does nothing else, whatever it is talked into."""

from __future__ import annotations

import ctypes
import json
import os
import socket
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

from desktop.processes import seatbelt
from desktop.processes.report import LockReport, Mechanism, Remaining
from desktop.processes.roles import POLICIES, Network, Places, Role

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="seccomp and Landlock are Linux's")
HAS_LANDLOCK = sys.platform == "linux" and ctypes.CDLL(None).syscall(444, None, 0, 1) >= 2
needs_landlock = pytest.mark.skipif(not HAS_LANDLOCK, reason="this kernel has no Landlock")

PRELUDE = f"""
import ctypes, json, os, socket, subprocess, sys
sys.path.insert(0, {str(Path(__file__).parents[2])!r})
from desktop.processes.lockdown import lock_down
from desktop.processes.roles import Places, Role

def refused(attempt):
    try:
        attempt()
    except OSError as error:
        return error.strerror
    return "not refused"

home, more = sys.argv[1], tuple(sys.argv[2:])
report = lock_down(Role.BROKER, places=Places(home, more))
"""


def answer(home: Path, code: str, *folders: Path) -> Any:
    whole = f"{PRELUDE}\nanswer = None\n{textwrap.dedent(code)}\nprint(json.dumps(answer))"
    command = [sys.executable, "-c", whole, str(home), *map(str, folders)]
    finished = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert finished.returncode == 0, finished.stderr
    return json.loads(finished.stdout)


@linux_only
def test_the_report_says_what_a_broker_can_do_and_what_was_refused(tmp_path: Path) -> None:
    report = LockReport.from_record(answer(tmp_path, "answer = report.to_record()"))
    assert report.enforced and report.mechanism is Mechanism.SECCOMP and report.network is Network.OUTGOING
    tried = {name for name, was_refused in report.self_test if was_refused}
    assert {"listen", "bind", "raw packets", "netlink", "starting a program", "ptrace"} <= tried
    left = {Remaining.NETWORK, Remaining.LOCAL_SERVICES}
    if HAS_LANDLOCK:
        assert "looking into Alcove's folder" in tried
    else:
        left |= {Remaining.CHANGE_FILES, Remaining.OTHER_PROGRAMS}
    assert set(report.remaining) == left
    assert "may open connections" in report.summary


@linux_only
def test_a_broker_connects_resolves_names_and_is_connected_to_by_nobody(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        seen = answer(
            tmp_path,
            f"""
            socket.create_connection(("127.0.0.1", {server.getsockname()[1]})).close()
            found = socket.getaddrinfo("localhost", 80)
            tcp, udp = socket.socket(), socket.socket(type=socket.SOCK_DGRAM)
            answer = [
                bool(found),
                refused(lambda: tcp.bind(("127.0.0.1", 0))),
                refused(lambda: udp.bind(("127.0.0.1", 0))),
                refused(lambda: tcp.listen()),
                refused(lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)),
                refused(lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, 1)),
                refused(lambda: subprocess.run(["/bin/true"])),
                refused(os.fork),
            ]
            """,
        )
    assert seen == [True] + ["Operation not permitted"] * 7


@linux_only
@needs_landlock
def test_a_broker_writes_in_its_own_folders_and_can_not_even_read_the_conversations(tmp_path: Path) -> None:
    home, models, elsewhere = tmp_path / "home", tmp_path / "disk", tmp_path / "elsewhere"
    for folder in (home, models, elsewhere):
        folder.mkdir()
    (home / "conversations.db").write_text("my words")
    (home / "settings.json").write_text("{}")
    (elsewhere / "id_ed25519").write_text("my key")
    before = {path: path.read_text() for path in tmp_path.rglob("*") if path.is_file()}
    seen = answer(
        home,
        f"""
        os.chdir("/")
        for folder in ("models", "ledger", "downloads"):
            open(f"{{home}}/{{folder}}/file", "w").write("x")
            os.rename(f"{{home}}/{{folder}}/file", f"{{home}}/{{folder}}/other")
            os.unlink(f"{{home}}/{{folder}}/other")
        open({str(models)!r} + "/model.gguf", "w").write("x")
        os.rename({str(models)!r} + "/model.gguf", home + "/models/model.gguf")
        kept, elsewhere = home + "/conversations.db", {str(elsewhere)!r}
        attempts = [
            lambda: open(kept), lambda: open(kept, "a"), lambda: os.truncate(kept, 0), lambda: os.unlink(kept),
            lambda: os.rename(kept, home + "/models/conversations.db"),
            lambda: os.link(kept, home + "/models/conversations.db"),
            lambda: open(home + "/settings.json"), lambda: open(home + "/network.json", "w"),
            lambda: os.listdir(home), lambda: os.listdir(os.path.expanduser("~")),
            lambda: open(elsewhere + "/id_ed25519"), lambda: open(elsewhere + "/new", "w"),
            lambda: open("/tmp/alcove-broker-was-here", "w"),
            lambda: os.chmod(kept, 0o777), lambda: os.symlink(kept, elsewhere + "/link"),
            lambda: open(f"/proc/{{os.getppid()}}/environ"), lambda: open(f"/proc/{{os.getppid()}}/mem", "r+b"),
            lambda: os.kill(os.getppid(), 0),
        ]
        os.symlink(kept, home + "/models/link")
        attempts.append(lambda: open(home + "/models/link"))
        answer = [refused(attempt) for attempt in attempts]
        """,
        models,
    )
    assert "not refused" not in seen
    assert {path: path.read_text() for path in before} == before


@linux_only
def test_a_folder_on_a_disk_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    answer(tmp_path / "home", "", tmp_path / "disk" / "models")
    assert not (tmp_path / "disk").exists()
    assert sorted(path.name for path in (tmp_path / "home").iterdir()) == [
        "downloads",
        "ledger",
        "models",
        "remote",
    ]


@linux_only
@needs_landlock
def test_the_libraries_of_the_broker_load_after_its_lock(tmp_path: Path) -> None:
    seen = answer(
        tmp_path,
        """
        import providers.gate.broker, huggingface_hub
        from providers.gate.wire import trusted_by_the_system
        context = trusted_by_the_system()
        answer = [str(context.verify_mode.name), context.check_hostname]
        """,
    )
    assert seen == ["CERT_REQUIRED", True]


@pytest.mark.skipif(sys.platform == "win32", reason="macOS's rules")
def test_on_macos_the_rules_close_alcoves_folder_and_everything_that_comes_in() -> None:
    rules = seatbelt.profile(
        POLICIES[Role.BROKER], Network.OUTGOING, Places('/Users/a "b"/Alcove', ("/Volumes/m",))
    )
    assert "(deny network*)" not in rules
    assert "(deny network-bind)" in rules and "(deny network-inbound)" in rules
    assert "(deny process-exec)" in rules and "(deny file-write*)" in rules
    closed = rules.index('(deny file-read-data (subpath "/Users/a \\"b\\"/Alcove"))')
    assert closed < rules.index('(subpath "/Users/a \\"b\\"/Alcove/ledger")') < rules.index('"/Volumes/m"')
    assert os.sep == "/"
