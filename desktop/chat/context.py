"""From stored messages to what a model is asked: the turns of one request.

What a model's context can't hold is left out later, by the runtime, which can count tokens
(`models.runtime.context`). Here only the shape is made: an optional system turn, then user and assistant in
strict alternation, because many templates refuse anything else.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from desktop.store.records import Message
from models.runtime.values import Image, Turn

MOST_IMAGE_BYTES = 32 << 20
"""Of all images in one request; what is older than the newest ones that fit becomes a word."""
_IMAGE = "[image]"  # for the model, whatever language the person reads
_NO_IMAGES: Mapping[int, Image] = {}


def turns_for(
    messages: Iterable[Message], system_prompt: str, images: Mapping[int, Image] = _NO_IMAGES
) -> tuple[Turn, ...]:
    """The turns for an answer to the last of `messages`, which are one branch from the root down.

    An answer that failed before its first word is left out, and questions that then stand together become one.
    Reasoning is not sent back: the templates of reasoning models drop it themselves. `images`: what the model gets
    of the messages' attachments, by their ids.
    """
    turns: list[Turn] = []
    if system_prompt.strip():
        turns.append(Turn("system", system_prompt.strip()))
    for message in messages:
        if not message.text.strip() and not message.attachments:
            continue
        turn = _turn(message, images)
        if turns and turns[-1].role == turn.role:
            before = turns[-1]
            turns[-1] = Turn(turn.role, f"{before.text}\n\n{turn.text}", before.images + turn.images)
        else:
            turns.append(turn)
    return tuple(turns)


def _turn(message: Message, images: Mapping[int, Image]) -> Turn:
    shown = tuple(images[found] for found in message.attachments if found in images)
    missing = [_IMAGE] * (len(message.attachments) - len(shown))
    return Turn(message.role, "\n".join([*missing, message.text]), shown)
