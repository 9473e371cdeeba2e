"""The table of tensors in a GGUF header: where the numbers lie and in what type (ggml's docs/gguf.md).

A model has hundreds of them and a collection has thousands of models, so this is one loop that asks for nothing twice.
It believes no more than a slow one would: each length is checked against the end of what is at hand.
"""

from __future__ import annotations

import functools
import math
import struct
from typing import NamedTuple, cast

from models.ggml_types import BLOCKS
from models.gguf_texts import Bytes
from models.runtime.faults import Fault, RuntimeFault

_MAX_NAME_BYTES = 1 << 16
_MAX_DIMENSIONS = 4
_MOST_KNOWN = 1 << 15
_SHORT_NAME = 128  # bytes


class Tensor(NamedTuple):
    """Where the numbers of one tensor lie. `size` in bytes, 0 for a type this program does not know."""

    name: str
    shape: tuple[int, ...]
    type: int
    offset: int  # from the start of the data
    size: int


Description = tuple[str, tuple[int, ...], int, int]
"""Name, shape, type and size of a tensor: all of it but its place."""

Known = dict[bytes, Description]
"""Descriptions read before, by their bytes: the quantizations of a model share them, and a family its names."""


class TooShort(Exception):
    """The table goes on after what is at hand: at `at`, `size` more bytes are needed."""

    def __init__(self, at: int, size: int) -> None:
        super().__init__(f"{size} bytes at {at}")
        self.at = at
        self.size = size


def read_tensors(
    view: Bytes, at: int, end: int, count: int, order: str, known: Known
) -> tuple[tuple[Tensor, ...], int]:
    """The `count` tensors described from `at` on, and where their descriptions end.

    `order`: "<" or ">", as `struct` writes byte orders. `known` is renewed. Raises `TooShort` when they go on after
    `end`, `RuntimeFault` DAMAGED for what no table can say.
    """
    number_at, layouts = struct.Struct(order + "Q").unpack_from, _LAYOUTS[order]
    if len(known) >= _MOST_KNOWN:
        known.clear()
    rows: list[tuple[str, tuple[int, ...], int, int, int]] = []
    for _ in range(count):
        start = at + 8
        if start > end:
            raise TooShort(at, 8)
        (length,) = number_at(view, at)
        if length > _MAX_NAME_BYTES:
            raise _damaged(f"{length} bytes in the name of a tensor")
        dimensions_at = start + length
        if dimensions_at + 4 > end:
            raise TooShort(start, length + 4)
        # The number of dimensions, these, and the type; the offset after them is all that differs between files.
        layout = layouts.get(view[dimensions_at] | view[dimensions_at + 3])
        if layout is None:
            raise _damaged(f"more than {_MAX_DIMENSIONS} dimensions of a tensor")
        offset_at = dimensions_at + layout.size
        if offset_at + 8 > end:
            raise TooShort(dimensions_at, layout.size + 8)
        description = view[at:offset_at]
        found = known.get(description)
        if found is None:
            found = _described(description, length, layout)
            if length <= _SHORT_NAME and len(known) < _MOST_KNOWN:
                known[description] = found
        name, shape, kind, size = found
        (offset,) = number_at(view, offset_at)
        rows.append((name, shape, kind, offset, size))
        at = offset_at + 8
    return tuple(map(_AS_TENSOR, rows)), at


def _described(description: bytes, length: int, layout: struct.Struct) -> Description:
    name = description[8 : 8 + length].decode("utf-8", "replace")
    dimensions, *shape, kind = layout.unpack_from(description, 8 + length)
    if dimensions != len(shape):
        raise _damaged(f"{dimensions} dimensions of a tensor")
    return name, tuple(shape), kind, _bytes(name, tuple(shape), kind)


def _bytes(name: str, shape: tuple[int, ...], kind: int) -> int:
    block = BLOCKS.get(kind)
    if block is None:
        return 0
    if not shape or shape[0] % block[1]:
        raise _damaged(f"the tensor {name!r:.80} has rows that are not made of whole blocks")
    return math.prod(shape) // block[1] * block[2]


def _damaged(detail: str) -> RuntimeFault:
    return RuntimeFault(Fault.DAMAGED, detail)


_AS_TENSOR = cast("type[Tensor]", functools.partial(tuple.__new__, Tensor))
"""The tuple of a tensor's fields as a `Tensor`."""

_LAYOUTS = {
    order: {dimensions: struct.Struct(f"{order}I{dimensions}QI") for dimensions in range(_MAX_DIMENSIONS + 1)}
    for order in "<>"
}
"""The number of dimensions, these, and the type, by byte order and the one byte of that number that is not zero."""
