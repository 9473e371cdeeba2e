"""One window for one home."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from desktop.instance import Instance

HOLD = """
import sys
from pathlib import Path
from desktop.instance import Instance
instance = Instance(Path(sys.argv[1]))
print(instance.acquire(), flush=True)
sys.stdin.read()
"""


def test_the_second_is_told_it_is_not_the_first(tmp_path: Path) -> None:
    first, second = Instance(tmp_path / "alcove.lock"), Instance(tmp_path / "alcove.lock")
    assert first.acquire()
    assert not second.acquire()
    first.release()
    assert second.acquire()
    second.release()


def test_asking_changes_the_file_that_the_first_one_watches(tmp_path: Path) -> None:
    first = Instance(tmp_path / "alcove.lock")
    first.acquire()
    before = first.request_file.read_text()
    Instance(tmp_path / "alcove.lock").ask_to_show()
    assert first.request_file.read_text() != before
    first.release()


def test_the_right_is_free_again_after_its_holder_was_killed(tmp_path: Path) -> None:
    lock = tmp_path / "alcove.lock"
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(lock)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None and holder.stdin is not None
    assert holder.stdout.readline() == "True\n"
    mine = Instance(lock)
    assert not mine.acquire()
    holder.kill()
    holder.wait()
    holder.stdout.close()
    holder.stdin.close()
    assert mine.acquire()
    mine.release()
