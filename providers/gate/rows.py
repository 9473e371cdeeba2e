"""The rows of the ledger: what is noted of a request, and what never is (its text, its headers, its keys)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from urllib.parse import urlsplit

VERSION = 1
_LONGEST_TEXT = 512
_MOST_COUNTS = 64


@dataclass(frozen=True, slots=True)
class RequestRow:
    """Written before the first byte leaves, or instead of it. Sizes in bytes."""

    id: str
    purpose: str
    method: str
    scheme: str
    host: str
    port: int
    path: str  # without the values of its query: they can hold keys and words
    verdict: str  # "allowed" or "refused"
    rule: str
    provider: str = ""
    model: str = ""
    conversation: str = ""
    hop: int = 0
    via: str = ""  # the proxy, without the account for it
    body_bytes: int = 0
    body_sha256: str = ""
    redacted: Mapping[str, int] = field(default_factory=dict)  # how often what kind of thing was taken out


@dataclass(frozen=True, slots=True)
class EndRow:
    """Written when a request that was allowed is over. A request without one was cut off with its broker."""

    id: str
    outcome: str  # "done", or a `GateFault`
    status: int  # of HTTP; 0 when none came
    bytes_out: int  # request line, headers and body, as they were before encryption
    bytes_in: int
    tokens_in: int | None = None
    tokens_out: int | None = None
    cost: str = ""  # a decimal number, as text: it has one form; "" while it is not known
    currency: str = ""


@dataclass(frozen=True, slots=True)
class TornRow:
    """Between this row and the one before it lie bytes of a row that was never finished."""

    bytes: int
    sha256: str


KINDS: dict[type, str] = {RequestRow: "request", EndRow: "end", TornRow: "torn"}


def to_record(row: RequestRow | EndRow | TornRow, now: datetime | None = None) -> dict[str, object]:
    """The row as a JSON object, with its kind and the time in UTC (ISO 8601, milliseconds)."""
    moment = (now or datetime.now(UTC)).astimezone(UTC)
    time = moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    record = {field.name: _cut(getattr(row, field.name)) for field in fields(row)}
    return {**record, "kind": KINDS[type(row)], "time": time, "v": VERSION}


def path_only(target: str) -> str:
    """The path of a request and the names in its query, without their values."""
    try:
        parts = urlsplit("//host" + target)
    except ValueError:
        return ""
    pairs = [pair for pair in parts.query.split("&") if pair]
    # What has no "=" is a value that stands alone.
    names = [pair.partition("=")[0] if "=" in pair else "…" for pair in pairs]
    return parts.path + ("?" + "&".join(names) if names else "")


def _cut(value: object) -> object:
    if isinstance(value, str):
        return value[:_LONGEST_TEXT]
    if isinstance(value, Mapping):
        return {str(name)[:_LONGEST_TEXT]: count for name, count in list(value.items())[:_MOST_COUNTS]}
    return value
