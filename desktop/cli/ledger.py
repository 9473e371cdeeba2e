"""`alcove ledger`: what left this machine and what was refused, in the terminal. Reads the file and nothing else.

alcove ledger list [--json] [--last N]
alcove ledger verify [--json] [--anchor NUMBER:HASH]
alcove ledger export FILE        CSV or JSON, by the file's name
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import sys
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from desktop.i18n import tr
from desktop.paths import Paths
from providers.gate.chain import Head, Row
from providers.gate.verification import Damage, Verification, rows, verify

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]

COLUMNS = (
    *("time", "id", "purpose", "verdict", "rule", "method", "scheme", "host", "port", "path", "via", "hop"),
    *("provider", "model", "conversation", "body_bytes", "body_sha256", "redacted", "outcome", "status"),
    *("bytes_out", "bytes_in", "tokens_in", "tokens_out", "cost", "currency"),
)
"""Of an export, in this order: a request and its end in one line."""


def add_ledger_command(commands: Commands) -> None:
    """Give the command line its `ledger` command. What was chosen goes to `run`."""
    ledger = commands.add_parser("ledger", help=tr("what left this computer, and what was refused"))
    actions = ledger.add_subparsers(dest="ledger", metavar=tr("action"), required=True)
    listing = actions.add_parser("list", help=tr("list the requests, oldest first"))
    listing.add_argument("--last", type=int, metavar="N", help=tr("only the newest N"))
    listing.add_argument("--json", action="store_true", help=tr("print JSON"))
    check = actions.add_parser("verify", help=tr("check that nothing in it was changed"))
    check.add_argument(
        "--anchor", type=parse_anchor, metavar="NUMBER:HASH", help=tr("a head that you noted before")
    )
    check.add_argument("--json", action="store_true", help=tr("print JSON"))
    export = actions.add_parser("export", help=tr("write it to a file for other programs"))
    export.add_argument("file", type=Path, metavar="FILE", help=tr("its name ends in .csv or .json"))


def run(chosen: argparse.Namespace, paths: Paths) -> int:
    """Exit status 0; 1 when the ledger is not intact or can't be read or written; 2 for wrong usage."""
    try:
        match chosen.ledger:
            case "verify":
                return _verify(paths.ledger, chosen.anchor, chosen.json)
            case "export":
                return _export(paths.ledger, chosen.file)
            case _:
                return _list(paths.ledger, chosen.last, chosen.json)
    except OSError as error:
        return _failed(tr("The ledger can't be read or written: {why}.", why=error.strerror or str(error)))


def parse_anchor(text: str) -> Head:
    """NUMBER:HASH, as `verify` prints it. Raises ValueError."""
    number, _, digest = text.partition(":")
    if len(digest) != 64 or not set(digest) <= set("0123456789abcdef"):
        raise ValueError
    return Head(int(number), digest)


def requests(path: Path) -> list[Row]:
    """The requests, each with what its end says; oldest first. A request that was cut off has no "outcome"."""
    if not path.exists():
        return []
    found: dict[object, Row] = {}
    for row in rows(path):
        if row.get("kind") == "request":
            found[row["id"]] = {name: row[name] for name in COLUMNS if name in row}
        elif row.get("kind") == "end" and row.get("id") in found:
            end = {name: row[name] for name in COLUMNS if name in row and name not in ("id", "time")}
            found[row["id"]].update(end)
    return list(found.values())


def to_csv(listed: Iterable[Mapping[str, object]]) -> str:
    """Comma-separated (RFC 4180), a header line first. Nothing in it is a formula to a spreadsheet."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    for row in listed:
        writer.writerow([_cell(row.get(name, "")) for name in COLUMNS])
    return out.getvalue()


def _cell(value: object) -> str:
    if value is None:
        return ""
    text = json.dumps(value, sort_keys=True) if isinstance(value, dict) else str(value)
    return "'" + text if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text


def _list(path: Path, last: int | None, as_json: bool) -> int:
    listed = requests(path)
    if last is not None:
        listed = listed[-last:] if last > 0 else []
    if as_json:
        print(json.dumps(listed, indent=2))
        return 0
    if not listed:
        print(tr("Nothing has left this computer, and nothing was refused."), file=sys.stderr)
    for row in listed:
        outcome = row.get("outcome", tr("cut off")) if row["verdict"] == "allowed" else row["rule"]
        place = f"{row['method']} {row['scheme']}://{row['host']}:{row['port']}{row['path']}"
        print(row["time"], row["verdict"], row["purpose"], place, outcome)
    return 0


def _verify(path: Path, anchor: Head | None, as_json: bool) -> int:
    found = verify(path, anchor=anchor)
    if as_json:
        print(json.dumps({**asdict(found), "intact": found.intact}, indent=2))
        return 0 if found.intact else 1
    for sentence in _sentences(found):
        print(sentence)
    return 0 if found.intact else 1


def _sentences(found: Verification) -> list[str]:
    if not found.rows and found.intact:
        return [tr("The ledger is empty: nothing has left this computer.")]
    head = f"{found.head.number}:{found.head.hash}"
    told = [
        tr("{rows} rows; the newest is {head}", rows=found.rows, head=head),
        *(_problem(p.damage, p.line) for p in found.problems),
    ]
    if found.torn:
        told.append(tr("{count} rows were cut off by a crash, and the ledger says so.", count=found.torn))
    if found.unfinished:
        told.append(tr("{count} requests were cut off before their end.", count=len(found.unfinished)))
    if found.intact:
        told.append(tr("Every row is as it was written."))
        if found.unkeyed:
            told.append(
                tr(
                    "{count} rows are made without a key: whoever can write the file could also have made a "
                    "new one. Note the newest row somewhere else, and check against it with --anchor.",
                    count=found.unkeyed,
                )
            )
    return told


def _problem(damage: Damage, line: int) -> str:
    match damage:
        case Damage.NOT_A_ROW:
            return tr("Line {line} was changed, or was not written by Alcove.", line=line)
        case Damage.CHAIN:
            return tr("Before line {line} rows were removed, added or moved.", line=line)
        case Damage.TORN_END:
            return tr(
                "Line {line}, the last one, is not complete. The next request will note this.", line=line
            )
        case Damage.KEY_MISSING:
            return tr("Line {line} can't be checked without the ledger's key.", line=line)
        case Damage.KEY_DROPPED:
            return tr("Line {line} was made without the ledger's key.", line=line)
        case Damage.ANCHOR:
            return tr(
                "The row that you noted is not there, or is another one: the newest rows may be missing."
            )
        case Damage.UNREADABLE:
            return tr("The ledger can't be read.")


def _export(path: Path, target: Path) -> int:
    listed = requests(path)
    match target.suffix.lower():
        case ".csv":
            content = to_csv(listed)
        case ".json":
            content = json.dumps(listed, indent=2) + "\n"
        case _:
            return _failed(tr("Name a file that ends in .csv or .json."), code=2)
    with open(target, "w", encoding="utf-8", newline="") as file:
        file.write(content)
    print(tr("{count} requests written to {file}", count=len(listed), file=target))
    return 0


def _failed(sentence: str, code: int = 1) -> int:
    print(sentence, file=sys.stderr)
    return code
