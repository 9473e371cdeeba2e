"""The ledger keeps every row it acknowledged, and whatever was done to it afterwards is found."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest
from support.store_files import ordinary_person, small_disk

from providers.gate.chain import TORN_MARK, Head
from providers.gate.ledger import Ledger, LedgerError
from providers.gate.rows import EndRow, RequestRow, path_only
from providers.gate.verification import Damage, rows, verify

ROOT = Path(__file__).parents[3]
VERIFIER = ROOT / "docs" / "verify_ledger.py"
KEY = b"a key of thirty-two bytes, or so"


def row(number: int = 0, **more: object) -> RequestRow:
    values: dict[str, object] = {
        "id": f"id{number}",
        "purpose": "download",
        "method": "GET",
        "scheme": "https",
        "host": "hf.co",
        "port": 443,
        "path": f"/file/{number}",
        "verdict": "allowed",
        "rule": "hub",
        "redacted": {"names": 2},
    }
    return RequestRow(**{**values, **more})  # type: ignore[arg-type]


def filled(path: Path, count: int = 20, key: bytes | None = None) -> Head:
    ledger = Ledger(path, key)
    for number in range(count):
        ledger.append(row(number))
        ledger.append(EndRow(f"id{number}", "done", 200, 100, 2000), durable=False)
    head = ledger.head()
    ledger.close()
    return head


def independently(path: Path, *arguments: str) -> int:
    """What the auditor's own script comes to."""
    command = [sys.executable, "-I", str(VERIFIER), str(path), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60).returncode


@pytest.mark.parametrize("key", [None, KEY])
def test_what_was_written_is_there_in_order_and_intact(tmp_path: Path, key: bytes | None) -> None:
    path = tmp_path / "ledger" / "ledger.jsonl"
    head = filled(path, key=key)
    found = verify(path, key, anchor=head)
    assert (found.intact, found.rows, found.head, found.unfinished) == (True, 40, head, [])
    assert [r["path"] for r in rows(path, key) if r["kind"] == "request"] == [f"/file/{n}" for n in range(20)]
    assert path.stat().st_mode & 0o077 == 0 or sys.platform == "win32"


def test_a_request_without_an_end_is_named(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "l")
    ledger.append(row(1))
    ledger.append(row(2, verdict="refused", rule="host"))
    assert verify(tmp_path / "l").unfinished == ["id1"]


@pytest.mark.parametrize("key", [None, KEY])
def test_every_changed_byte_is_found(tmp_path: Path, key: bytes | None) -> None:
    path = tmp_path / "l"
    filled(path, key=key)
    whole, chance = path.read_bytes(), random.Random(1)
    places = [*chance.sample(range(len(whole)), 180), *range(len(whole) - 20, len(whole))]
    for place in places:
        changed = bytearray(whole)
        changed[place] ^= chance.randint(1, 255)
        path.write_bytes(changed)
        assert not verify(path, key).intact, place


def test_a_byte_that_was_changed_is_still_found_after_the_ledger_went_on(tmp_path: Path) -> None:
    path = tmp_path / "l"
    filled(path, 2)
    whole = path.read_bytes()
    last_row = whole.rindex(b"\n", 0, len(whole) - 1) + 1
    for place in range(last_row, len(whole)):
        changed = bytearray(whole)
        changed[place] ^= 0x18 ^ ord("}") if place == len(whole) - 2 else 1
        path.write_bytes(changed)
        ledger = Ledger(path)
        ledger.append(row(9))
        ledger.append(row(10))
        ledger.close()
        assert not verify(path).intact, place - last_row


def test_removed_moved_and_doubled_rows_are_found(tmp_path: Path) -> None:
    path = tmp_path / "l"
    filled(path, 4)
    lines = path.read_bytes().splitlines(keepends=True)
    for place in range(len(lines) - 1):
        for damaged in (
            lines[:place] + lines[place + 1 :],
            [*lines[:place], lines[place + 1], lines[place], *lines[place + 2 :]],
            [*lines[: place + 1], *lines[place:]],
        ):
            path.write_bytes(b"".join(damaged))
            assert not verify(path).intact


def test_rows_cut_off_at_the_end_and_a_deleted_file_are_found_by_the_anchor(tmp_path: Path) -> None:
    path = tmp_path / "l"
    head = filled(path, 4)
    lines = path.read_bytes().splitlines(keepends=True)
    for left in range(len(lines)):
        path.write_bytes(b"".join(lines[:left]))
        assert verify(path).intact  # said in the documentation: without an anchor nobody can see this
        assert [p.damage for p in verify(path, anchor=head).problems] == [Damage.ANCHOR]
    path.unlink()
    assert not verify(path, anchor=head).intact


def test_with_a_key_a_chain_that_somebody_else_computed_is_found(tmp_path: Path) -> None:
    path = tmp_path / "l"
    filled(path, 3, KEY)
    filled(tmp_path / "forged", 3, b"another key")
    filled(tmp_path / "plain", 3)
    for forged in ("forged", "plain"):
        path.write_bytes(path.read_bytes() + (tmp_path / forged).read_bytes())
        assert not verify(path, KEY).intact
    ledger = Ledger(tmp_path / "l2", KEY)
    ledger.append(row())
    ledger.close()
    assert [p.damage for p in verify(tmp_path / "l2").problems] == [Damage.KEY_MISSING]
    with pytest.raises(LedgerError, match="key"):
        Ledger(tmp_path / "l2").append(row())


def test_a_ledger_that_gets_a_key_later_goes_on_and_says_how_much_was_before(tmp_path: Path) -> None:
    path = tmp_path / "l"
    filled(path, 2)
    filled(path, 2, KEY)
    found = verify(path, KEY)
    assert (found.intact, found.rows, found.unkeyed) == (True, 8, 4)


def test_a_row_that_was_cut_off_anywhere_is_told_of_and_never_dropped(tmp_path: Path) -> None:
    path = tmp_path / "l"
    filled(path, 2)
    whole = path.read_bytes()
    last = whole.rindex(b"\n", 0, len(whole) - 1) + 1
    for cut in range(last + 1, len(whole)):
        path.write_bytes(whole[:cut])
        assert [p.damage for p in verify(path).problems] == [Damage.TORN_END]
        ledger = Ledger(path)
        ledger.append(row(7))
        ledger.close()
        found = verify(path)
        assert (found.intact, found.torn) == (True, 1), cut - last
        assert whole[:cut] in path.read_bytes()


def test_a_row_cut_off_while_telling_of_another_is_told_of_as_well(tmp_path: Path) -> None:
    path = tmp_path / "l"
    filled(path, 2)
    path.write_bytes(path.read_bytes() + b'{"alg":"sha' + TORN_MARK + b'{"alg":"sha256","byt')
    ledger = Ledger(path)
    ledger.append(row(7))
    ledger.close()
    assert (verify(path).intact, verify(path).torn) == (True, 1)


def test_two_processes_take_turns_and_no_row_is_lost(tmp_path: Path) -> None:
    path = tmp_path / "l"
    writer = (
        "import sys; from pathlib import Path; from providers.gate.ledger import Ledger\n"
        "from providers.gate.rows import EndRow\n"
        "ledger = Ledger(Path(sys.argv[1]))\n"
        "for n in range(60): ledger.append(EndRow(f'{sys.argv[2]}-{n}', 'done', 200, 1, 1))\n"
    )
    command = [sys.executable, "-c", writer, str(path)]
    running = [subprocess.Popen([*command, name], cwd=ROOT) for name in "abc"]
    assert [process.wait(60) for process in running] == [0, 0, 0]
    assert (verify(path).intact, verify(path).rows) == (True, 180)
    for name in "abc":
        mine = [r["id"] for r in rows(path) if str(r["id"]).startswith(name)]
        assert mine == [f"{name}-{n}" for n in range(60)]


def test_a_ledger_that_was_taken_away_begins_anew_at_its_place(tmp_path: Path) -> None:
    path = tmp_path / "l"
    ledger = Ledger(path)
    head = ledger.append(row(1))
    path.rename(tmp_path / "elsewhere")
    ledger.append(row(2))
    assert [r["id"] for r in rows(path)] == ["id2"]
    assert not verify(path, anchor=head).intact


def test_on_a_full_disk_no_row_is_acknowledged_and_the_file_stays_whole(tmp_path: Path) -> None:
    with small_disk(tmp_path, 64) as mounted:
        if not mounted:
            pytest.skip("this account may not mount a small disk")
        ledger = Ledger(tmp_path / "l")
        acknowledged = 0
        try:
            while acknowledged < 10_000:
                ledger.append(row(acknowledged))
                acknowledged += 1
        except LedgerError:
            pass
        assert 0 < acknowledged < 10_000
        assert (verify(tmp_path / "l").rows, verify(tmp_path / "l").intact) == (acknowledged, True)
        ledger.close()


def test_in_a_folder_that_cannot_be_written_no_row_is_acknowledged() -> None:
    with ordinary_person() as home:
        home.chmod(0o500)
        with pytest.raises(LedgerError):
            Ledger(home / "ledger" / "l").append(row())


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
def test_a_link_in_the_ledgers_place_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "other").write_text("mine")
    os.symlink(tmp_path / "other", tmp_path / "l")
    with pytest.raises(LedgerError):
        Ledger(tmp_path / "l").append(row())
    assert (tmp_path / "other").read_text() == "mine"


def test_no_value_of_a_query_is_noted() -> None:
    noted = path_only("/a/b?X-Signature=SECRET&token=SECRET&SECRET&search=my+SECRET+plan")
    assert noted == "/a/b?X-Signature&token&…&search"


def test_a_whole_ledger_made_again_without_the_key_is_found_by_who_has_the_key(tmp_path: Path) -> None:
    path, key_file = tmp_path / "l", tmp_path / "key"
    key_file.write_bytes(KEY)
    filled(path, 3, KEY)
    path.unlink()
    filled(path, 2)
    assert [problem.damage for problem in verify(path, KEY).problems] == [Damage.KEY_UNUSED]
    assert independently(path, "--key-file", str(key_file)) == 1
    assert verify(path).intact and verify(path).unkeyed == 4  # without the key all that can be said
    filled(path, 1, KEY)
    assert verify(path, KEY).intact and verify(path, KEY).unkeyed == 4  # told of, and for an anchor to find
    assert independently(path, "--key-file", str(key_file)) == 0


def test_the_auditors_script_comes_to_the_same_verdicts(tmp_path: Path) -> None:
    path, key_file = tmp_path / "l", tmp_path / "key"
    key_file.write_bytes(KEY)
    filled(path, 3)
    head = filled(path, 3, KEY)
    anchor = ("--anchor", f"{head.number}:{head.hash}")
    with_key = ("--key-file", str(key_file))
    assert independently(path, *with_key, *anchor) == 0
    assert independently(path) == 1
    whole, chance = path.read_bytes(), random.Random(2)
    for place in chance.sample(range(len(whole)), 12):
        changed = bytearray(whole)
        changed[place] ^= 1
        path.write_bytes(changed)
        assert independently(path, *with_key) == 1
    path.write_bytes(b"".join(whole.splitlines(keepends=True)[:-1]))
    assert independently(path, *with_key) == 0
    assert independently(path, *with_key, *anchor) == 1
    path.write_bytes(whole[:-30])
    assert independently(path, *with_key) == 1
    Ledger(path, KEY).append(row(9))
    assert independently(path, *with_key) == 0
    assert json.loads(path.read_bytes().splitlines()[-1])["number"] == 13
