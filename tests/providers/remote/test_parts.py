"""An answer goes back whole and in its order, whatever a record of it says."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from models.runtime.values import CalledTool, Turn
from providers.remote.asking import paired
from providers.remote.parts import Part, Record, parts_of

CALLS = tuple(CalledTool(f"c{place}", "now", "{}") for place in range(3))


def replayed(turn: Turn) -> list[Part]:
    return parts_of(turn, "d", lambda model: model == "m")


def whole(parts: list[Part]) -> tuple[str, list[str]]:
    return "".join(part.text for part in parts), [part.call.id for part in parts if part.call]


PIECES = st.lists(
    st.one_of(
        st.tuples(st.just("text"), st.text(min_size=1, max_size=5), st.sampled_from(["", "s1"])),
        st.tuples(st.just("block"), st.text(max_size=3), st.just("")),
    ),
    max_size=6,
)


@given(PIECES)
def test_what_was_recorded_comes_back_in_its_order(pieces: list[tuple[str, str, str]]) -> None:
    record = Record("d")
    expected: list[Part] = []
    for kind, said, signature in pieces:
        if kind == "block":
            record.block({"b": said})
            expected.append(Part(block={"b": said}))
        else:
            record.text(len(said), signature)
            expected.append(Part(text=said, signature=signature))
    record.call("c0", "s2")
    text = "".join(said for kind, said, _ in pieces if kind == "text")
    (event,) = record.event("m")
    parts = replayed(Turn("assistant", text, calls=CALLS[:2], reasoning_record=event.data))
    assert whole(parts) == (text, ["c0", "c1"])
    assert [part for part in parts if part.block or part.signature] == [
        *(part for part in expected if part.block or part.signature),
        Part(call=CALLS[0], signature="s2"),
    ]


def test_nothing_is_kept_where_nothing_was_signed() -> None:
    record = Record("d")
    record.text(5)
    record.call("c0")
    assert record.event("m") == []


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-2, 9)
    | st.text(max_size=3)
    | st.sampled_from(["c0", "c1", "c2"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["text", "call", "block", "signature"]), inner, max_size=3)
    ),
    max_leaves=6,
)


@given(st.text(max_size=9), st.lists(JSON, max_size=6), st.sampled_from(["m", "other"]))
def test_whatever_a_record_says_the_text_and_each_call_go_back_once(
    text: str, parts: list[Any], model: str
) -> None:
    record = json.dumps({"dialect": "d", "model": model, "parts": parts})
    said, called = whole(replayed(Turn("assistant", text, calls=CALLS, reasoning_record=record)))
    assert said == text
    assert sorted(called) == ["c0", "c1", "c2"]


ROLES = st.sampled_from(["user", "assistant", "tool", "system"])
TURNS = st.lists(
    st.builds(
        Turn,
        ROLES,
        st.sampled_from(["", " ", "hi"]),
        calls=st.lists(st.sampled_from(CALLS), max_size=3).map(tuple),
        call_id=st.sampled_from(["c0", "c1", "c2", "c9"]),
    ),
    max_size=8,
)


@given(TURNS)
def test_each_call_has_its_result_and_each_result_its_call(turns: list[Turn]) -> None:
    waiting: set[str] = set()
    for turn in paired(turns):
        if turn.role == "tool":
            assert turn.call_id in waiting
            waiting.remove(turn.call_id)
            continue
        assert not waiting
        assert turn.calls or turn.text.strip()
        waiting = {call.id for call in turn.calls}
        assert len(waiting) == len(turn.calls)
    assert not waiting
