"""The store's figures: what survives `kill -9`, how long a commit takes, how fast a long conversation opens."""

from __future__ import annotations

import random
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks.row import Row
from support.store_files import ended
from support.store_kills import kill_again_and_again

from desktop.store import messages
from desktop.store.database import Database
from desktop.store.records import Message, Status

MESSAGES = 10_000


def run(quick: bool) -> list[Row]:
    with tempfile.TemporaryDirectory(prefix="alcove-bench-") as folder:
        place = Path(folder)
        return [
            _kills(place / "kills.db", kills=20 if quick else 200),
            _long_path(place / "long.db", rounds=5 if quick else 15),
            _commits(place / "commits.db", rounds=50 if quick else 300),
            _opening(place / "long.db"),
        ]


def _kills(path: Path, kills: int) -> Row:
    outcome = kill_again_and_again(path, kills, seed=1)
    return Row(
        name=f"kill -9 at a random moment while answers stream, {kills} times",
        figure=f"{len(outcome.problems)} problems, {outcome.acknowledged} acknowledged messages",
        target="0 problems",
        met=not outcome.problems,
        how="one file for all; integrity_check and every acknowledged question and word after each kill",
    )


def _long_path(path: Path, rounds: int) -> Row:
    conversation_id = _write_long_conversation(path)
    database = Database(path, repair=True)
    median = _median_ms(rounds, lambda: database.read(messages.path, conversation_id))
    bare = _median_ms(rounds, lambda: database.read(_fetch_bare))
    database.close()
    return Row(
        name=f"reading all of a conversation of {MESSAGES:,} messages",
        figure=f"{median:.1f} ms",
        target="",
        met=None,
        how=f"median of {rounds} calls of store.messages.path; fetching the same rows bare: {bare:.1f} ms",
    )


def _fetch_bare(connection: sqlite3.Connection) -> None:
    """The floor below which Python's sqlite3 can't go, whatever is done with the rows."""
    connection.execute("SELECT * FROM message").fetchall()


def _commits(path: Path, rounds: int) -> Row:
    database = Database(path, repair=True)
    _, _, answer = database.write(messages.add_turn, None, None, "How long does it take?", "bench")
    growing = _growing(answer)
    median = _median_ms(rounds, lambda: database.write(messages.save_progress, next(growing)))
    database.close()
    return Row(
        name="storing what a streaming answer has so far",
        figure=f"{median:.2f} ms",
        target="",
        met=None,
        how=f"median of {rounds} commits with synchronous=FULL, search index included, 10 words more each time",
    )


def _opening(path: Path) -> Row:
    def open_and_close() -> None:
        Database(path, repair=True).close()

    return Row(
        name=f"opening a file of {path.stat().st_size / 1e6:.0f} MB",
        figure=f"{_median_ms(7, open_and_close):.1f} ms",
        target="",
        met=None,
        how="median of 7, quick_check of the whole file included",
    )


def _write_long_conversation(path: Path) -> int:
    chance = random.Random(7)
    words = [f"word{number}" for number in range(2_000)]
    database = Database(path, repair=True)
    conversation, _, first = database.write(messages.add_turn, None, None, "the first question", "bench")

    def grow(connection: sqlite3.Connection) -> None:
        answer = first
        for _ in range(MESSAGES // 2 - 1):
            messages.finish(
                connection, ended(answer, " ".join(chance.choices(words, k=chance.randint(20, 250))))
            )
            question = " ".join(chance.choices(words, k=chance.randint(3, 50)))
            _, _, answer = messages.add_turn(connection, conversation.id, answer.id, question, "bench")

    database.write(grow)
    database.close()
    return conversation.id


def _growing(answer: Message) -> Iterator[Message]:
    text = ""
    while True:
        text += "ten more words of an answer that is being written "
        yield ended(answer, text, Status.STREAMING)


def _median_ms(rounds: int, work: Callable[[], object]) -> float:
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        work()
        times.append((time.perf_counter() - start) * 1000)
    return statistics.median(times)
