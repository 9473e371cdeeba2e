"""The network switch: what is not plainly on is off."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from itertools import product
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from desktop.processes.home import home_folder
from desktop.processes.switch import FILE, Position, Switch, read_switch, write_switch

ROOT = Path(__file__).parents[2]


def reads(home: Path, content: bytes) -> Switch:
    (home / FILE).write_bytes(content)
    return read_switch(str(home))


def test_without_a_file_alcove_is_offline(tmp_path: Path) -> None:
    assert read_switch(str(tmp_path)) == Switch(Position.OFFLINE)
    assert read_switch(str(tmp_path / "nowhere")) == Switch(Position.OFFLINE)


@pytest.mark.parametrize("position", [Position.DOWNLOADS, Position.REMOTE])
def test_what_was_set_is_read_at_the_next_start(tmp_path: Path, position: Position) -> None:
    switch = Switch(position, "https://hub.corp.test", True, (str(tmp_path / "models"),))
    write_switch(str(tmp_path / "new"), switch)
    assert read_switch(str(tmp_path / "new")) == switch
    write_switch(str(tmp_path / "new"), Switch())
    assert read_switch(str(tmp_path / "new")) == Switch()
    assert [path.name for path in (tmp_path / "new").iterdir()] == [FILE]


@pytest.mark.parametrize(("position", "cap"), [*product(Position, Position)])
def test_the_more_restrictive_of_switch_and_policy_wins(
    tmp_path: Path, position: Position, cap: Position
) -> None:
    write_switch(str(tmp_path), Switch(position))
    order = list(Position)
    assert read_switch(str(tmp_path), cap).position is order[min(order.index(position), order.index(cap))]
    assert read_switch(str(tmp_path), Position.REMOTE).position is position


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"downloads",
        b'"downloads"',
        b'["downloads"]',
        b'{"position": "downloads"',
        b'{"position": "DOWNLOADS"}',
        b'{"position": "downloads "}',
        b'{"position": ["downloads"]}',
        b'{"position": true, "mirror": "downloads"}',
        b'{"position": "everything", "mirror": "remote"}',
        b'{"Position": "downloads"}',
        b'{"position": "offline", "position": "downloads"}',
        b'{"position": "downloads", "mirror": 1}',
        b'{"position": "downloads", "plain_http": 1}',
        b'{"position": "downloads", "folders": "/"}',
        b'{"position": "downloads", "folders": ["relative"]}',
        b'{"position": "downloads", "later": 1}',
        b'{"position": "downloads"}' + b" " * 70_000,
        b'\xff\xfe{"position": "downloads"}',
        b'{"position": "\\u0064ownloads"}',
        b'{"position": "downloads"}\x00',
        b"[" * 60_000 + b'"downloads"',
    ],
)
def test_a_damaged_or_unknown_file_means_offline(tmp_path: Path, content: bytes) -> None:
    assert reads(tmp_path, content) == Switch(Position.OFFLINE)


@given(
    st.binary(max_size=200)
    | st.recursive(st.text() | st.booleans(), st.lists).map(lambda v: json.dumps(v).encode())
)
def test_no_bytes_at_all_make_it_fail(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    assert reads(tmp_path_factory.getbasetemp(), content).position is Position.OFFLINE


@pytest.mark.skipif(sys.platform == "win32", reason="named pipes are files elsewhere")
def test_what_is_no_ordinary_file_means_offline_and_keeps_nobody_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / FILE)
    assert read_switch(str(tmp_path)) == Switch()
    os.unlink(tmp_path / FILE)
    (tmp_path / FILE).mkdir()
    assert read_switch(str(tmp_path)) == Switch()


def test_offline_costs_no_import_of_a_parser_or_of_what_starts_programs(tmp_path: Path) -> None:
    write_switch(str(tmp_path), Switch(mirror="https://hub.corp.test"))
    code = (
        "import sys; from desktop.processes.switch import read_switch\n"
        "import desktop.__main__\n"
        f"read_switch({str(tmp_path)!r})\n"
        "print([name for name in ('json', 'subprocess', 'asyncio', 'httpx', 'socket') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
    bare = "import sys; print([n for n in ('json', 'subprocess', 'asyncio', 'httpx', 'socket') if n in sys.modules])"
    usual = subprocess.run([sys.executable, "-c", bare], capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr) == (usual.stdout, "")


def test_the_folder_is_the_one_of_the_whole_program(tmp_path: Path) -> None:
    assert home_folder({"ALCOVE_HOME": str(tmp_path)}) == str(tmp_path)
    assert os.path.isabs(home_folder({"ALCOVE_HOME": "relative"}))
    assert os.path.isabs(home_folder({}))
