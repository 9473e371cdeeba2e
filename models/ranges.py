"""Parts of files over HTTP (RFC 9110, section 14)."""

from __future__ import annotations

import re
from dataclasses import dataclass

_CONTENT_RANGE = re.compile(r"bytes ([0-9]{1,18})-([0-9]{1,18})/([0-9]{1,18})")


@dataclass(frozen=True, slots=True)
class Part:
    """Bytes `first` to `last` of a file of `size` bytes."""

    first: int
    last: int
    size: int


def content_range(value: str) -> Part | None:
    """What a `Content-Range` says; None when it is malformed, or the size is not given."""
    match = _CONTENT_RANGE.fullmatch(value.strip())
    if match is None:
        return None
    part = Part(int(match[1]), int(match[2]), int(match[3]))
    return part if part.first <= part.last < part.size else None


def strong(etag: str) -> str:
    """An ETag that may go into `If-Range`; "" for a weak or malformed one (RFC 9110, 13.1.5)."""
    return etag if re.fullmatch(r'"[!#-~]{1,256}"', etag) else ""
