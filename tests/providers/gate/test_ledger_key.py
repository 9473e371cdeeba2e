"""The ledger's key: made once, kept in the keychain, and never done without once there are rows made with it."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from random import Random

import pytest
from support.outside import Outside, broker, ledger_rows, outside, set_switch
from support.secret_service import secret_service

from desktop.processes.switch import Position
from providers.gate.chain import seal
from providers.gate.faults import GateError
from providers.gate.ledger import Ledger, LedgerError, LedgerKeyMissing
from providers.gate.protocol import GateFault
from providers.gate.rows import EndRow, to_record
from providers.gate.rules import Purpose
from providers.gate.verification import Damage, rows, verify

KEY = bytes(range(32))


def fetching(home: Path, server: Outside, environ: Mapping[str, str], times: int = 1) -> None:
    async def whole() -> None:
        async with broker(home, {"PATH": os.environ["PATH"], **environ}) as client:
            for _ in range(times):
                assert await client.fetch(server.url + "/x", Purpose.SEARCH, 1000) == b"hello"

    set_switch(home, Position.DOWNLOADS, server)
    asyncio.run(asyncio.wait_for(whole(), 60))


@pytest.mark.skipif(sys.platform != "linux", reason="the Secret Service is Linux's")
def test_the_key_is_made_with_the_first_row_and_every_row_has_it(tmp_path: Path) -> None:
    with secret_service() as service, outside() as server:
        fetching(tmp_path, server, service.environ, 2)
        key = service.ledger_key()
        fetching(tmp_path, server, service.environ)  # another broker has the same one
        assert service.ledger_key() == key
    assert {row["alg"] for row in ledger_rows(tmp_path)} == {"hmac-sha256"}
    path = tmp_path / "ledger" / "ledger.jsonl"
    assert verify(path, key).intact and not verify(path, KEY).intact
    assert {problem.damage for problem in verify(path).problems} == {Damage.KEY_MISSING}
    for file in tmp_path.rglob("*"):
        assert not file.is_file() or key.hex().encode() not in file.read_bytes()


@pytest.mark.skipif(sys.platform != "linux", reason="the Secret Service is Linux's")
def test_once_rows_have_a_key_nothing_leaves_without_it(tmp_path: Path) -> None:
    with secret_service() as service, outside() as server:
        fetching(tmp_path, server, service.environ)
        before = len(server.asked)
        for environ in ({}, service.environ):
            if environ:
                service.lock()
            with pytest.raises(GateError) as error:
                fetching(tmp_path, server, environ)
            assert error.value.fault is GateFault.LEDGER
        assert len(server.asked) == before
    assert len(ledger_rows(tmp_path)) == 2


def test_without_a_keychain_the_rows_say_that_they_have_no_key(tmp_path: Path) -> None:
    with outside() as server:
        fetching(tmp_path, server, {})
    assert {row["alg"] for row in ledger_rows(tmp_path)} == {"sha256"}
    found = verify(tmp_path / "ledger" / "ledger.jsonl")
    assert found.intact and found.unkeyed == 2


def test_a_new_key_is_made_for_a_ledger_without_one_and_never_for_one_with(tmp_path: Path) -> None:
    asked: list[bool] = []

    def ask(make: bool) -> bytes | None:
        asked.append(make)
        return KEY if make else None

    path = tmp_path / "ledger.jsonl"
    Ledger(path, ask_for_key=ask).append(EndRow("a", "done", 200, 1, 1))
    with pytest.raises(LedgerError):
        Ledger(path, ask_for_key=ask).append(EndRow("b", "done", 200, 1, 1))
    assert asked == [True, False]
    assert verify(path, KEY).rows == 1


def test_a_thousand_single_byte_changes_of_a_ledger_with_a_key_are_all_found(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    ledger = Ledger(path, KEY)
    for number in range(12):
        ledger.append(EndRow(f"{number:032x}", "done", 200, number, 2 * number, cost="0.01"), durable=False)
    whole = path.read_bytes()
    assert verify(path, KEY).intact
    rng = Random(7)
    found = 0
    for _ in range(1_000):
        changed = bytearray(whole)
        place = rng.randrange(len(changed))
        changed[place] ^= rng.randrange(1, 256)
        path.write_bytes(changed)
        found += not verify(path, KEY).intact
    print(f"{found} of 1000 changes found")
    assert found == 1_000


def test_an_auditor_checks_a_ledger_with_its_key_and_without_alcove(tmp_path: Path) -> None:
    path, key = tmp_path / "ledger.jsonl", tmp_path / "key"
    ledger = Ledger(path, KEY)
    for number in range(3):
        ledger.append(EndRow(f"{number:032x}", "done", 200, number, number), durable=False)
    key.write_bytes(KEY)
    script = Path(__file__).parents[3] / "docs" / "verify_ledger.py"
    command = [sys.executable, "-I", str(script), str(path), "--key-file", str(key)]
    assert subprocess.run(command, capture_output=True, timeout=60).returncode == 0
    path.write_bytes(path.read_bytes().replace(b'"bytes_in":1', b'"bytes_in":7'))
    assert subprocess.run(command, capture_output=True, timeout=60).returncode == 1


def keyed_ledger(path: Path) -> Path:
    ledger = Ledger(path, KEY)
    for number in range(3):
        ledger.append(end(number), durable=False)
    ledger.close()
    return path


def end(number: int) -> EndRow:
    return EndRow(f"{number:032x}", "done", 200, number, number)


def test_a_crash_leaves_a_ledger_with_a_key_intact_after_the_next_row(tmp_path: Path) -> None:
    path = keyed_ledger(tmp_path / "l")
    path.write_bytes(path.read_bytes() + b'{"alg":"hmac')
    Ledger(path, ask_for_key=lambda make: KEY).append(end(9))
    found = verify(path, KEY)
    assert (found.intact, found.torn, found.unkeyed) == (True, 1, 0)


@pytest.mark.parametrize("strange", [b'{"alg":"hmac', b"no row at all\n", b""])
def test_nothing_put_behind_the_rows_makes_a_ledger_go_on_without_its_key(
    tmp_path: Path, strange: bytes
) -> None:
    path = keyed_ledger(tmp_path / "l")
    if not strange:  # a whole row without a key, which anybody can compute
        strange = seal({"kind": "end", "id": "x"}, Ledger(path).head(), None)[0]
    path.write_bytes(path.read_bytes() + strange)
    asked: list[bool] = []
    ledger = Ledger(path, ask_for_key=asked.append)
    for _ in range(2):
        with pytest.raises(LedgerKeyMissing):
            ledger.append(end(9))
    assert set(asked) == {False}  # no new key is made beside the lost one
    told = [row for row in rows(path, None) if row["number"] == 4]
    assert len(told) == (strange.endswith(b"}\n"))  # the forged row only, and nothing written by Alcove


def test_a_row_that_waited_for_its_key_tells_of_what_was_torn(tmp_path: Path) -> None:
    path = keyed_ledger(tmp_path / "l")
    path.write_bytes(path.read_bytes() + b'{"alg":"hmac')
    answers = [None, KEY]
    ledger = Ledger(path, ask_for_key=lambda make: answers.pop(0))
    with pytest.raises(LedgerKeyMissing):
        ledger.append(end(9))
    ledger.append(end(9))
    found = verify(path, KEY)
    assert (found.intact, found.torn, found.rows) == (True, 1, 5)


def test_a_key_far_before_the_end_is_seen(tmp_path: Path) -> None:
    path = keyed_ledger(tmp_path / "l")
    head, lines = Ledger(path).head(), [path.read_bytes()]
    for number in range(3_000):  # more than is looked at in one piece
        line, head = seal(to_record(end(number)), head, None)
        lines.append(line)
    path.write_bytes(b"".join(lines))
    with pytest.raises(LedgerKeyMissing):
        Ledger(path, ask_for_key=lambda make: None).append(end(9))
