"""Kill a streaming session at random moments and look at what is on the disk."""

from __future__ import annotations

import random
import sqlite3
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

PROGRAM = Path(__file__).with_name("streaming_session.py")


@dataclass
class Survived:
    """What many kills came to. `latest_loss`: seconds of answer that were on screen and not on the disk, at worst."""

    kills: int = 0
    questions: int = 0
    lost_questions: int = 0
    unclean: int = 0
    latest_loss: float = 0.0


def kill_many(folder: Path, kills: int, seed: int) -> Survived:
    """Each kill hits a new process that goes on in the same file."""
    chance = random.Random(seed)
    survived = Survived()
    for _ in range(kills):
        _kill_once(folder / "conversations.db", chance.uniform(0.05, 1.0), survived)
    return survived


def _kill_once(file: Path, after: float, survived: Survived) -> None:
    process = subprocess.Popen([sys.executable, str(PROGRAM), str(file)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    first = process.stdout.readline()
    time.sleep(after)  # the random moment: nothing is waited for
    process.kill()
    killed = time.monotonic()
    lines = [first, *process.stdout.read().splitlines(keepends=True)]
    process.stdout.close()
    process.wait()
    _judge(file, [line.split() for line in lines if line.endswith("\n")], killed, survived)


def _judge(file: Path, seen: list[list[str]], killed: float, survived: Survived) -> None:
    survived.kills += 1
    connection = sqlite3.connect(file)
    try:
        if connection.execute("pragma integrity_check").fetchall() != [("ok",)]:
            survived.unclean += 1
        stored = dict(connection.execute("select id, length(text) from message"))
    finally:
        connection.close()
    for line in seen:
        if line[0] == "stored":
            survived.questions += 1
            if not stored.get(int(line[1])) or int(line[2]) not in stored:
                survived.lost_questions += 1
    words = [line for line in seen if line[0] == "words"]
    if words:
        answer = words[-1][1]
        missing = [
            float(at) for _, this, count, at in words if this == answer and int(count) > stored[int(this)]
        ]
        if missing:
            survived.latest_loss = max(survived.latest_loss, killed - missing[0])
