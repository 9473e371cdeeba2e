"""`alcove ledger`: what left this machine and what was refused, in the terminal. Reads the file and nothing else.

alcove ledger list [--json] [--last N]
alcove ledger verify [--json] [--anchor NUMBER:HASH]
alcove ledger export [--replace] FILE   CSV or JSON, by the file's name
alcove ledger head [--syslog]    the newest row, to be noted somewhere else
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from desktop.cli.terminal import printable
from desktop.i18n import tr
from desktop.ledgers import checked, head_text, requests, sentences, to_csv, to_json, write_export
from desktop.paths import Paths
from providers.gate.chain import Head

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]


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
    export.add_argument("--replace", action="store_true", help=tr("write over a file that is there"))
    head = actions.add_parser("head", help=tr("the newest row, to be noted somewhere else"))
    head.add_argument("--syslog", action="store_true", help=tr("note it in this system's log as well"))


def run(chosen: argparse.Namespace, paths: Paths) -> int:
    """Exit status 0; 1 when the ledger is not intact or can't be read or written; 2 for wrong usage."""
    try:
        match chosen.ledger:
            case "verify":
                return _verify(paths.ledger, chosen.anchor, chosen.json)
            case "export":
                return _export(paths.ledger, chosen.file, chosen.replace)
            case "head":
                return _head(paths.ledger, chosen.syslog)
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
        print(printable(f"{row['time']} {row['verdict']} {row['purpose']} {place} {outcome}"))
    return 0


def _verify(path: Path, anchor: Head | None, as_json: bool) -> int:
    found = checked(path, anchor)
    if as_json:
        print(json.dumps({**asdict(found), "intact": found.intact}, indent=2))
        return 0 if found.intact else 1
    for sentence in sentences(found):
        print(sentence)
    return 0 if found.intact else 1


def _export(path: Path, target: Path, replace: bool) -> int:
    if target.exists() and not replace:
        return _failed(
            tr(
                "{file} is there already, and was left as it is. Give --replace to write over it.",
                file=target,
            )
        )
    listed = requests(path)
    match target.suffix.lower():
        case ".csv":
            content = to_csv(listed)
        case ".json":
            content = to_json(listed)
        case _:
            return _failed(tr("Name a file that ends in .csv or .json."), code=2)
    write_export(target, content)
    print(tr("{count} requests written to {file}", count=len(listed), file=target))
    return 0


def _head(path: Path, to_syslog: bool) -> int:
    """An anchor is worth what the place is worth where it is noted: a log that is kept elsewhere, or paper."""
    found = checked(path)
    text = head_text(found.head)
    print(text)
    if to_syslog:
        if sys.platform == "win32":
            return _failed(tr("This system has no log that Alcove can write to. Note the line above."))
        import syslog

        syslog.openlog("alcove")
        syslog.syslog(syslog.LOG_NOTICE, f"ledger head {text}")
    if not found.intact:
        return _failed(tr("This ledger is not as it was written. See “alcove ledger verify”."))
    return 0


def _failed(sentence: str, code: int = 1) -> int:
    print(sentence, file=sys.stderr)
    return code
