"""`alcove ledger`: lists, verifies and exports what the broker wrote."""

from __future__ import annotations

import argparse
import csv
import json
from pathlib import Path

import pytest

from desktop.cli.ledger import add_ledger_command, run
from desktop.paths import Paths
from providers.gate.ledger import Ledger
from providers.gate.rows import EndRow, RequestRow


def row(number: int, verdict: str = "allowed", model: str = "") -> RequestRow:
    place = ("GET", "https", "hf.co", 443, f"/{number}")
    return RequestRow(f"id{number}", "download", *place, verdict, "hub", model=model)


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    found = Paths(tmp_path)
    ledger = Ledger(found.ledger)
    ledger.append(row(1))
    ledger.append(row(2, "refused"))
    ledger.append(EndRow("id1", "done", 200, 10, 2000))
    ledger.append(row(3, model="=1+1"))
    ledger.close()
    return found


def ledger(paths: Paths, *arguments: str) -> int:
    parser = argparse.ArgumentParser()
    add_ledger_command(parser.add_subparsers())
    return run(parser.parse_args(["ledger", *arguments]), paths)


def test_a_request_and_its_end_are_listed_as_one(paths: Paths, capsys: pytest.CaptureFixture[str]) -> None:
    assert ledger(paths, "list", "--json") == 0
    first, second, third = json.loads(capsys.readouterr().out)
    assert (first["outcome"], first["bytes_in"]) == ("done", 2000)
    assert second["verdict"] == "refused" and "outcome" not in third
    assert ledger(paths, "list", "--last", "1") == 0
    assert capsys.readouterr().out.count("\n") == 1


def test_verify_prints_a_head_that_can_be_checked_against(
    paths: Paths, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ledger(paths, "verify") == 0
    head = capsys.readouterr().out.splitlines()[0].rpartition(" ")[2]
    assert ledger(paths, "verify", "--anchor", head) == 0
    lines = paths.ledger.read_bytes().splitlines(keepends=True)
    paths.ledger.write_bytes(b"".join(lines[:-1]))
    assert ledger(paths, "verify", "--json") == 0
    capsys.readouterr()
    assert ledger(paths, "verify", "--anchor", head) == 1
    assert "may be missing" in capsys.readouterr().out


def test_every_kind_of_damage_has_a_sentence(paths: Paths, capsys: pytest.CaptureFixture[str]) -> None:
    paths.ledger.write_bytes(paths.ledger.read_bytes().replace(b'"host":"hf.co"', b'"host":"hf.cc"', 1))
    assert ledger(paths, "verify") == 1
    assert "was changed" in capsys.readouterr().out
    assert ledger(paths, "verify", "--json") == 1
    assert json.loads(capsys.readouterr().out)["intact"] is False


def test_an_export_can_be_read_again_and_runs_nothing_in_a_spreadsheet(paths: Paths, tmp_path: Path) -> None:
    assert ledger(paths, "export", str(tmp_path / "out.csv")) == 0
    with open(tmp_path / "out.csv", newline="", encoding="utf-8") as file:
        read = list(csv.DictReader(file))
    assert [r["path"] for r in read] == ["/1", "/2", "/3"]
    assert read[2]["model"] == "'=1+1"
    assert ledger(paths, "export", str(tmp_path / "out.json")) == 0
    assert len(json.loads((tmp_path / "out.json").read_text())) == 3
    assert ledger(paths, "export", str(tmp_path / "out.pdf")) == 2


def test_without_a_ledger_nothing_has_left(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert ledger(Paths(tmp_path), "verify") == 0
    assert ledger(Paths(tmp_path), "list") == 0
    assert "nothing has left" in capsys.readouterr().out
    assert not list(tmp_path.iterdir())
