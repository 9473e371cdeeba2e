"""Alcove can be started anew from outside its lock, when it asks for that and never otherwise."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no lock to get out of")
LOCKED = """
from desktop.processes.again import can_start_again, stand_by, start_again
from desktop.processes.lockdown import lock_down
from desktop.processes.roles import Role
stand_by()
lock_down(Role.DESKTOP)
assert can_start_again()
"""


def ended(home: Path, code: str) -> subprocess.CompletedProcess[str]:
    """Runs code where there is no display, until it and whatever it left behind have ended."""
    return subprocess.run(
        [sys.executable, "-P", "-c", LOCKED + code],
        env={"PATH": os.environ["PATH"], "HOME": str(home), "ALCOVE_HOME": str(home / "alcove")},
        cwd=home,
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_a_locked_alcove_that_asks_for_it_is_started_again(tmp_path: Path) -> None:
    done = ended(tmp_path, "start_again()")
    assert done.returncode == 0
    assert "alcove ask" in done.stderr  # what the window says where there is no display: it was started


def test_an_alcove_that_does_not_ask_stays_ended(tmp_path: Path) -> None:
    assert ended(tmp_path, "").stderr == ""
    killed = ended(tmp_path, "import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
    assert (killed.returncode, killed.stderr) == (-signal.SIGKILL, "")


def test_a_program_in_the_current_folder_is_not_taken_for_alcove(tmp_path: Path) -> None:
    (tmp_path / "desktop").mkdir()
    (tmp_path / "desktop" / "__init__.py").write_text("")
    (tmp_path / "desktop" / "__main__.py").write_text("import sys; print('not Alcove', file=sys.stderr)")
    done = ended(tmp_path, "start_again()")
    assert "not Alcove" not in done.stderr
    assert "alcove ask" in done.stderr
