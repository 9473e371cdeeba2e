"""A conversation longer than the context keeps its system prompt and its newest turns, and a cut that stays put."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.runtime.context import Kept, drop_points, keep_newest, room_for_prompt
from models.runtime.faults import Fault, RuntimeFault
from models.runtime.values import Turn

PER_TURN = 4  # what the template of these tests adds to each turn


@dataclass
class Prompt:
    turns: list[Turn]

    def __len__(self) -> int:
        return sum(count(turn.text) + PER_TURN for turn in self.turns)


def count(text: str) -> int:
    return len(text.split())


def build(turns: Sequence[Turn]) -> Prompt:
    return Prompt(list(turns))


def keep(turns: Sequence[Turn], room: int, step: int) -> Kept[Prompt]:
    return keep_newest(turns, room, step, count, build)


def words(number: int) -> str:
    return " ".join(["w"] * number)


turn_lengths = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), min_size=1, max_size=40)


def conversation(lengths: list[tuple[int, int]], system: int) -> list[Turn]:
    turns = [Turn("system", words(system))] if system else []
    for asked, answered in lengths:
        turns += [Turn("user", words(asked)), Turn("assistant", words(answered))]
    return turns[:-1]  # the newest message is the user's


@given(turn_lengths, st.integers(0, 30), st.integers(64, 400))
def test_what_is_kept_fits_and_is_the_newest(
    lengths: list[tuple[int, int]], system: int, context: int
) -> None:
    turns = conversation(lengths, system)
    room = room_for_prompt(context, None)
    newest = [turn for turn in turns if turn.role == "system"] + turns[-1:]
    if len(build(newest)) > room:
        with pytest.raises(RuntimeFault) as caught:
            keep(turns, room, context // 4)
        assert caught.value.fault is Fault.PROMPT_TOO_LONG
        assert caught.value.facts == {"prompt_tokens": len(build(newest)), "room": room}
        return
    kept = keep(turns, room, context // 4)
    assert len(kept.prompt) <= room
    head = turns[:1] if system else []
    assert kept.prompt.turns == head + turns[len(head) + kept.omitted_turns :]
    assert kept.prompt.turns[len(head)].role == "user"


@given(turn_lengths, st.integers(0, 30), st.integers(64, 400))
def test_a_conversation_that_fits_is_left_whole(
    lengths: list[tuple[int, int]], system: int, context: int
) -> None:
    turns = conversation(lengths, system)
    if len(build(turns)) <= room_for_prompt(context, None):
        assert keep(turns, room_for_prompt(context, None), context // 4).omitted_turns == 0


@given(st.lists(st.integers(0, 100), max_size=60), st.integers(1, 200))
def test_drop_points_do_not_move_while_the_conversation_grows(sizes: list[int], step: int) -> None:
    whole = drop_points([*sizes, 5], step)
    for length in range(len(sizes)):
        shorter = drop_points(sizes[: length + 1], step)
        assert set(shorter[:-1]) <= set(whole)


def test_the_cut_stays_for_many_turns() -> None:
    turns: list[Turn] = [Turn("system", words(10))]
    cuts = []
    for _ in range(60):
        turns.append(Turn("user", words(20)))
        cuts.append(keep(turns, room_for_prompt(1000, None), 250).omitted_turns)
        turns.append(Turn("assistant", words(20)))
    assert cuts == sorted(cuts)
    moves = sum(1 for before, after in itertools.pairwise(cuts) if after != before)
    assert 0 < moves <= 60 * 48 / 250 + 1  # once for each quarter of the context, not with each turn


def test_several_answers_to_one_question_go_together() -> None:
    turns = [
        Turn("user", words(50)),
        Turn("assistant", words(50)),
        Turn("assistant", words(50)),
        Turn("user", words(5)),
    ]
    assert keep(turns, 60, 20).omitted_turns == 3


@pytest.mark.parametrize(
    ("context", "wanted", "room"), [(8192, None, 7168), (8192, 100, 8092), (512, None, 384), (512, 9999, 384)]
)
def test_room_is_left_for_the_answer(context: int, wanted: int | None, room: int) -> None:
    assert room_for_prompt(context, wanted) == room
