"""From stored messages to what a model is asked: the turns of one request.

What a model's context can't hold is left out later, by the runtime, which can count tokens
(`models.runtime.context`). Here only the shape is made: an optional system turn, then user and assistant in
strict alternation, because many templates refuse anything else.
"""

from __future__ import annotations

from collections.abc import Iterable

from desktop.store.records import Message
from models.runtime.values import Turn


def turns_for(messages: Iterable[Message], system_prompt: str) -> tuple[Turn, ...]:
    """The turns for an answer to the last of `messages`, which are one branch from the root down.

    An answer that failed before its first word is left out, and questions that then stand together become one.
    Reasoning is not sent back: the templates of reasoning models drop it themselves.
    """
    turns: list[Turn] = []
    if system_prompt.strip():
        turns.append(Turn("system", system_prompt.strip()))
    for message in messages:
        if not message.text.strip():
            continue
        if turns and turns[-1].role == message.role:
            turns[-1] = Turn(message.role, f"{turns[-1].text}\n\n{message.text}")
        else:
            turns.append(Turn(message.role, message.text))
    return tuple(turns)
