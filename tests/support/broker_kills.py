"""Kills a broker at random moments while it sends, again and again, and compares its ledger with the server."""

from __future__ import annotations

import json
import os
import random
import time
from dataclasses import dataclass, field
from pathlib import Path

from support.outside import Answer, Outside, outside, requests_in, set_switch

from desktop.processes.switch import Position
from desktop.processes.way_out import BrokerProcess, start_broker
from providers.gate.protocol import Fetch, to_record
from providers.gate.rules import Purpose
from providers.gate.verification import Damage, verify

_AT_ONCE = 12
_LONGEST = 0.12  # seconds from the first request to the kill


@dataclass(slots=True)
class Killed:
    """What many kills came to. `problems` is empty when every request that was seen has its row."""

    kills: int = 0
    seen: int = 0  # requests at the server
    torn: int = 0  # rows that were cut off
    problems: list[str] = field(default_factory=list)


def kill_again_and_again(home: Path, kills: int, seed: int) -> Killed:
    """One ledger, a new broker for each kill; each is killed within moments of its first request."""
    chance, outcome, path = random.Random(seed), Killed(), home / "ledger" / "ledger.jsonl"
    with outside() as server:
        server.answers["/"] = Answer(body=b"x" * 2000)
        set_switch(home, Position.DOWNLOADS, server)
        for number in range(kills):
            _kill_one(home, server, number, chance)
            outcome.kills += 1
            found = verify(path)
            # Until the next row is written, a torn one at the very end is what a kill leaves.
            damages = {problem.damage for problem in found.problems} - {Damage.TORN_END}
            outcome.problems += [f"kill {number}: {damage}" for damage in damages]
        outcome.seen = len(server.paths)
        noted = [row["path"] for row in requests_in_what_is_whole(home)]
        outcome.problems += [f"{path} has no row" for path in server.paths if path not in noted]
    outcome.torn = verify(path).torn
    return outcome


def requests_in_what_is_whole(home: Path) -> list[dict[str, object]]:
    try:
        return requests_in(home)
    except json.JSONDecodeError:
        rows = []
        for line in (home / "ledger" / "ledger.jsonl").read_bytes().split(b"\n"):
            try:
                rows.append(json.loads(line))
            except ValueError:
                continue
        return [row for row in rows if row["kind"] == "request"]


def _kill_one(home: Path, server: Outside, number: int, chance: random.Random) -> None:
    process: BrokerProcess = start_broker(str(home), {"PATH": os.environ["PATH"]})
    assert process.stdin is not None and process.stdout is not None and process.stderr is not None
    try:
        process.stdout.readline()  # it is ready
        for request in range(_AT_ONCE):
            asked = Fetch(f"{server.url}/{number}/{request}", Purpose.DOWNLOAD, 10_000)
            process.stdin.write(json.dumps(to_record(request + 1, asked)).encode() + b"\n")
        time.sleep(chance.uniform(0, _LONGEST))  # the random moment itself, not a wait for something
    finally:
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout, process.stderr):
            pipe.close()
