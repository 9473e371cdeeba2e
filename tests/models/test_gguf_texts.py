"""Long lists of texts are stepped over exactly, however fast."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.gguf_texts import SeenLists, end_of_texts


def listed(texts: list[bytes], order: str = "<") -> bytes:
    return b"".join(struct.pack(order + "Q", len(text)) + text for text in texts)


words = (
    st.binary(max_size=20)
    | st.binary(min_size=55, max_size=70)
    | st.sampled_from([b"", b"\0" * 63, b"\n" * 64])
)


@given(st.lists(words, max_size=300), st.binary(max_size=30), st.sampled_from("<>"))
def test_the_end_of_a_list_is_where_a_walk_would_end(texts: list[bytes], after: bytes, order: str) -> None:
    data = b"before" + listed(texts, order)
    assert end_of_texts(data + after, 6, len(texts), order, None) == len(data)


@given(st.lists(words, min_size=1, max_size=300), st.data())
def test_a_list_that_is_cut_off_ends_beyond_the_file(texts: list[bytes], data: st.DataObject) -> None:
    whole = listed(texts)
    cut = whole[: data.draw(st.integers(0, len(whole) - 1))]
    assert end_of_texts(cut, 0, len(texts), "<", None) > len(cut)


@pytest.mark.parametrize("length", [2**63, 2**64 - 1, 2**32])
def test_a_text_longer_than_any_file_ends_beyond_it(length: int) -> None:
    data = listed([b"word"] * 200) + struct.pack("<Q", length) + b"rest" * 100
    assert end_of_texts(data, 0, 201, "<", None) > len(data)
    assert end_of_texts(data, 0, 5_000, "<", SeenLists()) > len(data)


def test_a_list_seen_before_is_known_again_and_one_that_differs_in_a_byte_is_not() -> None:
    seen = SeenLists()
    texts = [b"word%d" % number for number in range(5_000)]
    first = listed(texts)
    for _ in range(2):
        assert end_of_texts(first + b"more", 0, 5_000, "<", seen) == len(first)
    assert seen.size(first, 0, 5_000) == len(first)
    other = listed([*texts[:4_000], b"another word", *texts[4_001:]])
    assert seen.size(other, 0, 5_000) == 0
    assert end_of_texts(other + b"more", 0, 5_000, "<", seen) == len(other)
    assert seen.size(first[:-1], 0, 5_000) == 0


def test_what_is_remembered_has_a_limit() -> None:
    seen = SeenLists()
    for number in range(8):
        data = listed([b"%04d" % number * 1000] * 4_096)  # 16 MB
        assert end_of_texts(data, 0, 4_096, "<", seen) == len(data)
        del data
    assert sum(len(kept) for kept in seen._lists.values()) <= 64 << 20
