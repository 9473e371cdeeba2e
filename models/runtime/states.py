"""What a model has read, kept in files, so that coming back to a long conversation does not read it again.

The parent opens the files and hands over their descriptors: a worker may open none for writing itself. Each file
(a *slot*) holds the KV cache of one conversation with the tokens it stands for:

    8 bytes magic · 8 bytes length of the header, little-endian · SHA-256 of the header · header, JSON · the state

The magic is written last and wiped first, so a slot is whole or it is empty, whenever the process ends. The state,
as llama.cpp gives it, is checked by the SHA-256 in the header, and only a slot with the same key is looked at:
the same model, the same kind of cache, the same llama.cpp.
"""

from __future__ import annotations

import hashlib
import json
import os
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Protocol

from models.runtime.prompt import Prompt

FEWEST_TOKENS = 512
"""A cache of fewer tokens is not kept: reading them again takes about as long as anybody notices."""

_FEWEST_GAINED = 256  # tokens that a slot must save before the cache is exchanged for it
_MAGIC = b"ALCVKV1\n"
_START = struct.Struct("<8sQ32s")
_MOST_HEADER_BYTES = 64 << 20
_CHUNK = 8 << 20  # bytes read or written at once


class Cache(Protocol):
    """What is needed of a context."""

    @property
    def state_bytes(self) -> int: ...

    def read_state(self) -> bytearray: ...

    def write_state(self, state: bytearray) -> bool:
        """False, with an empty cache, when llama.cpp does not take it."""


@dataclass(slots=True)
class _Slot:
    descriptor: int
    tokens: list[int]
    known: list[Prompt]
    state_bytes: int = 0
    state_sha256: str = ""
    used: int = 0  # the higher, the later


class KeptStates:
    """The slots of one model. Used by the worker's main thread."""

    def __init__(self, descriptors: Sequence[int], key: str, most_bytes: int) -> None:
        """`most_bytes`: what one slot may take on disk. A slot that can't be read counts as empty."""
        self._key = key
        self._most_bytes = most_bytes
        self._slots = [_read_slot(descriptor, key) for descriptor in descriptors]
        self._uses = max((slot.used for slot in self._slots), default=0)

    def known(self) -> list[Prompt]:
        """How the kept conversations were tokenized, so that they are tokenized the same way again."""
        return [prompt for slot in self._slots for prompt in slot.known]

    def better_than(self, shared: int, prompt: Sequence[int]) -> int | None:
        """The number of the slot that knows much more of a prompt than its first `shared` tokens."""
        gains = [shared_length(slot.tokens, prompt) - shared for slot in self._slots]
        best = max(range(len(gains)), key=gains.__getitem__, default=None)
        return best if best is not None and gains[best] >= _FEWEST_GAINED else None

    def restore(self, number: int, cache: Cache) -> list[int]:
        """Put a slot's state into the cache. Returns the tokens that are in it then; none when that failed."""
        slot = self._slots[number]
        state = _read(slot.descriptor, slot.state_bytes, offset=_state_offset(slot.descriptor))
        if hashlib.sha256(state).hexdigest() != slot.state_sha256 or not cache.write_state(state):
            self._empty(slot)
            return []
        self._uses += 1
        slot.used = self._uses
        return list(slot.tokens)

    def keep(self, tokens: Sequence[int], known: Sequence[Prompt], cache: Cache) -> bool:
        """Store what is in the cache. False when it is too short, too large or kept already, or the disk refuses."""
        if not self._slots or len(tokens) < FEWEST_TOKENS:
            return False
        if any(slot.tokens[: len(tokens)] == list(tokens) for slot in self._slots):
            return False
        if cache.state_bytes > self._most_bytes:
            return False
        slot = self._slot_for(tokens)
        self._empty(slot)
        state = cache.read_state()
        self._uses += 1
        kept = _Slot(
            slot.descriptor,
            list(tokens),
            list(known),
            len(state),
            hashlib.sha256(state).hexdigest(),
            self._uses,
        )
        try:
            _write_slot(kept, self._key, state)
        except OSError:  # no room on the disk: nothing is lost but the time to read it again
            self._empty(slot)
            return False
        self._slots[self._slots.index(slot)] = kept
        return True

    def _slot_for(self, tokens: Sequence[int]) -> _Slot:
        """The slot of the same conversation when it was shorter, else the one not used for longest."""
        earlier = [
            slot for slot in self._slots if slot.tokens and slot.tokens == list(tokens[: len(slot.tokens)])
        ]
        return earlier[0] if earlier else min(self._slots, key=lambda slot: slot.used)

    def _empty(self, slot: _Slot) -> None:
        slot.tokens, slot.known, slot.state_bytes = [], [], 0
        try:
            os.ftruncate(slot.descriptor, 0)
        except OSError:  # then its magic stays, and with it the old, whole content
            return


def shared_length(tokens: Sequence[int], others: Sequence[int]) -> int:
    """How many tokens two texts have in common from their beginning."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(tokens, others, strict=False)))


def _write_slot(slot: _Slot, key: str, state: bytearray) -> None:
    header = json.dumps(
        {
            "key": key,
            "tokens": slot.tokens,
            "known": [[prompt.text, prompt.tokens] for prompt in slot.known],
            "bytes": slot.state_bytes,
            "sha256": slot.state_sha256,
            "used": slot.used,
        }
    ).encode()
    os.ftruncate(slot.descriptor, 0)
    _write(slot.descriptor, header, _START.size)
    _write(slot.descriptor, state, _START.size + len(header))
    _write(slot.descriptor, _START.pack(_MAGIC, len(header), hashlib.sha256(header).digest()), 0)


def _read_slot(descriptor: int, key: str) -> _Slot:
    """A slot as the file has it; an empty one when there is anything wrong with it."""
    empty = _Slot(descriptor, [], [])
    try:
        magic, length, digest = _START.unpack(_read(descriptor, _START.size, 0))
        if magic != _MAGIC or length > _MOST_HEADER_BYTES:
            return empty
        text = _read(descriptor, length, _START.size)
        if hashlib.sha256(text).digest() != digest:
            return empty
        header = json.loads(text)
        if header["key"] != key:  # of another file, or of this one with other adapters: as old as it says
            return _Slot(descriptor, [], [], used=int(header["used"]))
        if os.fstat(descriptor).st_size != _START.size + length + header["bytes"]:
            return empty
        known = [Prompt(str(text), [int(token) for token in tokens]) for text, tokens in header["known"]]
        tokens = [int(token) for token in header["tokens"]]
        return _Slot(
            descriptor, tokens, known, int(header["bytes"]), str(header["sha256"]), int(header["used"])
        )
    except (OSError, ValueError, KeyError, TypeError, struct.error):
        return empty


def _state_offset(descriptor: int) -> int:
    _, length, _ = _START.unpack(_read(descriptor, _START.size, 0))
    return int(_START.size + length)


def _read(descriptor: int, count: int, offset: int) -> bytearray:
    """At most `count` bytes: fewer where the file ends."""
    data = bytearray()
    while len(data) < count:
        chunk = os.pread(descriptor, min(_CHUNK, count - len(data)), offset + len(data))
        if not chunk:
            break
        data += chunk
    return data


def _write(descriptor: int, data: bytes | bytearray, offset: int) -> None:
    rest = memoryview(data)
    while rest:
        written = os.pwrite(descriptor, rest[:_CHUNK], offset)
        rest, offset = rest[written:], offset + written
