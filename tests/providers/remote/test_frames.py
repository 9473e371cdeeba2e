"""Streams in pieces: the same events however the bytes are cut, and an end to what never ends."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.remote.faults import RemoteFailure, RemoteFault
from providers.remote.frames import DEEPEST, EventStream, Fraction, Frame, Lines, count, read_json, text

SEPARATORS = "\u2028\u2029\u0085\x0b\x0c\x1c"  # at which text would be cut into lines, and JSON is not


def cut(data: bytes, places: list[int]) -> list[bytes]:
    edges = sorted({0, len(data), *(place % (len(data) + 1) for place in places)})
    return [data[start:end] for start, end in pairwise(edges)]


def frames(pieces: list[bytes]) -> list[Frame]:
    stream = EventStream()
    return [frame for piece in pieces for frame in stream.take(piece)] + list(stream.end())


def fed(stream: EventStream, piece: bytes, times: int) -> None:
    for _ in range(times):
        list(stream.take(piece))


TEXTS = st.text(
    alphabet=st.characters(exclude_characters="\r\n", exclude_categories=["Cs"]) | st.sampled_from(SEPARATORS)
)
EVENTS = st.lists(
    st.tuples(st.sampled_from(["", "message", "ping"]), st.lists(TEXTS, min_size=1, max_size=3))
)


@given(EVENTS, st.sampled_from(["\n", "\r\n", "\r"]), st.lists(st.integers(0, 10_000)), st.booleans())
def test_events_are_the_same_however_they_are_cut(
    events: list[tuple[str, list[str]]], end: str, places: list[int], space: bool
) -> None:
    written = "\ufeff" if space else ""
    for name, lines in events:
        written += f": a comment{end}"
        written += f"event: {name}{end}" if name else ""
        written += "".join(f"data: {line}{end}" for line in lines) + end
    expected = [Frame(name, "\n".join(lines)) for name, lines in events]
    data = written.encode()
    assert frames([data]) == expected
    assert frames(cut(data, places)) == expected
    assert frames([bytes([byte]) for byte in data]) == expected


def test_an_event_that_no_blank_line_ended_is_one_all_the_same() -> None:
    assert frames([b"data: one\n\ndata: two"]) == [Frame("", "one"), Frame("", "two")]


def test_what_is_no_event_stream_is_kept_to_be_read_otherwise() -> None:
    stream = EventStream()
    assert [*stream.take(b'{"error":\n {"message": "no"}}\n'), *stream.end()] == []
    assert read_json(stream.stray) == {"error": {"message": "no"}}


def test_a_body_in_many_long_lines_is_kept_whole() -> None:
    whole = {"said": "y" * 20_000, "more": ["z" * 5_000] * 3}
    stream = EventStream()
    assert [*stream.take(json.dumps(whole, indent=1).encode()), *stream.end()] == []
    assert read_json(stream.stray) == whole


def test_what_is_no_event_stream_and_never_ends_is_not_kept_for_ever() -> None:
    stream = EventStream(most_event=10_000)
    fed(stream, b"x" * 99 + b"\n", 5_000)
    assert len(stream.stray) <= 10_200


@pytest.mark.parametrize("piece", [1 << 16, 7])
def test_a_line_that_never_ends_is_given_up(piece: int) -> None:
    stream = EventStream(most_event=200_000)
    with pytest.raises(RemoteFailure) as failure:
        fed(stream, b"x" * piece, 300_000 // piece)
    assert failure.value.fault is RemoteFault.TOO_LARGE


def test_an_answer_and_an_event_of_many_lines_have_limits_as_well() -> None:
    for stream in (EventStream(most_event=1000), EventStream(most_in_all=1000)):
        with pytest.raises(RemoteFailure):
            fed(stream, b"data: x\n", 600)


def test_lines_of_json_are_cut_at_line_ends_alone() -> None:
    lines = Lines()
    whole = '{"a": "x\u2028y"}\r\n{"b": 1}\n'.encode()
    found = [line for byte in whole for line in lines.take(bytes([byte]))]
    assert [read_json(line.decode()) for line in found] == [{"a": "x\u2028y"}, {"b": 1}]
    assert lines.rest() == b""


def test_invalid_utf8_is_shown_and_stops_nothing() -> None:
    assert frames([b"data: caf\xe9\n\n"]) == [Frame("", "caf\ufffd")]


@pytest.mark.parametrize("strange", ["[" * 100_000, "NaN", "{", "", '{"a": Infinity}', "\x00"])
def test_what_is_no_json_is_a_fault_and_no_crash(strange: str) -> None:
    with pytest.raises(RemoteFailure) as failure:
        read_json(strange)
    assert failure.value.fault is RemoteFault.UNREADABLE


def test_what_can_be_read_can_be_written_again() -> None:
    assert json.dumps({"error": read_json("[" * DEEPEST + "]" * DEEPEST)})


@pytest.mark.parametrize("deep", [DEEPEST + 1, *range(900, 1010)])
def test_what_could_not_be_written_again_is_not_read(deep: int) -> None:
    with pytest.raises(RemoteFailure) as failure:
        read_json("[" * deep + "]" * deep)
    assert failure.value.fault is RemoteFault.UNREADABLE


def test_numbers_of_strangers_are_bounded_and_money_keeps_its_digits() -> None:
    read = read_json('{"a": 1' + "0" * 5000 + ', "b": -5, "c": true, "d": 1e999, "e": 0.10, "f": 12.7}')
    assert [count(read, name) for name in "abcdf"] == [1 << 53, 0, 0, 1 << 53, 12]
    assert isinstance(read["e"], Fraction) and read["e"].written == "0.10"
    assert (count(read, "zz"), text(read, "a"), count([], 1), count(None, "a")) == (0, "", 0, 0)
