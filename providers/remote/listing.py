"""Lists of models, as services send them: bounded, and without what answers no conversation."""

from __future__ import annotations

import re
from typing import Any

from providers.remote.faults import RemoteFailure, RemoteFault
from providers.remote.frames import items, read_json, text

MOST_MODELS = 5_000
LONGEST_NAME = 200

# Where a list has names only: kinds of models whose names say that they do something else.
_OTHERS = re.compile(
    r"embed|whisper|(^|[-/])tts|dall-e|moderation|(^|-)image(-|$)|gpt-image|realtime|transcri|audio|rerank|guard|"
    r"sora|(^|-)ocr|davinci-002|babbage-002|instruct-0914|veo|imagen|lyria|computer-use",
    re.IGNORECASE,
)


def listed(body: bytes, name: str) -> list[Any]:
    """The entries of a list under this name, or of a bare list; those with an id. Raises `RemoteFailure`."""
    value = read_json(body.decode("utf-8", "replace"))
    found = value if isinstance(value, list) else items(value, name)
    if not isinstance(value, list) and not isinstance(
        value.get(name) if isinstance(value, dict) else None, list
    ):
        raise RemoteFailure(RemoteFault.UNREADABLE, "no list of models")
    return [entry for entry in found[:MOST_MODELS] if text(entry, "id") or text(entry, "name")]


def not_for_chat(name: str) -> bool:
    """Whether a name is that of a model that answers no conversation."""
    return _OTHERS.search(name[:LONGEST_NAME]) is not None


def cut_name(name: str) -> str:
    """A stranger's name for something, as one line that is not too long."""
    return "".join(c if c.isprintable() else " " for c in name)[:LONGEST_NAME]
