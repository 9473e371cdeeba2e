"""Kills a streaming writer at random moments, again and again on one file, and compares file and promises."""

from __future__ import annotations

import random
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from support.store_files import integrity
from support.streaming_writer import Acknowledged, answer_text

WRITER = Path(__file__).with_name("streaming_writer.py")


@dataclass(slots=True)
class Killed:
    """What many kills came to. `problems` is empty when every promise was kept."""

    kills: int = 0
    acknowledged: int = 0  # messages
    problems: list[str] = field(default_factory=list)


def kill_again_and_again(path: Path, kills: int, seed: int, interval: float = 0.02) -> Killed:
    """Each writer is killed between its first commit and about a second later, wherever it then is."""
    chance = random.Random(seed)
    told = Acknowledged()
    outcome = Killed()
    for number in range(kills):
        _kill_one(path, told, chance, seed=number, interval=interval)
        outcome.kills += 1
        outcome.problems += [
            f"kill {number}: {problem}" for problem in (*integrity(path), *_missing(path, told))
        ]
    outcome.acknowledged = len(told.questions) + len(told.words)
    return outcome


def _kill_one(path: Path, told: Acknowledged, chance: random.Random, seed: int, interval: float) -> None:
    command = [sys.executable, str(WRITER), str(path), "--seed", str(seed), "--interval", str(interval)]
    lines_to_wait_for = chance.randint(1, 15)
    moment_after = chance.uniform(0, 2 * interval)
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, encoding="utf-8") as writer:
        assert writer.stdout is not None
        try:
            for _ in range(lines_to_wait_for):
                told.take(writer.stdout.readline())
            time.sleep(moment_after)  # the random moment itself, not a wait for something
        finally:
            writer.kill()
        for line in writer.stdout:
            told.take(line)


def _missing(path: Path, told: Acknowledged) -> list[str]:
    problems = []
    with closing(sqlite3.connect(path)) as connection:
        stored = {row[0]: row[1:] for row in connection.execute("SELECT id, text, status FROM message")}
    for question, text in told.questions.items():
        if stored.get(question, ("",))[0] != text:
            problems.append(f"question {question} is not as it was acknowledged")
    for answer, words in told.words.items():
        text, status = stored.get(answer, (None, None))
        if text is None or not text.startswith(answer_text(answer, words)):
            problems.append(f"answer {answer} has lost words that were acknowledged")
        elif answer in told.finished and status != "complete":
            problems.append(f"answer {answer} has lost its end")
    return problems
