"""The three positions of the switch, watched from outside by strace: who makes a socket, and when."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support.outside import ledger_rows, outside, requests_in, set_switch

from desktop.processes.switch import Position

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or shutil.which("strace") is None, reason="strace is Linux's"
)
PROBE = Path(__file__).parents[1] / "processes" / "probes" / "fetching_desktop.py"
CALLS = "trace=%network,io_uring_setup,execve,execveat,clone,clone3,fork,vfork,fsync,fdatasync"


class Watched:
    """What every thread of a program and of its children asked the kernel for: one file for each."""

    def __init__(self, folder: Path, home: Path, *command: str) -> None:
        folder.mkdir()
        watch = ["strace", "-ff", "-qq", "-s", "300", "-e", CALLS, "-o", str(folder / "calls")]
        self.done = subprocess.run(
            [*watch, sys.executable, *command],
            env={"PATH": os.environ["PATH"], "HOME": str(home), "ALCOVE_HOME": str(home)},
            capture_output=True,
            text=True,
            timeout=110,
        )
        self.calls = {
            int(file.suffix[1:]): file.read_text(errors="replace").splitlines() for file in folder.iterdir()
        }

    @property
    def reaching_out(self) -> dict[int, list[str]]:
        """By thread: sockets made for the internet, and their use. Refused attempts are none."""
        found = {
            thread: [line for line in lines if _reaches_out(line)] for thread, lines in self.calls.items()
        }
        return {thread: lines for thread, lines in found.items() if lines}

    @property
    def programs(self) -> list[str]:
        """The command lines that were started."""
        lines = [line for lines in self.calls.values() for line in lines]
        return [line for line in lines if line.startswith("execve") and line.endswith("= 0")]

    def family_of(self, process: int) -> set[int]:
        """A process's threads."""
        known, new = {process}, {process}
        while new:
            lines = [line for thread in new for line in self.calls.get(thread, ())]
            started = {int(m[1]) for line in lines if (m := re.search(r"^clone\d?\(.*\) = (\d+)$", line))}
            new = started - known
            known |= new
        return known


def _reaches_out(call: str) -> bool:
    if not re.search(r"\) += (?!-1)", call) and "EINPROGRESS" not in call:
        return False
    if call.startswith("io_uring_setup"):
        return True
    if call.startswith("socket("):
        return not call.startswith(("socket(AF_UNIX", "socket(AF_LOCAL"))
    return "sa_family=AF_INET" in call


def test_offline_nothing_makes_a_socket_and_there_is_no_broker(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    for number, content in enumerate([None, '{"position": "offline"}', '{"position": "all"}', "{"]):
        if content is not None:
            (home / "network.json").write_text(content)
        watched = Watched(tmp_path / f"watched{number}", home, "-m", "desktop", "conversations")
        assert watched.done.returncode == 0, watched.done.stderr
        assert watched.reaching_out == {}
        assert len(watched.programs) == 1, "something was started beside the desktop"
        assert not (home / "ledger").exists()


def test_the_watch_does_see_a_socket(tmp_path: Path) -> None:
    watched = Watched(tmp_path / "w", tmp_path, "-c", "import socket; socket.socket().close()")
    assert watched.reaching_out


def test_with_the_switch_on_a_broker_runs_beside_the_desktop_and_sends_nothing_by_itself(
    tmp_path: Path,
) -> None:
    home = tmp_path / "home"
    set_switch(home, Position.DOWNLOADS)
    watched = Watched(tmp_path / "watched", home, "-m", "desktop", "conversations", "--json")
    assert watched.done.returncode == 0, watched.done.stderr
    assert (watched.done.stdout, watched.done.stderr) == ("[]\n", "")
    assert [line for line in watched.programs if '"--role", "broker"' in line]
    assert watched.reaching_out == {}
    assert ledger_rows(home) == []


def test_only_the_broker_reaches_out_and_only_after_its_row_is_on_the_disk(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with outside() as server:
        set_switch(home, Position.DOWNLOADS, server)
        watched = Watched(tmp_path / "watched", home, str(PROBE), str(home), server.url + "/x")
    assert watched.done.returncode == 0, watched.done.stderr
    said = json.loads(watched.done.stdout)
    assert (said["body"], said["own"], said["locked"]) == ("hello", "refused", True)
    assert server.paths == [row["path"] for row in requests_in(home)] == ["/x"]
    out = watched.reaching_out
    assert out and set(out) <= watched.family_of(said["broker"])
    (thread,) = out
    lines = watched.calls[thread]
    first_socket = lines.index(out[thread][0])
    synced = [n for n, line in enumerate(lines) if line.startswith("fsync(") and line.endswith("= 0")]
    assert synced and synced[0] < first_socket


def test_a_ledger_that_cannot_be_written_leaves_the_desktop_as_it_is(tmp_path: Path) -> None:
    home = tmp_path / "home"
    set_switch(home, Position.DOWNLOADS)
    (home / "ledger").write_text("in the way")
    done = subprocess.run(
        [sys.executable, "-m", "desktop", "conversations", "--json"],
        env={"PATH": os.environ["PATH"], "HOME": str(home), "ALCOVE_HOME": str(home)},
        capture_output=True,
        text=True,
        timeout=110,
    )
    assert (done.returncode, done.stdout.strip()) == (0, "[]")
