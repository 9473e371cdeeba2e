"""Programs that set-up runs are watched, written down, and gone when set-up is."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from launcher.console import Console, duration
from launcher.installation import activity
from launcher.running import CommandFailed, run
from launcher.stop import Stop

PACKAGING = Path(__file__).parents[2] / "packaging"
POSIX = pytest.mark.skipif(sys.platform == "win32", reason="signals and file locks of POSIX")


def until(condition: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def alive(process_id: int) -> bool:
    try:
        return Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_everything_a_program_writes_is_in_the_log() -> None:
    log = io.StringIO()
    code = "import sys; print('out'); sys.stdout.flush(); print('err', file=sys.stderr)"
    run([sys.executable, "-c", code], Console(), log)
    assert log.getvalue().splitlines()[-2:] == ["out", "err"]


def test_a_failure_shows_the_last_twenty_lines_without_the_noise() -> None:
    code = "import sys; [print(('DEBUG ' if i % 2 else '') + str(i)) for i in range(100)]; sys.exit(3)"
    with pytest.raises(CommandFailed) as failure:
        run([sys.executable, "-c", code], Console(), io.StringIO())
    assert failure.value.tail == [str(i) for i in range(60, 100, 2)]


def test_a_program_that_is_not_there_is_a_sentence() -> None:
    with pytest.raises(Stop, match=r"nowhere could not be started: No such file"):
        run(["/nowhere"], Console(), io.StringIO())


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("DEBUG [41/83] /usr/bin/g++ -DGGML_BUILD -c llama.cpp", "compiling llama.cpp: 41 of 83"),
        ("Downloading pyside6-essentials (77.2MiB)", "downloading pyside6-essentials (77.2MiB)"),
        ("   Building llama-cpp-python==0.3.36", "building llama-cpp-python==0.3.36"),
        ("DEBUG Searching for a compatible version of pathspec", None),
    ],
)
def test_progress_is_read_from_what_uv_prints(line: str, shown: str | None) -> None:
    assert activity(line) == shown


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.2, "0 s"), (59.4, "59 s"), (60, "1 min 00 s"), (185, "3 min 05 s")]
)
def test_times_are_written_for_people(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@POSIX
@pytest.mark.skipif(not Path("/proc").exists(), reason="looks at /proc")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_set_up_leaves_no_compiler_behind(tmp_path: Path, number: signal.Signals) -> None:
    file = tmp_path / "grandchild"
    # A shell that starts a compiler, as ninja does.
    script = f"sleep 300 & echo $! > {file}; wait"
    code = (
        "import io, signal, sys; from launcher.console import Console; from launcher import running\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored where the tests run in the background\n"
        "running.interrupt_when_told_to_end()\n"
        "running.run(['sh', '-c', sys.argv[1]], Console(), io.StringIO())"
    )
    command = [sys.executable, "-c", code, script]
    with subprocess.Popen(command, cwd=PACKAGING, stderr=subprocess.DEVNULL) as parent:
        try:
            until(lambda: file.exists() and file.read_text().endswith("\n"))
            grandchild = int(file.read_text())
            assert alive(grandchild)
            os.kill(parent.pid, number)
            assert parent.wait(30) != 0
            until(lambda: not alive(grandchild))
        finally:
            parent.kill()


@POSIX
def test_two_set_ups_of_one_checkout_wait_for_each_other(tmp_path: Path) -> None:
    code = (
        "import pathlib, sys; from launcher.locking import alone\n"
        "with alone(pathlib.Path(sys.argv[1]), lambda: print('waiting', flush=True)):\n"
        "    print('holding', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "lock")]

    def start() -> subprocess.Popen[str]:
        return subprocess.Popen(
            command, cwd=PACKAGING, stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8"
        )

    with start() as first:
        assert first.stdout is not None
        assert first.stdout.readline() == "holding\n"
        with start() as second:
            assert second.stdout is not None
            assert second.stdout.readline() == "waiting\n"
            first.kill()  # a lock does not outlive its holder, however that one ends
            assert second.stdout.readline() == "holding\n"
            assert second.stdin is not None
            second.stdin.close()
            assert second.wait(30) == 0


@POSIX
def test_a_compiler_that_outlives_run_py_still_holds_the_lock(tmp_path: Path) -> None:
    lock, running = tmp_path / "lock", tmp_path / "running"
    code = (
        "import io, pathlib, sys; from launcher.console import Console; from launcher import locking, running\n"
        "with locking.alone(pathlib.Path(sys.argv[1]), lambda: None) as held:\n"
        "    running.run(['sh', '-c', sys.argv[2]], Console(), io.StringIO(), keep_open=held)"
    )
    # The orphan ends when its file goes.
    script = f"echo $$ > {running}; while [ -e {running} ]; do sleep 0.05; done"
    parent = subprocess.Popen(
        [sys.executable, "-c", code, str(lock), script], cwd=PACKAGING, stderr=subprocess.DEVNULL
    )
    until(lambda: running.exists() and running.read_text().endswith("\n"))
    parent.kill()
    parent.wait(30)
    waits = (
        "import pathlib, sys; from launcher.locking import alone\n"
        "with alone(pathlib.Path(sys.argv[1]), lambda: print('waiting', flush=True)): pass"
    )
    with subprocess.Popen(
        [sys.executable, "-c", waits, str(lock)], cwd=PACKAGING, stdout=subprocess.PIPE, encoding="utf-8"
    ) as second:
        assert second.stdout is not None
        assert second.stdout.readline() == "waiting\n"
        running.unlink()
        assert second.wait(30) == 0
