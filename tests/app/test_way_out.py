"""The three positions of the switch, watched from outside by strace: who makes a socket, and when."""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from support.chat_server import MODEL, PROVIDER, chat_server, enable
from support.outside import ledger_rows, outside, requests_in, set_switch
from support.secret_service import secret_service

from desktop.processes.switch import Position
from desktop.remote import remember
from desktop.viewmodels.models import REMOTE
from providers.keys import provider_key
from providers.remote.values import Auth, RemoteModelInfo

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or shutil.which("strace") is None, reason="strace is Linux's"
)
PROBES = Path(__file__).parents[1] / "processes" / "probes"
PROBE = PROBES / "fetching_desktop.py"
WINDOW = PROBES / "chatting_desktop.py"
KEY = f"sk-CANARY-{secrets.token_hex(16)}"  # never the same, so what is found anywhere is of this run
CALLS = "trace=%network,io_uring_setup,execve,execveat,clone,clone3,fork,vfork,fsync,fdatasync"


class Watched:
    """What every thread of a program and of its children asked the kernel for: one file for each."""

    def __init__(
        self, folder: Path, home: Path, *command: str, environ: Mapping[str, str] | None = None
    ) -> None:
        folder.mkdir()
        watch = ["strace", "-ff", "-qq", "-s", "300", "-e", CALLS, "-o", str(folder / "calls")]
        self.done = subprocess.run(
            [*watch, sys.executable, *command],
            env={
                "PATH": os.environ["PATH"], "HOME": str(home), "ALCOVE_HOME": str(home), **(environ or {}),
            },
            capture_output=True,
            text=True,
            timeout=170,
        )  # fmt: skip
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

    @property
    def broker(self) -> set[int]:
        """The threads of every broker that was started."""
        started = [
            process
            for process, lines in self.calls.items()
            if any(line.startswith("execve") and '"--role", "broker"' in line for line in lines)
        ]
        return set().union(*map(self.family_of, started))

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


@pytest.mark.timeout(200)
@pytest.mark.parametrize("position", [Position.OFFLINE, Position.DOWNLOADS])
def test_a_conversation_with_the_model_here_opens_no_socket_in_any_process(
    tmp_path: Path, position: Position
) -> None:
    home = tmp_path / "home"
    with chat_server() as server:
        enable(
            home, server, position=position
        )  # a provider that is enabled, and a switch that does not let it out
        watched = Watched(tmp_path / "watched", home, str(WINDOW), str(home), "")
    assert watched.done.returncode == 0, watched.done.stderr
    assert json.loads(watched.done.stdout)["answer"]
    assert bool(watched.broker) == (position is Position.DOWNLOADS)
    assert watched.reaching_out == {}
    assert server.asked == [] and ledger_rows(home) == []


@pytest.mark.timeout(200)
def test_a_conversation_with_a_remote_model_leaves_from_the_broker_for_that_provider_and_nowhere_else(
    tmp_path: Path,
) -> None:
    home = tmp_path / "home"
    with chat_server() as server, secret_service() as keychain:
        enable(home, server)
        remember(home, PROVIDER, (RemoteModelInfo(MODEL, "A Model", 4096),))
        keychain.keep(provider_key(PROVIDER, server.url, own=True).service, KEY)
        bus = {"DBUS_SESSION_BUS_ADDRESS": keychain.address}
        model = f"{REMOTE}{PROVIDER}/{MODEL}"
        watched = Watched(tmp_path / "watched", home, str(WINDOW), str(home), model, environ=bus)
    assert watched.done.returncode == 0, watched.done.stderr
    assert json.loads(watched.done.stdout) == {"answer": "Hello there", "imported": []}
    assert [asked.headers["authorization"] for asked in server.asked] == [f"Bearer {KEY}"]
    out = watched.reaching_out
    assert out and set(out) <= watched.broker
    places = {
        (found[2], int(found[1]))
        for lines in out.values()
        for line in lines
        if (found := re.search(r'sin_port=htons\((\d+)\), sin_addr=inet_addr\("([^"]+)"\)', line))
        and line.startswith("connect")
    }
    assert places == {("127.0.0.1", server.port)}
    left = {str(path): path.read_bytes() for path in home.rglob("*") if path.is_file()}
    assert any(name.endswith(".db") for name in left), sorted(left)
    assert [name for name, content in left.items() if KEY.encode() in content] == []
    assert KEY not in watched.done.stderr and not any(KEY in line for line in watched.programs)


def test_a_question_from_the_terminal_leaves_from_the_broker_alone_and_only_with_a_yes(
    tmp_path: Path,
) -> None:
    home = tmp_path / "home"
    asking = ("-m", "desktop", "ask", "--remote", f"{PROVIDER}/{MODEL}", "Hello")
    with chat_server() as server:
        enable(home, server, auth=Auth.NONE)
        shown = Watched(tmp_path / "shown", home, *asking)
        assert (shown.done.returncode, shown.reaching_out, server.asked) == (1, {}, [])
        sent = Watched(tmp_path / "sent", home, *asking, "--yes-send")
        assert (sent.done.returncode, sent.done.stdout) == (0, "Hello there\n"), sent.done.stderr
        assert len(server.asked) == 1
    assert sent.reaching_out and set(sent.reaching_out) <= sent.broker
