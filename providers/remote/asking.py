"""What requests are made of, whatever the dialect: a JSON body, images, tools, and calls that have their results."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping
from dataclasses import replace

from models.runtime.picture import media_type
from models.runtime.values import CalledTool, Image, Tool, Turn
from providers.remote.faults import RemoteFailure, RemoteFault
from providers.remote.frames import is_deeper, read_json
from providers.remote.values import HttpCall

MOST_DEPTH = 100
"""Of objects in objects. What is written into a request can be written out of it again."""


def posted(path: str, body: Mapping[str, object], headers: Mapping[str, str] | None = None) -> HttpCall:
    """A POST of JSON. Half a surrogate pair, which UTF-8 has no form for, becomes a question mark."""
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    return HttpCall(
        "POST", path, {"content-type": "application/json", **(headers or {})}, text.encode("utf-8", "replace")
    )


def unsupported(what: str) -> RemoteFailure:
    """What is raised, before anything leaves, for something that a service can't be asked for."""
    return RemoteFailure(RemoteFault.UNSUPPORTED, facts={"what": what})


def type_of(image: Image) -> str:
    """ "image/png" or "image/jpeg", by the file's first bytes. Raises `RemoteFailure` (UNSUPPORTED)."""
    found = media_type(image.data)
    if not found:
        raise unsupported("images")
    return found


def base64_of(image: Image) -> str:
    return base64.b64encode(image.data).decode("ascii")


def object_of(text: str) -> dict[str, object] | None:
    """The JSON object that a text is; None for anything else, and for one nested deeper than `MOST_DEPTH`."""
    try:
        value = read_json(text)
    except RemoteFailure:
        return None
    return value if isinstance(value, dict) and not is_deep(value) else None


def is_deep(value: dict[str, object]) -> bool:
    """Whether there are objects in it deeper than `MOST_DEPTH`."""
    return is_deeper(value, MOST_DEPTH)


def schema_of(text: str) -> dict[str, object]:
    """The JSON schema of a constraint. Raises `RemoteFailure` (UNSUPPORTED) for what is no object."""
    found = object_of(text)
    if found is None:
        raise unsupported("schema")
    return found


def parameters_of(tool: Tool) -> dict[str, object]:
    """What a tool takes, as a JSON schema of an object. Raises `RemoteFailure` (UNSUPPORTED)."""
    found = object_of(tool.parameters or '{"type":"object","properties":{}}')
    if found is None:
        raise unsupported("tools")
    return found


def arguments_of(call: CalledTool) -> dict[str, object]:
    """What a model gave to a tool; nothing where that was no JSON object: no service takes such a call back."""
    return object_of(call.arguments) or {}


def instructions(turns: Iterable[Turn]) -> str:
    """All system turns as one text, for services that take them beside the conversation."""
    return "\n\n".join(turn.text.strip() for turn in turns if turn.role == "system" and turn.text.strip())


def paired(turns: Iterable[Turn]) -> tuple[Turn, ...]:
    """The turns with calls that have their results, and results that have their calls: services refuse any other.

    Left out as well: what has nothing in it.
    """
    given = tuple(turns)
    kept: list[Turn] = []
    asked: set[str] = set()
    for place, turn in enumerate(given):
        if turn.role == "tool":
            if turn.call_id in asked:
                asked.remove(turn.call_id)
                kept.append(turn)
            continue
        results = _results_after(given, place)
        answered = {call.id: call for call in turn.calls if call.id in results}
        calls = tuple(answered.values())
        asked = set(answered)
        if calls or turn.images or turn.text.strip():
            kept.append(replace(turn, calls=calls))
    return tuple(kept)


def _results_after(turns: tuple[Turn, ...], place: int) -> frozenset[str]:
    found = set()
    for turn in turns[place + 1 :]:
        if turn.role != "tool":
            break
        found.add(turn.call_id)
    return frozenset(found)
