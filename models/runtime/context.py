"""What stays when a conversation is longer than the context.

The policy: the system prompt and the newest turns stay. The oldest exchanges (a user's turn with the answers
after it) are left out whole, in steps of a quarter of the context. The steps are counted from the beginning
of the conversation, so the cut stays where it is for many turns, and with it what the KV cache knows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Generic, Protocol, TypeVar

from models.runtime.faults import Fault, RuntimeFault
from models.runtime.values import Image, Turn

_USUAL_ANSWER = 1_024


class _Measured(Protocol):
    def __len__(self) -> int: ...


P = TypeVar("P", bound=_Measured)


@dataclass(frozen=True, slots=True)
class Kept(Generic[P]):
    """The prompt to answer, and how many of the oldest turns are not in it."""

    prompt: P
    omitted_turns: int


def room_for_prompt(context_tokens: int, max_tokens: int | None) -> int:
    """Tokens a prompt may have: the context less what is kept free for the answer."""
    return context_tokens - min(max_tokens or _USUAL_ANSWER, context_tokens // 4)


def keep_newest(
    turns: Sequence[Turn],
    room: int,
    step: int,
    count: Callable[[str], int],
    build: Callable[[Sequence[Turn]], P],
    count_image: Callable[[Image], int] = lambda image: 0,
) -> Kept[P]:
    """Leave out as few of the oldest exchanges as the policy allows.

    `room`: tokens the prompt may have. `step`: tokens of conversation dropped at once. `count`: tokens of a
    text, less what the template adds, to leave out quickly what cannot fit; `count_image`: of an image. `build`:
    the prompt of some turns; its `len` decides. Raises `RuntimeFault` PROMPT_TOO_LONG (facts: prompt_tokens, room)
    when not even the newest exchange fits.
    """

    def size(turn: Turn) -> int:
        return count(turn.text) + sum(count_image(image) for image in turn.images)

    head, exchanges = _exchanges(turns)
    fixed = sum(size(turn) for turn in head)
    sizes = [sum(size(turn) for turn in exchange) for exchange in exchanges]
    prompt = None
    for dropped in drop_points(sizes, step):
        rest = exchanges[dropped:]
        last_chance = len(rest) <= 1
        if fixed + sum(sizes[dropped:]) > room and not last_chance:
            continue
        prompt = build([*head, *(turn for exchange in rest for turn in exchange)])
        if len(prompt) <= room:
            return Kept(prompt, sum(len(exchange) for exchange in exchanges[:dropped]))
    needed = len(prompt) if prompt is not None else 0
    raise RuntimeFault(Fault.PROMPT_TOO_LONG, facts={"prompt_tokens": needed, "room": room})


def drop_points(sizes: Sequence[int], step: int) -> list[int]:
    """How many exchanges may be dropped: none, as many as make one more step each, all but the newest.

    Each point depends only on the exchanges before it, so it does not move while the conversation grows.
    """
    points = [0]
    next_step = step
    for number, total in enumerate(accumulate(sizes[:-1]), start=1):
        if total >= next_step:
            points.append(number)
            next_step = (total // step + 1) * step
    last = max(0, len(sizes) - 1)
    if points[-1] != last:
        points.append(last)
    return points


def _exchanges(turns: Sequence[Turn]) -> tuple[list[Turn], list[list[Turn]]]:
    """The system turns at the beginning, and then the turns from each user's turn up to the next one."""
    start = next((index for index, turn in enumerate(turns) if turn.role != "system"), len(turns))
    exchanges: list[list[Turn]] = []
    for turn in turns[start:]:
        if turn.role == "user" or not exchanges:
            exchanges.append([])
        exchanges[-1].append(turn)
    return list(turns[:start]), exchanges
