"""Whatever is in a record, and however the pipe cuts it, it arrives as it was sent."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from desktop.processes.framing import BadRecord, LineSplitter, decode_line, encode_line

# What other readers take for the end of a line, and what no UTF-8 can hold.
ODD = "\n\r\v\f\x00\x1c\x1d\x1e\x85\u2028\u2029\ufeff\ufffe\ud800\udfff🦜"
TEXT = st.text(st.one_of(st.sampled_from(ODD), st.characters()))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)
RECORDS = st.lists(st.dictionaries(TEXT, VALUES, max_size=5), max_size=6)


@settings(deadline=None, derandomize=True)
@given(records=RECORDS, data=st.data())
def test_records_survive_any_text_and_any_cuts(records: list[dict[str, object]], data: st.DataObject) -> None:
    stream = b"".join(map(encode_line, records))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=10)))
    pieces = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    splitter = LineSplitter()
    lines = [line for piece in pieces for line in splitter.feed(piece)]
    assert [decode_line(line) for line in lines] == records


@settings(deadline=None, derandomize=True)
@given(line=st.binary())
def test_rubbish_is_refused_and_never_anything_else_goes_wrong(line: bytes) -> None:
    with suppress(BadRecord):
        assert isinstance(decode_line(line), dict)


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"[]",
        b"1",
        b'"text"',
        b"null",
        b"{",
        b'{"a": NaN}',
        b'{"a": -Infinity}',
        b'{"a": 1} {"b": 2}',
        b'{"a": "\xff"}',
        '{"a": 1}'.encode("utf-16"),
        b'{"a": ' + b"9" * 10_000 + b"}",
        b"[" * 100_000,
        b'{"a": ' * 100_000,
    ],
)
def test_a_line_that_is_not_one_object_is_refused(line: bytes) -> None:
    with pytest.raises(BadRecord):
        decode_line(line)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_number_json_has_no_word_for_is_refused_where_it_is_sent(value: float) -> None:
    with pytest.raises(ValueError):
        encode_line({"value": value})


@settings(deadline=None, derandomize=True)
@given(st.lists(st.integers(1, 40), min_size=1, max_size=8))
def test_a_line_longer_than_the_limit_is_noticed_before_it_has_ended(sizes: list[int]) -> None:
    splitter = LineSplitter(max_line_bytes=30)
    total = 0
    for size in sizes:
        total += size
        if total > 30:
            with pytest.raises(BadRecord):
                splitter.feed(b"x" * size)
            return
        assert splitter.feed(b"x" * size) == []
