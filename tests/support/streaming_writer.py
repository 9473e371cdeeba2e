"""A process that streams answers into a store until it is killed, and says on stdout what has been committed.

    python streaming_writer.py DATABASE [--interval SECONDS] [--turns N] [--seed N]

One JSON object per line, written only after the store's method returned:
`turn` (conversation, question, answer, text), `saved` (answer, words), `finished` (answer, words).
The text of an answer with n words is `answer_text(answer, n)`: a reader needs to be told only numbers.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from desktop.store.records import Status
from desktop.store.store import Store


def answer_text(answer_id: int, words: int) -> str:
    return "".join(f"word{answer_id}.{number} " for number in range(words))


def question_text(seed: int, turn: int) -> str:
    return f"question {turn} of writer {seed}"


@dataclass(slots=True)
class Acknowledged:
    """What a writer said it had committed, for comparison with what is in the file."""

    questions: dict[int, str] = field(default_factory=dict)  # by message id
    words: dict[int, int] = field(default_factory=dict)  # of an answer, by message id
    finished: set[int] = field(default_factory=set)

    def take(self, line: str) -> None:
        if not line.endswith("\n"):
            return  # cut by the kill: not acknowledged
        said = json.loads(line)
        match said["kind"]:
            case "turn":
                self.questions[said["question"]] = said["text"]
                self.words[said["answer"]] = 0
            case "saved":
                self.words[said["answer"]] = said["words"]
            case "finished":
                self.words[said["answer"]] = said["words"]
                self.finished.add(said["answer"])


def say(**what: object) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


async def write(path: Path, interval: float, turns: int, seed: int) -> None:
    chance = random.Random(seed)
    store = Store(path)
    await store.open()
    await store.mark_interrupted()
    conversation_id: int | None = None
    parent_id: int | None = None
    for turn in range(turns):
        text = question_text(seed, turn)
        conversation, question, answer = await store.add_turn(conversation_id, parent_id, text, "writer")
        say(kind="turn", conversation=conversation.id, question=question.id, answer=answer.id, text=text)
        words = 0
        for _ in range(chance.randint(1, 12)):
            await asyncio.sleep(interval)
            words += chance.randint(1, 60)
            await store.save_progress(replace(answer, text=answer_text(answer.id, words)))
            say(kind="saved", answer=answer.id, words=words)
        last = replace(answer, text=answer_text(answer.id, words), status=Status.COMPLETE)
        await store.finish(last)
        say(kind="finished", answer=answer.id, words=words)
        conversation_id, parent_id = conversation.id, answer.id
    await store.close()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("database", type=Path)
    parser.add_argument("--interval", type=float, default=0.05, help="seconds between two saves")
    parser.add_argument("--turns", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    asyncio.run(write(chosen.database, chosen.interval, chosen.turns, chosen.seed))


if __name__ == "__main__":
    main()
