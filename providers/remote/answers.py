"""From the bytes of an answer to its events: what is the same for dialects whose streams are JSON objects."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Protocol

from models.runtime.faults import StopReason
from providers.events import Event, ReasoningDelta, TextDelta, ToolCall
from providers.remote.asking import is_deep
from providers.remote.faults import RemoteFailure, RemoteFault
from providers.remote.frames import EventStream, Lines, read_json

_HALVES = re.compile("[\ud800-\udfff]")  # of a surrogate pair: no file and no pipe takes one
_CONTROL = re.compile("[\x00-\x1f]")  # in a text they are read all the same, but no JSON


class Answer(Protocol):
    """What the objects of one stream come to. Both raise `RemoteFailure`."""

    def event(self, data: Mapping[str, Any]) -> Iterable[Event]:
        """The deltas that one more object brings. It is a stranger's: nothing is sure but that it is an object."""

    def end(self) -> Iterable[Event]:
        """No more comes: calls, record, usage, `Finished`. Raises CUT_OFF where the service had not said so."""


class EventReader:
    """Reads an answer that comes as server-sent events with a JSON object each."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self._stream = EventStream()
        self._is_one = False  # an event has come

    def take(self, data: bytes) -> Iterator[Event]:
        for frame in self._stream.take(data):
            yield from self._event(frame.data)

    def end(self) -> Iterator[Event]:
        for frame in self._stream.end():
            yield from self._event(unless_cut(frame.data))
        if not self._is_one and (stray := self._stream.stray.strip()):
            # No stream at all: an error as plain JSON, or in a list.
            value = read_json(unless_cut(stray))
            for one in value if isinstance(value, list) else [value]:
                yield from self._answer.event(_object(one))
        yield from map(whole, self._answer.end())

    def _event(self, data: str) -> Iterator[Event]:
        if data.strip() not in ("", "[DONE]"):
            self._is_one = True
            yield from map(whole, self._answer.event(_object(read_json(data))))


class LineReader:
    """Reads an answer that comes as lines with a JSON object each."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self._lines = Lines()

    def take(self, data: bytes) -> Iterator[Event]:
        for line in self._lines.take(data):
            yield from self._line(line.decode("utf-8", "replace"))

    def end(self) -> Iterator[Event]:
        yield from self._line(unless_cut(self._lines.rest().decode("utf-8", "replace")))
        yield from map(whole, self._answer.end())

    def _line(self, line: str) -> Iterator[Event]:
        if line.strip():
            yield from map(whole, self._answer.event(_object(read_json(line))))


def whole(event: Event) -> Event:
    """The event without halves of surrogate pairs, which JSON can hold and nothing else."""
    match event:
        case TextDelta(said) if _HALVES.search(said):
            return TextDelta(_HALVES.sub("\ufffd", said))
        case ReasoningDelta(said) if _HALVES.search(said):
            return ReasoningDelta(_HALVES.sub("\ufffd", said))
        case ToolCall(call_id, name, arguments) if _HALVES.search(call_id + name + arguments):
            return ToolCall(*(_HALVES.sub("\ufffd", field) for field in (call_id, name, arguments)))
    return event


def tool_call(call_id: str, name: str, arguments: object) -> ToolCall:
    """A call with arguments as an object or as its JSON text. Raises `RemoteFailure` (UNREADABLE) for anything else."""
    given = read_json(arguments or "{}") if isinstance(arguments, str) else arguments
    if not name or not isinstance(given, dict) or is_deep(given):
        raise RemoteFailure(RemoteFault.UNREADABLE, "no call of a tool")
    if isinstance(arguments, str) and not _CONTROL.search(arguments):
        return ToolCall(call_id, name, arguments or "{}")
    return ToolCall(call_id, name, json.dumps(given, ensure_ascii=False))


def own_id(answer: str, place: int) -> str:
    """The id of a call that its service gave none: by what tells this answer from others, and its place there."""
    return f"call-{re.sub('[^A-Za-z0-9]', '', answer)[:40]}-{place}"


def is_own_id(call_id: str) -> bool:
    """Whether an id is such a one: it is not told to the service, which would not know it."""
    return re.fullmatch(r"call-[A-Za-z0-9]{0,40}-\d+", call_id) is not None


def unless_broken_off(made: Callable[[], ToolCall], stopped: StopReason) -> list[ToolCall]:
    """The call; none if the answer ended in the middle of it. Raises what `made` does where it did not."""
    try:
        return [made()]
    except RemoteFailure:
        if stopped in (StopReason.STOP, StopReason.TOOL_CALLS):
            raise
        return []


def reworded(failure: RemoteFailure, rules: Iterable[tuple[RemoteFault, str]]) -> RemoteFailure:
    """The same failure as what a service's own words mean: the first rule that they match."""
    for fault, pattern in rules:
        if re.search(pattern, failure.detail, re.IGNORECASE):
            return RemoteFailure(fault, failure.detail, failure.facts, failure.retry_after)
    return failure


def _object(value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise RemoteFailure(RemoteFault.UNREADABLE, "no JSON object")
    return value


def unless_cut(data: str) -> str:
    """What came last, and was not ended: if it is no JSON, then because the rest of it is missing."""
    try:
        if data.strip() not in ("", "[DONE]"):
            read_json(data)
    except RemoteFailure as failure:
        raise RemoteFailure(RemoteFault.CUT_OFF) from failure
    return data
