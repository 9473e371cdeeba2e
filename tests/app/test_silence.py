"""A whole session of the window, watched by strace: who makes a socket for the internet, and whereto."""

from __future__ import annotations

import re
import shutil
import sys
from collections import deque
from collections.abc import Callable
from pathlib import Path

import pytest
from support.alcove_window import AlcoveWindow, wait_until
from support.chat_server import MODEL, PROVIDER, chat_server, completion, enable
from support.outside import requests_in

from desktop.processes.switch import Position
from desktop.remote import remember
from providers.remote.values import Auth, RemoteModelInfo

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or shutil.which("strace") is None, reason="strace is Linux's"
)
CALLS = "trace=%network,io_uring_setup,execve"


def session(
    folder: Path, home: Path, display: str, work: Callable[[AlcoveWindow], None]
) -> dict[int, list[str]]:
    """What each thread of one session asked the kernel for."""
    folder.mkdir()
    watch = ["strace", "-ff", "-qq", "-s", "300", "-e", CALLS, "-o", str(folder / "calls")]
    window = AlcoveWindow(home, display, watch)
    try:
        window.start()
        work(window)
        assert window.quit() == 0
    finally:
        window.kill()
    return {int(file.suffix[1:]): file.read_text(errors="replace").splitlines() for file in folder.iterdir()}


def for_the_internet(lines: list[str]) -> list[str]:
    """Sockets that were made and connections that were begun. What was refused is none."""
    done = [line for line in lines if re.search(r"\) += (?!-1)", line) or "EINPROGRESS" in line]
    return [
        line
        for line in done
        if line.startswith(("socket(AF_INET", "io_uring_setup")) or "sa_family=AF_INET" in line
    ]


def answered(window: AlcoveWindow) -> bool:
    return bool(window.rows("SELECT 1 FROM message WHERE role = 'assistant' AND status = 'complete'"))


def test_offline_no_process_makes_a_socket_for_the_internet_in_a_whole_session(
    tmp_path: Path, xvfb: str
) -> None:
    def work(window: AlcoveWindow) -> None:
        window.type("Hello")
        window.press("Return")
        wait_until(lambda: answered(window), what="an answer on this device")

    calls = session(tmp_path / "calls", tmp_path / "home", xvfb, work)
    assert {thread: found for thread, lines in calls.items() if (found := for_the_internet(lines))} == {}
    assert len(calls) > 10  # the window's threads and the worker's were watched


def test_with_remote_models_only_the_broker_reaches_out_and_only_to_an_enabled_provider(
    tmp_path: Path, xvfb: str
) -> None:
    home = tmp_path / "home"

    def work(window: AlcoveWindow) -> None:
        window.type("Hello")
        window.press("Return")
        window.press("Escape")  # not the first time: nothing is sent without a yes
        window.press("Return")
        window.press("shift+Tab", "shift+Tab", "space")  # from “Don't send” to “Send”
        wait_until(lambda: answered(window), what="an answer from elsewhere")

    with chat_server() as server:
        server.replies = deque([completion("Hello", " there")])
        enable(home, server, auth=Auth.NONE, position=Position.REMOTE)
        remember(home, PROVIDER, (RemoteModelInfo(MODEL, "A Model", 4096),))
        AlcoveWindow(home, xvfb).set(model_remote=f"{PROVIDER}/{MODEL}")
        calls = session(tmp_path / "calls", home, xvfb, work)
        assert [asked.path for asked in server.asked] == ["/v1/chat/completions"]
    reaching = {thread: found for thread, lines in calls.items() if (found := for_the_internet(lines))}
    brokers = [
        thread for thread, lines in calls.items() if any('"--role", "broker"' in line for line in lines)
    ]
    assert len(brokers) == 1 and reaching
    (first, *_) = sorted(reaching)
    assert first > brokers[0]  # the broker's threads come after it; the desktop's own make none
    begun = [line for lines in reaching.values() for line in lines if line.startswith("connect(")]
    whereto = {port for line in begun for port in re.findall(r"sin6?_port=htons\((\d+)\)", line)}
    assert whereto == {str(server.port)}
    assert len(requests_in(home)) == 1
