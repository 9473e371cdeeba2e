"""run.py as a person meets it: typed into a terminal, on machines good and bad."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from support.checkout import a_checkout

ROOT = Path(__file__).parents[2]
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="package managers of Linux")


def run_py(root: Path, *arguments: str, path: str | None = None) -> subprocess.CompletedProcess[str]:
    """`python3 run.py …` without a display; `path` replaces PATH."""
    outside = ("DISPLAY", "WAYLAND_DISPLAY", "CC", "CXX")
    variables = {name: value for name, value in os.environ.items() if name not in outside}
    return subprocess.run(
        [sys.executable, str(root / "run.py"), *arguments],
        env=variables | ({"PATH": path} if path is not None else {}),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        timeout=100,
        check=False,
    )


def a_program(folder: Path, name: str, script: str) -> None:
    file = folder / name
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o755)


@pytest.mark.parametrize("option", ["--help", "-h"])
def test_help_names_every_command(option: str) -> None:
    done = run_py(ROOT, option)
    assert done.returncode == 0
    for command in ("setup", "test", "check", "bench", "ask"):
        assert f"run.py {command}" in done.stdout
    assert done.stderr == ""


@pytest.mark.parametrize("words", [("setup", "--fast"), ("check", "mypy"), ("bench", "nonsense")])
def test_wrong_words_are_refused_before_anything_is_done(tmp_path: Path, words: tuple[str, ...]) -> None:
    checkout = a_checkout(tmp_path / "alcove", complete=False)
    done = run_py(checkout.root, *words)
    assert done.returncode == 2
    assert words[-1] in done.stderr
    assert not checkout.folder.exists()


def test_a_set_up_checkout_starts_alcove_with_what_was_typed(tmp_path: Path) -> None:
    checkout = a_checkout(tmp_path / "alcove")
    done = run_py(checkout.root, "ask", "What is a monad?", "--json")
    prefix, safe_path, arguments = json.loads(done.stdout)
    assert (done.returncode, done.stderr) == (0, "")
    assert Path(prefix) == checkout.folder
    assert safe_path  # nothing in the person's current folder is imported
    assert arguments == ["ask", "What is a monad?", "--json"]


def test_a_checkout_reached_by_a_link_is_the_same_checkout(tmp_path: Path) -> None:
    checkout = a_checkout(tmp_path / "alcove")
    link = tmp_path / "link"
    link.symlink_to(checkout.root, target_is_directory=True)
    assert run_py(link, "--version").returncode == 0


@LINUX
def test_without_a_compiler_one_command_is_printed_and_nothing_is_built(tmp_path: Path) -> None:
    checkout = a_checkout(tmp_path / "alcove", complete=False)
    programs = tmp_path / "bin"
    programs.mkdir()
    a_program(programs, "dnf", "exit 1")
    done = run_py(checkout.root, "setup", path=str(programs))
    assert done.returncode == 1
    assert "a C++ compiler" in done.stderr
    assert re.search(r"^    (sudo )?dnf install -y gcc-c\+\+$", done.stderr, re.MULTILINE)
    assert not checkout.folder.exists()


@LINUX
def test_without_a_package_manager_what_is_missing_is_named(tmp_path: Path) -> None:
    checkout = a_checkout(tmp_path / "alcove", complete=False)
    done = run_py(checkout.root, "setup", path=str(tmp_path))
    assert done.returncode == 1
    assert "missing here: a C++ compiler." in done.stderr
    assert not checkout.folder.exists()


@LINUX
@pytest.mark.skipif(os.geteuid() != 0, reason="only root may install")
@pytest.mark.parametrize(
    ("status", "sentence"), [(0, "Installed, and yet not usable here"), (100, "no such package")]
)
def test_root_on_debian_installs_what_is_missing(tmp_path: Path, status: int, sentence: str) -> None:
    checkout = a_checkout(tmp_path / "alcove", complete=False)
    programs = tmp_path / "bin"
    programs.mkdir()
    calls = tmp_path / "calls"
    a_program(programs, "apt-get", f'echo "$@" >>{calls}; echo "no such package"; exit {status}')
    done = run_py(checkout.root, "setup", path=str(programs))
    update, install = calls.read_text().splitlines()
    assert update.endswith(" update")
    assert install.endswith(" install -y --no-install-recommends g++")
    assert done.returncode == 1
    assert sentence in done.stderr
    assert not checkout.folder.exists()


def test_an_old_python_is_told_which_one_is_needed(tmp_path: Path) -> None:
    a_program(tmp_path, "python3.12", "")
    code = (
        "import runpy, sys; sys.version_info = (3, 8, 10, 'final', 0); sys.argv = ['run.py']; "
        f"runpy.run_path({str(ROOT / 'run.py')!r}, run_name='__main__')"
    )
    for path, sentence in ((str(tmp_path), "    python3.12 run.py"), ("", "Install a newer one")):
        done = subprocess.run(
            [sys.executable, "-c", code], env={"PATH": path}, capture_output=True, text=True, check=False
        )
        assert done.returncode == 1
        assert done.stderr.startswith("Alcove needs Python 3.11 or newer; this is Python 3.8.10.\n")
        assert sentence in done.stderr
