"""Kills a broker at random moments while it sends, again and again, and compares its ledger with the server."""

from __future__ import annotations

import json
import os
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from support.chat_server import MODEL, PROVIDER, Asked, chat_server, enable
from support.outside import Answer, Outside, outside, requests_in, set_switch

from desktop.processes.switch import Position
from desktop.processes.way_out import BrokerProcess, start_broker
from models.runtime.values import Turn
from providers.gate.chat_messages import ChatSend
from providers.gate.protocol import Fetch, to_record
from providers.gate.rules import Label, Purpose
from providers.gate.verification import Damage, verify
from providers.remote.values import Auth, ChatCall

_AT_ONCE = 12
_LONGEST = 0.12  # seconds from the first request to the kill
_LONGEST_CHAT = 0.6  # a broker imports for its first conversation what it needs for one


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
            _kill_one(home, _fetches(server, number), chance, _waiting(number, lambda: len(server.paths)))
            _look(path, number, outcome)
        outcome.seen = len(server.paths)
        noted = [row["path"] for row in requests_in_what_is_whole(home)]
        outcome.problems += [f"{path} has no row" for path in server.paths if path not in noted]
    outcome.torn = verify(path).torn
    return outcome


def kill_in_conversations(home: Path, kills: int, seed: int) -> Killed:
    """The same with conversations: each has its own number, and its row says which it was."""
    chance, outcome, path = random.Random(seed), Killed(), home / "ledger" / "ledger.jsonl"
    with chat_server() as server:
        enable(home, server, auth=Auth.NONE)
        for number in range(kills):
            waiting = _waiting(number, lambda: len(server.asked))
            _kill_one(home, _chats(number), chance, waiting, _LONGEST_CHAT)
            _look(path, number, outcome)
        seen = [_conversation_of(asked) for asked in server.asked]
    noted = [row["conversation"] for row in requests_in_what_is_whole(home) if row["verdict"] == "allowed"]
    outcome.seen = len(seen)
    outcome.problems += [f"conversation {one} has no row" for one in seen if one and one not in noted]
    if len(seen) > len(noted):
        outcome.problems.append(f"{len(seen)} requests and {len(noted)} rows")
    outcome.torn = verify(path).torn
    return outcome


def _look(path: Path, number: int, outcome: Killed) -> None:
    outcome.kills += 1
    # Until the next row is written, a torn one at the very end is what a kill leaves.
    damages = {problem.damage for problem in verify(path).problems} - {Damage.TORN_END}
    outcome.problems += [f"kill {number}: {damage}" for damage in damages]


def _conversation_of(asked: Asked) -> str:
    """Which conversation a request was for: the question says it. "" where the kill cut it off before."""
    try:
        messages = asked.json["messages"]
    except ValueError:
        return ""
    assert isinstance(messages, list)
    return str(messages[-1]["content"])


def _fetches(server: Outside, number: int) -> list[object]:
    return [
        Fetch(f"{server.url}/{number}/{request}", Purpose.DOWNLOAD, 10_000) for request in range(_AT_ONCE)
    ]


def _chats(number: int) -> list[object]:
    names = [f"{number}-{request}" for request in range(_AT_ONCE)]
    return [
        ChatSend(PROVIDER, name, ChatCall(MODEL, (Turn("user", name),)), Label.MAY_LEAVE) for name in names
    ]


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


def _waiting(number: int, seen: Callable[[], int]) -> Callable[[], None]:
    """Every second kill comes after its broker's first request has reached the server, however slow the machine is."""
    before = seen()

    def wait() -> None:
        deadline = time.monotonic() + 30
        while number % 2 and seen() == before and time.monotonic() < deadline:
            time.sleep(0.001)

    return wait


def _kill_one(
    home: Path,
    requests: list[object],
    chance: random.Random,
    wait: Callable[[], None],
    longest: float = _LONGEST,
) -> None:
    process: BrokerProcess = start_broker(str(home), {"PATH": os.environ["PATH"]})
    assert process.stdin is not None and process.stdout is not None and process.stderr is not None
    try:
        process.stdout.readline()  # it is ready
        for place, asked in enumerate(requests, start=1):
            process.stdin.write(json.dumps(to_record(place, asked)).encode() + b"\n")
        wait()
        time.sleep(chance.uniform(0, longest))  # the random moment itself, not a wait for something
    finally:
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout, process.stderr):
            pipe.close()
