"""Steps over the long lists of texts in a GGUF header: a vocabulary has some hundred thousand of them.

Each text is its length in eight bytes and then itself, so that only a walk from the first to the last finds the
end. Two things make the walk short, and neither believes more of the file than the walk would: a regular
expression walks 64 short texts in one step, and a list that is byte for byte one that was walked before ends
where that one ended. The quantizations of one model share their vocabulary, and so do whole families.
"""

from __future__ import annotations

import functools
import mmap
import re
import struct
from collections import OrderedDict

Bytes = mmap.mmap | bytes

_STEP = 64
_LONGEST = 64
# The lengths of vocabularies' words come first: the expression tries them in this order.
_COMMON = (6, 7, 5, 8, 4, 9, 3, 10, 2, 11, 1)
_WORTH_KEEPING = 1 << 12
_KEPT_BYTES = 64 << 20
_START = 256
_PIECE = 1 << 16


class SeenLists:
    """The lists of texts walked so far, to know them again. At most 64 MB; the longest unused goes first."""

    def __init__(self) -> None:
        # In pieces that stay in the processor's cache while they are compared.
        self._lists: OrderedDict[tuple[int, bytes], list[bytes]] = OrderedDict()
        self._size = 0
        self.tensors: dict[bytes, tuple[str, tuple[int, ...], int, int]] = {}
        """Descriptions of tensors, which are shared as well: see `gguf_tensors`, which bounds them."""

    def size(self, view: Bytes, at: int, count: int) -> int:
        """The bytes of the list of `count` texts at `at`, if it is one seen before; else 0."""
        key = (count, view[at : at + _START])
        kept = self._lists.get(key)
        if kept is None:
            return 0
        place = at
        for piece in kept:
            if view[place : place + len(piece)] != piece:
                return 0
            place += len(piece)
        self._lists.move_to_end(key)
        return place - at

    def keep(self, view: Bytes, at: int, end: int, count: int) -> None:
        """Remember the list between `at` and `end`."""
        if count < _WORTH_KEEPING or end - at > _KEPT_BYTES // 2:
            return
        key = (count, view[at : at + _START])
        self._size += end - at - sum(map(len, self._lists.pop(key, [])))
        self._lists[key] = [view[place : min(place + _PIECE, end)] for place in range(at, end, _PIECE)]
        while self._size > _KEPT_BYTES:
            _, oldest = self._lists.popitem(last=False)
            self._size -= sum(map(len, oldest))


def end_of_texts(view: Bytes, at: int, count: int, order: str, seen: SeenLists | None) -> int:
    """Where the list of `count` texts at `at` ends; beyond the end of `view` when the file does before.

    `order`: "<" or ">", as `struct` writes byte orders.
    """
    if seen is not None and count >= _WORTH_KEEPING and (size := seen.size(view, at, count)):
        return at + size
    start, left = at, count
    if order == "<":
        step = _short_texts()
        while left >= _STEP and at <= len(view):
            match = step.match(view, at)
            at = match.end() if match is not None else _walk(view, at, _STEP, order)
            left -= _STEP
    at = _walk(view, at, left, order)
    if seen is not None and at <= len(view):
        seen.keep(view, start, at, count)
    return at


def _walk(view: Bytes, at: int, count: int, order: str) -> int:
    unpack = struct.Struct(order + "Q").unpack_from
    last = len(view) - 8
    for _ in range(count):
        if at > last:
            return max(at, len(view) + 1)  # how far it would go tells a longer file from a lie
        at += 8 + unpack(view, at)[0]
    return at


@functools.cache
def _short_texts() -> re.Pattern[bytes]:
    """Matches exactly `_STEP` texts of fewer than `_LONGEST` bytes, without ever trying twice."""
    lengths = (*_COMMON, *(length for length in range(_LONGEST) if length not in _COMMON))
    texts = b"|".join(b"\\x%02x\\0\\0\\0\\0\\0\\0\\0" % length + b"." * length for length in lengths)
    return re.compile(b"(?s:%s){%d}+" % (texts, _STEP))
