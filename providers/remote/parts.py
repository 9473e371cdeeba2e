"""An answer in its parts, in the order in which a service gave them: written down while it comes, said again later.

Some services sign what their model was thinking, and want it back unchanged, in its place among text and calls. The
text is in the turn already: a record has only how long each piece of it is.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass

from models.runtime.values import CalledTool, Turn
from providers.events import ReasoningRecord
from providers.remote.asking import object_of
from providers.remote.faults import RemoteFailure, RemoteFault

MOST_PARTS = 10_000
"""Of one answer. More are no answer."""


@dataclass(frozen=True, slots=True)
class Part:
    """One piece of an answer: text, a call, or a block that only its dialect understands."""

    text: str = ""
    call: CalledTool | None = None
    block: dict[str, object] | None = None
    signature: str = ""


class Record:
    """The parts of an answer while it comes in."""

    def __init__(self, dialect: str) -> None:
        self._dialect = dialect
        self._parts: list[dict[str, object]] = []
        self._is_wanted = False  # there is something in it that the turn itself does not have

    def text(self, length: int, signature: str = "") -> None:
        """So many characters more. What is signed stays a part of its own."""
        last = self._parts[-1] if self._parts else {}
        so_far = last.get("text")
        if isinstance(so_far, int) and not signature and "signature" not in last:
            last["text"] = so_far + length
        else:
            self._add({"text": length}, signature)

    def call(self, call_id: str, signature: str = "") -> None:
        self._add({"call": call_id}, signature)

    def block(self, block: dict[str, object]) -> None:
        self._add({"block": block}, "")
        self._is_wanted = True

    def event(self, model: str) -> list[ReasoningRecord]:
        """What is kept with the turn, if there is any need to: nothing was signed, nothing is kept."""
        if not self._is_wanted:
            return []
        record = {"dialect": self._dialect, "model": model, "parts": self._parts}
        return [ReasoningRecord(json.dumps(record, separators=(",", ":")))]

    def _add(self, part: dict[str, object], signature: str) -> None:
        if len(self._parts) >= MOST_PARTS:
            raise RemoteFailure(RemoteFault.TOO_LARGE)
        if signature:
            part["signature"] = signature
            self._is_wanted = True
        self._parts.append(part)


def parts_of(turn: Turn, dialect: str, is_the_model: Callable[[str], bool]) -> list[Part]:
    """All of an assistant's turn, as it was said: by its record if this dialect wrote one for the same model.

    A text that was changed since has lost its places: blocks come first then, and calls keep their signatures.
    """
    recorded = _recorded(turn, dialect, is_the_model)
    calls = {call.id: call for call in turn.calls}
    rest = turn.text
    is_unchanged = sum(_length(part) for part in recorded) == len(turn.text)
    parts: list[Part] = []
    last: list[Part] = []
    for part in recorded:
        signature = str(part.get("signature", ""))
        if (length := _length(part)) or "text" in part:
            if is_unchanged:
                parts.append(Part(text=rest[:length], signature=signature))
                rest = rest[length:]
        elif "call" in part:
            if call := calls.pop(str(part["call"]), None):
                (parts if is_unchanged else last).append(Part(call=call, signature=signature))
        elif isinstance(block := part.get("block"), dict):
            parts.append(Part(block=block, signature=signature))
    if rest:
        parts.append(Part(text=rest))
    return parts + last + [Part(call=call) for call in calls.values()]


def _recorded(turn: Turn, dialect: str, is_the_model: Callable[[str], bool]) -> list[dict[str, object]]:
    record = object_of(turn.reasoning_record) if turn.reasoning_record else None
    if record is None or record.get("dialect") != dialect or not is_the_model(str(record.get("model", ""))):
        return []
    parts = record.get("parts")
    return [part for part in parts if isinstance(part, dict)] if isinstance(parts, list) else []


def _length(part: dict[str, object]) -> int:
    length = part.get("text")
    return length if isinstance(length, int) and length > 0 else 0
