"""What a service means when it does not answer: status, headers and body as a `RemoteFault`, whatever its dialect.

Services differ in how they say the same; their words are looked at where their codes don't tell. Nobody's words are
taken for more than that: they choose one of our own sentences, and are shown as what the service said.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from providers.events import Limits
from providers.remote.faults import RemoteFailure, RemoteFault
from providers.remote.frames import at, read_json, table, text

MOST_ERROR_BYTES = 256 * 1024
_LONGEST_WAIT = 24 * 3600.0
_LONGEST_DETAIL = 300

# In this order: what stands first is said in the words of what stands below, too.
_WORDS: tuple[tuple[RemoteFault, str], ...] = (
    (RemoteFault.NO_CREDIT, r"insufficient_quota|insufficient.{0,20}(balance|credit|fund)|credit balance is too low|"
     r"billing_(hard_limit|not_active)|exceeded your current quota|out of credits|payment required|spending limit"),
    (RemoteFault.CONTEXT_TOO_LONG, r"context_length_exceeded|exceed_context_size|maximum context length|"
     r"context (window|length|size).{0,40}(exceed|limit|long)|prompt is too long|too many tokens|"
     r"(input|request).{0,40}(token count|tokens).{0,40}exceed|exceeds? the.{0,40}(context|token)|"
     r"string_above_max_length|input is too long|reduce the length"),
    (RemoteFault.KEY_REFUSED, r"invalid_api_key|incorrect api key|api key (not valid|expired)|invalid (x-)?api.key|"
     r"authentication_error|no auth credentials|invalid authentication|unauthorized|api_key_invalid"),
    (RemoteFault.MODEL_RETIRED, r"model_(deprecated|decommissioned|retired)|"
     r"(has been|is) (deprecated|decommissioned|retired)|no longer (available|supported)|was (retired|removed)"),
    (RemoteFault.MODEL_UNKNOWN, r"model_not_found|model_not_exist|model not exist|no such model|unknown model|"
     r"model.{0,120}(not found|does not exist|not exist|is not a valid model)|not a valid model|invalid model"),
    (RemoteFault.IMAGE_REFUSED, r"image.{0,80}(too large|exceed|unsupported|not supported|invalid|could not|size|"
     r"format)|invalid_image|image_parse_error|unsupported.{0,40}(image|media type)|image input|"
     r"(does not|doesn't|cannot|can't) (support|accept|process).{0,40}(image|vision)"),
    (RemoteFault.CONTENT_REFUSED, r"content_(policy|filter)|content management policy|moderation|flagged|"
     r"safety system|prohibited_content|responsible.?ai"),
    (RemoteFault.OVERLOADED, r"overloaded|engine_overloaded|server is (busy|overloaded)|at capacity|high demand"),
    (RemoteFault.RATE_LIMITED, r"rate.?limit|too many requests|resource_exhausted|quota exceeded"),
)  # fmt: skip
_COMPILED = tuple((fault, re.compile(words, re.IGNORECASE | re.DOTALL)) for fault, words in _WORDS)
# What words may say under which status: a server's own mistake stays one, whatever its page says.
_SAID_AT_400 = frozenset(fault for fault, _ in _WORDS)
_SAID_AT_401 = frozenset({RemoteFault.NO_CREDIT, RemoteFault.MODEL_UNKNOWN})
_SAID_AT_403 = frozenset({
    RemoteFault.NO_CREDIT, RemoteFault.KEY_REFUSED, RemoteFault.CONTENT_REFUSED, RemoteFault.MODEL_UNKNOWN,
})  # fmt: skip
_SAID_AT_404 = frozenset({RemoteFault.MODEL_RETIRED, RemoteFault.IMAGE_REFUSED})
_SAID_AT_413 = frozenset({RemoteFault.CONTEXT_TOO_LONG, RemoteFault.IMAGE_REFUSED, RemoteFault.RATE_LIMITED})
_SAID_AT_429 = frozenset({RemoteFault.NO_CREDIT, RemoteFault.OVERLOADED})
_SAID_AT_500 = frozenset({RemoteFault.OVERLOADED, RemoteFault.CONTEXT_TOO_LONG})

_BY_STATUS: dict[int, tuple[RemoteFault, frozenset[RemoteFault]]] = {
    401: (RemoteFault.KEY_REFUSED, _SAID_AT_401),
    402: (RemoteFault.NO_CREDIT, frozenset()),
    403: (RemoteFault.FORBIDDEN, _SAID_AT_403),
    404: (RemoteFault.MODEL_UNKNOWN, _SAID_AT_404),
    408: (RemoteFault.OVERLOADED, frozenset()),
    410: (RemoteFault.MODEL_RETIRED, frozenset()),
    413: (RemoteFault.REQUEST_REFUSED, _SAID_AT_413),
    429: (RemoteFault.RATE_LIMITED, _SAID_AT_429),
    451: (RemoteFault.FORBIDDEN, frozenset()),
    503: (RemoteFault.OVERLOADED, frozenset()),
    529: (RemoteFault.OVERLOADED, frozenset()),
}


def refusal(status: int, headers: Mapping[str, str], body: bytes) -> RemoteFailure:
    """What a status other than 200 means. Header names in lower case; the body may be anything."""
    said = _said(body)
    detail = _detail(said, body)
    if 300 <= status < 400:
        return RemoteFailure(RemoteFault.REDIRECTED, detail)
    usual = RemoteFault.SERVER_FAILED if status >= 500 else RemoteFault.REQUEST_REFUSED
    may_say = _SAID_AT_500 if status >= 500 else _SAID_AT_400
    fault, may = _BY_STATUS.get(status, (usual, may_say))
    return _with_wait(by_words(_codes(said) + " " + detail, fault, may), detail, headers, said)


def failure_said(error: object, fault: RemoteFault = RemoteFault.SERVER_FAILED) -> RemoteFailure:
    """What an error object inside a stream means. `fault`: when its words don't tell."""
    status = at(error, "code") if isinstance(at(error, "code"), int) else at(error, "status")
    if isinstance(status, int) and not isinstance(status, bool) and 400 <= status < 600:
        return refusal(status, {}, json.dumps({"error": error}, default=str).encode())
    detail = _words_of(error)
    return _with_wait(by_words(_codes(error) + " " + detail, fault), detail, {}, error)


def by_words(said: str, fault: RemoteFault, may: frozenset[RemoteFault] = _SAID_AT_400) -> RemoteFault:
    """The fault that the words say, among those that they `may` say here; `fault` if they say none."""
    cut = said[:4000]
    return next((found for found, words in _COMPILED if found in may and words.search(cut)), fault)


def retry_after(headers: Mapping[str, str], now: datetime | None = None) -> float | None:
    """Seconds after which a service may be asked again (RFC 9110, 10.2.3), up to a day; None if it does not say."""
    for name, unit in (("retry-after-ms", 1000.0), ("retry-after", 1.0)):
        value = headers.get(name, "").strip()
        if re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", value):
            return min(float(value) / unit, _LONGEST_WAIT)
        if value and unit == 1.0:
            try:
                moment = parsedate_to_datetime(value)
            except (ValueError, TypeError, IndexError, OverflowError):
                return None
            moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
            seconds = (moment - (now or datetime.now(UTC))).total_seconds()
            return min(seconds, _LONGEST_WAIT) if seconds > 0 else None
    return None


def limits(headers: Mapping[str, str], now: datetime | None = None) -> Limits | None:
    """What the headers of an answer say may still be asked; None if they say nothing."""
    requests = _first_count(
        headers, (*_names("remaining", "requests"), "ratelimit-remaining", "x-ratelimit-remaining")
    )
    tokens = _first_count(headers, _names("remaining", "tokens"))
    resets = next(
        (
            seconds
            for name in (
                *_names("reset", "requests"),
                *_names("reset", "tokens"),
                "ratelimit-reset",
                "x-ratelimit-reset",
            )
            if (seconds := _span(headers.get(name, ""), now or datetime.now(UTC))) is not None
        ),
        None,
    )
    if requests is None and tokens is None and resets is None:
        return None
    return Limits(requests, tokens, resets)


def _names(what: str, of: str) -> tuple[str, ...]:
    return (f"x-ratelimit-{what}-{of}", f"anthropic-ratelimit-{of}-{what}", f"x-ratelimit-{of}-{what}")


def _first_count(headers: Mapping[str, str], names: tuple[str, ...]) -> int | None:
    for name in names:
        value = headers.get(name, "")
        if re.fullmatch(r"[0-9]{1,15}", value):
            return int(value)
    return None


def _span(value: str, now: datetime) -> float | None:
    """Seconds: "1.5", "12ms", "6m0s", "1h2m", or a moment in ISO 8601 or in seconds since 1970."""
    value = value.strip()
    if re.fullmatch(r"[0-9]{1,13}(\.[0-9]{1,9})?", value):
        number = float(value)
        number = number / 1000 if number > 1e11 else number
        return max(0.0, number - now.timestamp()) if number > 1e9 else min(number, _LONGEST_WAIT)
    if found := re.fullmatch(
        r"(?:([0-9]{1,5})h)?(?:([0-9]{1,5})m)?(?:([0-9]{1,6}(?:\.[0-9]{1,9})?)s)?(?:([0-9]{1,9})ms)?", value
    ):
        if any(found.groups()):
            hours, minutes, seconds, milliseconds = (float(part or 0) for part in found.groups())
            return min(hours * 3600 + minutes * 60 + seconds + milliseconds / 1000, _LONGEST_WAIT)
        return None
    try:
        moment = datetime.fromisoformat(value.replace("Z", "+00:00"))
    except ValueError:
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0.0, min((moment - now).total_seconds(), _LONGEST_WAIT))


def _said(body: bytes) -> object:
    """The error in a body: an object, whatever the service wraps it in; the body's text when it is no JSON."""
    cut = body[:MOST_ERROR_BYTES].decode("utf-8", "replace")
    try:
        value = read_json(cut)
    except RemoteFailure:
        return cut
    if isinstance(value, list) and value:  # Gemini's
        value = value[0]
    error = at(value, "error")
    return error if isinstance(error, dict | str) and error else value


def _words_of(said: object) -> str:
    """What a person would read of an error."""
    if isinstance(said, str):
        return said
    for name in ("message", "detail", "error", "msg", "title"):
        found = at(said, name)
        if isinstance(found, str) and found:
            return found
        if isinstance(found, list) and found:  # FastAPI's
            return text(found, 0, "msg") or text(found, 0)
        if isinstance(found, dict) and text(found, "message"):
            return text(found, "message")
    return ""


def _codes(said: object) -> str:
    """The names that a service has for what went wrong."""
    if not isinstance(said, dict):
        return ""
    named = [text(said, name) for name in ("type", "code", "status", "param", "reason")]
    reasons = (
        [text(detail, "reason") for detail in said.get("details", [])[:5]]
        if isinstance(said.get("details"), list)
        else []
    )
    inner = [text(table(said, "innererror"), "code")]
    return " ".join(part[:200] for part in (*named, *reasons, *inner) if part)


def _detail(said: object, body: bytes) -> str:
    words = _words_of(said)
    if not words:
        words = body[:2000].decode("utf-8", "replace") if not isinstance(said, dict | list) else ""
    if "<" in words and re.search(r"<(!doctype|html|head|body|title)", words[:2000], re.IGNORECASE):
        title = re.search(r"<title[^>]{0,200}>([^<]{1,200})", words[:4000], re.IGNORECASE)
        words = title[1] if title else ""  # a page made for a browser
    return " ".join("".join(c if c.isprintable() else " " for c in words[:2000]).split())[:_LONGEST_DETAIL]


def _with_wait(fault: RemoteFault, detail: str, headers: Mapping[str, str], said: object) -> RemoteFailure:
    wait = retry_after(headers)
    if wait is None and fault in (RemoteFault.RATE_LIMITED, RemoteFault.OVERLOADED):
        wait = _wait_in(said)
    facts: dict[str, int | str] = {}
    if wait is not None and fault in (RemoteFault.RATE_LIMITED, RemoteFault.OVERLOADED):
        facts["retry_after"] = max(1, round(wait))
    return RemoteFailure(fault, detail, facts, wait)


def _wait_in(said: object) -> float | None:
    """Gemini says in the body how long to wait: `google.rpc.RetryInfo`."""
    details = at(said, "details")
    for detail in details[:10] if isinstance(details, list) else []:
        if found := re.fullmatch(r"([0-9]{1,6}(?:\.[0-9]{1,9})?)s", text(detail, "retryDelay")):
            return min(float(found[1]), _LONGEST_WAIT)
    return None
