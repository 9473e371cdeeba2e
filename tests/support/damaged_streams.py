"""Streams with damage in them, always the same for the same seed, and what a reader makes of each."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from random import Random
from typing import Any

from support.answers import cut, read

from providers.events import Event, Finished, ReasoningDelta, ReasoningRecord, TextDelta, ToolCall, Usage
from providers.remote.dialect import Dialect
from providers.remote.faults import RemoteFailure, RemoteFault
from providers.remote.values import Service

_STRANGE: list[Any] = [
    None, True, False, 0, -1, 1e308, 1 << 70, "", "\u2028\u0085", "\ud800", "\x00", "null", "data:", [], {}, [None],
    [[{}]], {"error": {"type": "overloaded_error", "message": "Overloaded"}}, {"type": "error"},
]  # fmt: skip
_LINES = [
    b"",
    b":",
    b": ping",
    b"data: [DONE]",
    b"data:",
    b"data: {",
    b"data: [[[[",
    b"event: error",
    b"\xff\xfe",
    b"retry: 1",
]
_NAMES = ["error", "type", "text", "message", "index", "done", "candidates", "\u00e9"]


def damaged(data: bytes, rng: Random) -> bytes:
    """The stream with one kind of damage, or two."""
    for _ in range(rng.choice((1, 1, 2))):
        data = rng.choice(_KINDS)(data, rng) or b"\n"
    return data


def outcomes(dialect: Dialect, service: Service, whole: bytes, streams: int = 1_000) -> Counter[str]:
    """How many damaged streams ended in which way: "answered" or a fault. Anything else is raised."""
    counts: Counter[str] = Counter()
    for seed in range(streams):
        rng = Random(seed)
        data = damaged(whole, rng)
        places = (
            range(len(data))
            if rng.random() < 0.05
            else [rng.randrange(1 << 30) for _ in range(rng.randrange(6))]
        )
        counts[_outcome(dialect, service, cut(data, places))] += 1
    return counts


def _outcome(dialect: Dialect, service: Service, pieces: list[bytes]) -> str:
    try:
        events = read(dialect, service, pieces)
    except RemoteFailure as failure:
        return RemoteFault(failure.fault).value
    assert [event for event in events if isinstance(event, Finished)] == events[-1:]
    for event in events:
        check(event)
    return "answered"


def check(event: Event) -> None:
    """What everything behind a reader relies on."""
    match event:
        case TextDelta(said) | ReasoningDelta(said) | ReasoningRecord(said):
            assert said
            said.encode()
        case ToolCall(call_id, name, arguments):
            assert call_id and name and isinstance(json.loads(arguments), dict)
            f"{call_id}{name}{arguments}".encode()
        case Usage():
            assert event.prompt_tokens >= 0 and event.generated_tokens >= 0
        case Finished():
            pass
        case _:
            raise AssertionError(f"no event of an answer: {event}")


def _bytes_changed(data: bytes, rng: Random) -> bytes:
    changed = bytearray(data)
    for _ in range(rng.randint(1, 4)):
        changed[rng.randrange(len(changed))] = rng.randrange(256)
    return bytes(changed)


def _broken_off(data: bytes, rng: Random) -> bytes:
    return data[: rng.randrange(len(data))]


def _missing(data: bytes, rng: Random) -> bytes:
    start, end = sorted(rng.randrange(len(data)) for _ in "12")
    return data[:start] + data[min(end, start + 80) :]


def _repeated(data: bytes, rng: Random) -> bytes:
    start, end = sorted(rng.randrange(len(data)) for _ in "12")
    return data[:end] + data[start:]


def _lines_changed(data: bytes, rng: Random) -> bytes:
    lines = data.split(b"\n")
    for _ in range(rng.randint(1, 4)):
        place = rng.randrange(len(lines))
        change = rng.randrange(4)
        if change == 0:
            lines.insert(place, rng.choice([*_LINES, rng.choice(lines)]))
        elif change == 1:
            lines[place] = rng.choice(_LINES)
        elif change == 2 and len(lines) > 1:
            del lines[place]
        else:
            other = rng.randrange(len(lines))
            lines[min(place, len(lines) - 1)], lines[other] = lines[other], lines[min(place, len(lines) - 1)]
    return rng.choice((b"\n", b"\n", b"\r\n", b"\r")).join(lines)


def _values_changed(data: bytes, rng: Random) -> bytes:
    lines = data.split(b"\n")
    with_json = [place for place, line in enumerate(lines) if line.startswith((b"data: {", b"{"))]
    for place in rng.sample(with_json, min(len(with_json), rng.randint(1, 3))):
        prefix = b"data: " if lines[place].startswith(b"data: ") else b""
        try:
            value = json.loads(lines[place].removeprefix(prefix))
        except (ValueError, RecursionError):
            continue
        lines[place] = prefix + json.dumps(_other(value, rng)).encode()
    return b"\n".join(lines)


def _other(value: Any, rng: Random) -> Any:
    """The value with a change somewhere in it."""
    if isinstance(value, dict) and value and rng.random() < 0.85:
        name = rng.choice(list(value))
        match rng.randrange(6):
            case 0:
                return {key: one for key, one in value.items() if key != name}
            case 1:
                return {**value, rng.choice(_NAMES): rng.choice(_STRANGE)}
            case _:
                return {**value, name: _other(value[name], rng)}
    if isinstance(value, list) and value and rng.random() < 0.7:
        place = rng.randrange(len(value))
        return [*value[:place], _other(value[place], rng), *value[place:]]
    return rng.choice(_STRANGE)


def _nested(data: bytes, rng: Random) -> bytes:
    return data.replace(b'""', b"[" * 5_000 if rng.random() < 0.5 else b"[" * 200 + b"]" * 200, 1)


_KINDS: list[Callable[[bytes, Random], bytes]] = [
    _bytes_changed, _broken_off, _missing, _repeated, _lines_changed, _lines_changed, _values_changed, _values_changed,
    _values_changed, _nested,
]  # fmt: skip
