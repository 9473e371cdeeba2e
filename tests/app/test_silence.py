"""A whole session of the window on a display, offline, its keys pressed, watched from outside: it makes no socket."""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

import pytest
from support.alcove_window import AlcoveWindow, wait_until

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or shutil.which("strace") is None, reason="strace is Linux's"
)
CALLS = "trace=%network,io_uring_setup,execve"


def for_the_internet(lines: list[str]) -> list[str]:
    """Sockets that were made and connections that were begun. What was refused is none."""
    done = [line for line in lines if re.search(r"\) += (?!-1)", line) or "EINPROGRESS" in line]
    return [
        line
        for line in done
        if line.startswith(("socket(AF_INET", "io_uring_setup")) or "sa_family=AF_INET" in line
    ]


def test_offline_no_process_makes_a_socket_for_the_internet_in_a_whole_session(
    tmp_path: Path, xvfb: str
) -> None:
    folder = tmp_path / "calls"
    folder.mkdir()
    watch = ["strace", "-ff", "-qq", "-s", "300", "-e", CALLS, "-o", str(folder / "calls")]
    window = AlcoveWindow(tmp_path / "home", xvfb, watch)
    answer = "SELECT 1 FROM message WHERE role = 'assistant' AND status = 'complete'"
    try:
        window.start()
        window.type("Hello")
        window.press("Return")
        wait_until(lambda: window.rows(answer), what="an answer on this device")
        assert window.quit() == 0
    finally:
        window.kill()
    calls = {file.name: file.read_text(errors="replace").splitlines() for file in folder.iterdir()}
    assert {thread: found for thread, lines in calls.items() if (found := for_the_internet(lines))} == {}
    assert len(calls) > 10  # the window's threads and the worker's were watched
