"""Whatever a model writes, no file is looked for and no connection is made because of it: the kernel is the witness."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support.hostile_markdown import CANARY, PAYLOADS

PROGRAM = Path(__file__).parents[2] / "support" / "hostile_markdown.py"
EVERY_KIND = {
    "ProseView",
    "CodeText",
    "SlabView",
    "ParagraphView",
    "FormulaView",
    "ReasoningView",
    "ProblemBar",
    "QLabel",
}


@pytest.mark.skipif(sys.platform != "linux", reason="strace is a Linux program")
def test_no_file_and_no_socket_is_opened_because_of_markdown(tmp_path: Path) -> None:
    assert len(PAYLOADS) >= 30
    strace = shutil.which("strace")
    assert strace is not None, "this test needs strace (apt-get install strace)"
    log = tmp_path / "calls"
    command = [strace, "-f", "-s", "4096", "-e", "trace=%file,%network", "-o", str(log)]
    environ = {**os.environ, "QT_QPA_PLATFORM": "offscreen", "PYTHONDONTWRITEBYTECODE": "1"}
    ran = subprocess.run(
        [*command, sys.executable, str(PROGRAM)], env=environ, capture_output=True, text=True
    )
    assert ran.returncode == 0 and "Traceback" not in ran.stderr, ran.stderr[-4_000:]
    started, shown = ran.stdout.splitlines()
    assert (started, shown.split()[0]) == ("started", "shown")
    assert set(shown.split()) >= EVERY_KIND

    calls = log.read_text(errors="replace").splitlines()
    assert len(calls) > 500  # it did watch
    assert [call for call in calls if CANARY in call] == []
    sockets = [call for call in calls if re.search(r"\b(socket|connect|sendto|sendmsg|bind)\(", call)]
    reached = [
        call for call in sockets if "= -1 " not in call and "AF_UNIX" not in call and "AF_NETLINK" not in call
    ]
    assert reached == []


@pytest.mark.skipif(sys.platform != "linux", reason="strace is a Linux program")
def test_the_witness_would_see_a_file_that_is_opened(tmp_path: Path) -> None:
    """A plain QTextBrowser, given the same pictures as HTML, does look for them."""
    log = tmp_path / "calls"
    program = (
        "from PySide6.QtWidgets import QApplication, QTextBrowser\n"
        "application = QApplication([])\n"
        f"view = QTextBrowser(); view.setHtml('<img src=\"/tmp/{CANARY}/x.png\">'); view.show(); view.grab()\n"
    )
    command = ["strace", "-f", "-e", "trace=%file", "-o", str(log), sys.executable, "-c", program]
    environ = {**os.environ, "QT_QPA_PLATFORM": "offscreen"}
    subprocess.run(command, env=environ, check=True, capture_output=True)
    seen = [
        line
        for line in log.read_text(errors="replace").splitlines()
        if CANARY in line and "execve" not in line
    ]
    assert seen
