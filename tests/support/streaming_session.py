"""A real session with a real store, answering without end, made to be killed. Run as a program: FILE.

Prints what a person would have seen, each line at once: "stored QUESTION-ID ANSWER-ID" when the window would
show a question as sent, "words ANSWER-ID COUNT SECONDS" when COUNT characters of an answer were on screen, by
the monotonic clock.
"""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path

from desktop.chat.session import Session
from desktop.chat.turns import Ask, SessionEvent, Started
from desktop.store.store import Store
from providers.echo import Echo
from providers.events import TextDelta


async def _stream(file: Path) -> None:
    store = Store(file)
    await store.open()
    session = Session(store)
    echo = Echo(tokens_per_second=400, length=800, markdown=True)
    conversation: int | None = None
    parent: int | None = None
    answer = count = 0

    def show(event: SessionEvent) -> None:
        nonlocal conversation, parent, answer, count
        match event:
            case Started():
                conversation, parent, answer, count = (
                    event.conversation.id,
                    event.answer.id,
                    event.answer.id,
                    0,
                )
                print(f"stored {event.question.id} {event.answer.id}", flush=True)
            case TextDelta(text):
                count += len(text)
                print(f"words {answer} {count} {time.monotonic()}", flush=True)
            case _:
                pass

    while True:
        question = f"question below {parent}: please repeat this"
        await session.run_turn(Ask(text=question, conversation_id=conversation, parent_id=parent), echo, show)


if __name__ == "__main__":
    asyncio.run(_stream(Path(sys.argv[1])))
