"""A locked quantizer writes ordinary files in the one folder it was given, and changes nothing else on the disk."""

from __future__ import annotations

import ctypes
import json
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

from desktop.processes import seatbelt
from desktop.processes.report import LockReport, Mechanism
from desktop.processes.roles import POLICIES, Network, Places, Role

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="seccomp and Landlock are Linux's")
HAS_LANDLOCK = sys.platform == "linux" and ctypes.CDLL(None).syscall(444, None, 0, 1) >= 2
needs_landlock = pytest.mark.skipif(not HAS_LANDLOCK, reason="this kernel has no Landlock")

PRELUDE = f"""
import json, os, socket, subprocess, sys
sys.path.insert(0, {str(Path(__file__).parents[2])!r})
from desktop.processes.lockdown import lock_down
from desktop.processes.roles import Places, Role

def refused(attempt):
    try:
        attempt()
    except OSError as error:
        return error.strerror
    return "not refused"

home, folder = sys.argv[1:]
report = lock_down(Role.QUANTIZER, places=Places(home, (folder,)))
"""


def answer(home: Path, folder: Path, code: str) -> Any:
    whole = f"{PRELUDE}\nanswer = None\n{textwrap.dedent(code)}\nprint(json.dumps(answer))"
    command = [sys.executable, "-c", whole, str(home), str(folder)]
    finished = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert finished.returncode == 0, finished.stderr
    return json.loads(finished.stdout)


@linux_only
def test_the_report_says_that_it_has_no_network_and_changes_no_other_file(tmp_path: Path) -> None:
    report = LockReport.from_record(answer(tmp_path, tmp_path, "answer = report.to_record()"))
    assert report.enforced and report.mechanism is Mechanism.SECCOMP and report.network is Network.NONE
    assert report.memory_limit is not None and not report.weaker_than_planned
    tried = {name for name, was_refused in report.self_test if was_refused}
    assert {"IPv4 TCP", "Unix socket", "starting a program", "ptrace"} <= tried
    if HAS_LANDLOCK:
        assert report.remaining == () and "writing outside its folder" in tried


@linux_only
@needs_landlock
def test_it_writes_in_its_folder_and_nowhere_else(tmp_path: Path) -> None:
    home, folder = tmp_path / "home", tmp_path / "home" / "models" / "making"
    folder.mkdir(parents=True)
    (home / "conversations.db").write_text("my words")
    (home / "models" / "other.gguf").write_text("a model")
    before = {path: path.read_text() for path in tmp_path.rglob("*") if path.is_file()}
    seen = answer(
        home,
        folder,
        """
        part = folder + "/model.part"
        open(part, "wb").write(b"x" * 1000)
        open(part, "r+b").write(b"y")
        os.truncate(part, 500)
        os.rename(part, folder + "/model")
        os.unlink(folder + "/model")
        open(folder + "/kept", "w").write("x")
        kept, other = home + "/conversations.db", home + "/models/other.gguf"
        attempts = [
            lambda: open(kept, "a"), lambda: os.truncate(other, 0), lambda: os.unlink(other),
            lambda: os.rename(other, folder + "/other"), lambda: os.link(other, folder + "/other"),
            lambda: os.rename(folder + "/kept", home + "/models/kept.gguf"),
            lambda: open(home + "/models/new.gguf", "w"), lambda: open(home + "/network.json", "w"),
            lambda: open("/tmp/alcove-quantizer-was-here", "w"), lambda: os.mkdir(folder + "/more"),
            lambda: os.symlink(kept, folder + "/link"), lambda: os.mkfifo(folder + "/pipe"),
            lambda: os.chmod(folder + "/kept", 0o777), lambda: os.rmdir(folder),
            lambda: socket.socket(), lambda: subprocess.run(["/bin/true"]),
            lambda: open(f"/proc/{os.getppid()}/mem", "r+b"), lambda: os.kill(os.getppid(), 0),
        ]
        answer = [refused(attempt) for attempt in attempts]
        """,
    )
    assert "not refused" not in seen
    assert {path: path.read_text() for path in before} == before
    assert {path.name for path in folder.iterdir()} == {"kept"}


@pytest.mark.skipif(sys.platform == "win32", reason="macOS's rules")
def test_on_macos_the_rules_leave_one_folder_to_write_in() -> None:
    rules = seatbelt.profile(POLICIES[Role.QUANTIZER], Network.NONE, Places("/Users/a", ("/Users/a/m",)))
    assert "(deny network*)" in rules and "(deny process-exec)" in rules
    assert rules.index("(deny file-write*)") < rules.index('(allow file-write* (subpath "/Users/a/m"))')
    worker = seatbelt.profile(POLICIES[Role.WORKER], Network.NONE, Places("/Users/a", ("/Users/a/m",)))
    assert "/Users/a/m" not in worker
