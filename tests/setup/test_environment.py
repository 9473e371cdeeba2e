"""`.venv` counts as complete only when it is: this checkout, this machine, nothing cut off, nothing outdated."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support.checkout import a_checkout

from launcher.environment import LOCKS, SERVERS_LOCK, Environment


@pytest.fixture
def complete(tmp_path: Path) -> Environment:
    return a_checkout(tmp_path / "alcove")


def test_a_complete_environment_is_ready(complete: Environment) -> None:
    assert complete.is_ready()


@pytest.mark.parametrize("name", [*LOCKS, SERVERS_LOCK, "pyproject.toml"])
def test_a_changed_project_needs_a_set_up(complete: Environment, name: str) -> None:
    with (complete.root / name).open("a") as file:
        file.write("\n# changed\n")
    assert not complete.is_ready()


def test_a_moved_checkout_needs_a_set_up(complete: Environment, tmp_path: Path) -> None:
    complete.root.rename(tmp_path / "elsewhere")
    assert not Environment(tmp_path / "elsewhere").is_ready()


def test_a_set_up_that_was_cut_off_is_noticed(complete: Environment) -> None:
    complete.begin()
    assert not Environment(complete.root).is_ready()
    assert complete.unfinished.exists()


def test_a_python_that_was_removed_is_noticed(complete: Environment) -> None:
    complete.python.unlink()
    complete.python.symlink_to("/nowhere/python3")
    assert not complete.is_ready()


def test_a_stamp_cut_off_while_it_was_written_is_no_stamp(complete: Environment) -> None:
    complete.stamp.write_text(complete.stamp.read_text()[:20])
    assert not complete.is_ready()


def test_the_tests_need_more_than_a_person_does(complete: Environment) -> None:
    assert not complete.is_ready(tests=True)
    complete.complete({"tests": True})
    assert complete.is_ready(tests=True)
    assert complete.is_ready()


def test_a_display_that_was_not_looked_at_needs_a_look(complete: Environment) -> None:
    assert not complete.is_ready(display="x11")
    complete.complete({"displays": ["x11"]})
    assert complete.is_ready(display="x11")
    assert not complete.is_ready(display="wayland")


def test_asking_whether_it_is_ready_changes_nothing(complete: Environment) -> None:
    shutil.rmtree(complete.folder)
    assert not complete.is_ready()
    assert not complete.folder.exists()


def test_the_stamp_is_the_same_in_every_process(complete: Environment) -> None:
    code = (
        "import sys, pathlib; from launcher.environment import Environment; "
        "print(Environment(pathlib.Path(sys.argv[1])).fingerprint())"
    )
    packaging = Path(__file__).parents[2] / "packaging"
    done = subprocess.run(
        [sys.executable, "-c", code, str(complete.root)],
        cwd=packaging,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == complete.fingerprint()
