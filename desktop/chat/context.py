"""From stored messages to what a model is asked: the turns of one request.

What a model's context can't hold is left out later, by the runtime, which can count tokens
(`models.runtime.context`). Here only the shape is made: an optional system turn, then user and assistant in
strict alternation, because many templates refuse anything else.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from desktop.chat.turns import Ask
from desktop.store.records import Message, Status
from desktop.store.store import Store
from models.runtime.values import Image, Turn

MOST_IMAGE_BYTES = 32 << 20
"""Of all images in one request; what is older than the newest ones that fit becomes a word."""
_IMAGE = "[image]"  # for the model, whatever language the person reads
_NO_IMAGES: Mapping[int, Image] = {}


async def turns_of(store: Store, ask: Ask) -> tuple[Turn, ...]:
    """The turns that would answer this: what a person sees before they leave is made by what makes the request.

    Raises `StoreFault`, LookupError.
    """
    before = ask.answer_to if ask.answer_to is not None else ask.parent_id
    path = list(await store.path_to(before)) if before is not None else []
    fresh: Mapping[int, Image] = _NO_IMAGES
    if ask.answer_to is None:
        question, fresh = _asked(ask)
        path.append(question)
    return turns_for(path, ask.system_prompt, await images_of(store, path, fresh))


def turns_alone(ask: Ask) -> tuple[Turn, ...]:
    """The turns of a first question whose images are all new: what goes before it is nobody's conversation."""
    question, fresh = _asked(ask)
    return turns_for([question], ask.system_prompt, fresh)


async def images_of(
    store: Store, path: Sequence[Message], fresh: Mapping[int, Image] = _NO_IMAGES
) -> dict[int, Image]:
    """The newest images of a branch, as many as one request may carry. `fresh`: those that are not stored yet."""
    images: dict[int, Image] = {}
    room = MOST_IMAGE_BYTES
    for attachment_id in reversed([found for message in path for found in message.attachments]):
        image = fresh.get(attachment_id) or Image((await store.attachment(attachment_id)).content)
        room -= len(image.data)
        if room < 0:
            break
        images[attachment_id] = image
    return images


def _asked(ask: Ask) -> tuple[Message, dict[int, Image]]:
    """The question as it will be stored. Images that are not stored yet get ids below nothing, and come with it."""
    fresh: dict[int, Image] = {}
    attached: list[int] = []
    for number, one in enumerate(ask.attached, start=1):
        if isinstance(one, int):
            attached.append(one)
        else:
            fresh[-number] = Image(one.content)
            attached.append(-number)
    values: tuple[Any, ...] = (
        *(0, 0, ask.parent_id, "user", ask.text, "", Status.COMPLETE, 0.0, None),
        *("", "", "", {}, 0, 0, 0, 0, 0, 0.0, 0.0, 0.0, 0.0, "", "", "", "", "", "", 1, 1, tuple(attached)),
    )
    return Message(*values), fresh


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
