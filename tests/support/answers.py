"""Answers as services stream them, whole and in pieces, for the tests of the dialects."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

from providers.events import Event
from providers.remote.dialect import Dialect
from providers.remote.values import Service


def sse(*events: Mapping[str, object], named: bool = True) -> bytes:
    """Server-sent events; `named`: with the name that stands in each as its type."""
    texts = []
    for event in events:
        name = f"event: {event['type']}\n" if named and "type" in event else ""
        texts.append(f"{name}data: {json.dumps(event, ensure_ascii=False)}\n\n")
    return "".join(texts).encode()


def json_lines(*objects: Mapping[str, object]) -> bytes:
    return "".join(json.dumps(one, ensure_ascii=False) + "\n" for one in objects).encode()


def cut(data: bytes, places: Iterable[int]) -> list[bytes]:
    """The same bytes, in pieces that end at these places."""
    ends = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    return [data[start:end] for start, end in pairwise(ends)]


def read(dialect: Dialect, service: Service, pieces: Sequence[bytes]) -> list[Event]:
    """All events of an answer. Raises what the reader does."""
    reader = dialect.reader(service)
    events: list[Event] = []
    for piece in pieces:
        events += reader.take(piece)
    events += reader.end()
    return events
