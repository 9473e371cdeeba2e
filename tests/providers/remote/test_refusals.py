"""What a service means by a status, a header and a body, whoever wrote them."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.events import Limits
from providers.remote.faults import RemoteFailure, RemoteFault
from providers.remote.refusals import failure_said, limits, refusal, retry_after

NOW = datetime(2026, 11, 26, 12, 0, tzinfo=UTC)


def openai(message: str, code: str = "", kind: str = "") -> bytes:
    return json.dumps({"error": {"message": message, "type": kind, "code": code}}).encode()


INVALID = "invalid_request_error"


def anthropic(kind: str, message: str) -> bytes:
    return json.dumps({"type": "error", "error": {"type": kind, "message": message}}).encode()


def numbered(code: int, message: str, **more: str) -> bytes:
    return json.dumps({"error": {"code": code, "message": message, **more}}).encode()


SAID: list[tuple[int, bytes, RemoteFault]] = [
    (401, openai("Incorrect API key provided", "invalid_api_key"), RemoteFault.KEY_REFUSED),
    (400, numbered(400, "API key not valid.", status="INVALID_ARGUMENT"), RemoteFault.KEY_REFUSED),
    (429, openai("You exceeded your current quota", "insufficient_quota"), RemoteFault.NO_CREDIT),
    (402, b"{}", RemoteFault.NO_CREDIT),
    (400, anthropic(INVALID, "Your credit balance is too low"), RemoteFault.NO_CREDIT),
    (403, b"", RemoteFault.FORBIDDEN),
    (404, openai("The model `x` does not exist", "model_not_found"), RemoteFault.MODEL_UNKNOWN),
    (404, b'{"detail": "Not Found"}', RemoteFault.MODEL_UNKNOWN),
    (404, openai("The model x has been deprecated"), RemoteFault.MODEL_RETIRED),
    (400, openai("This model's maximum context length is 8192 tokens"), RemoteFault.CONTEXT_TOO_LONG),
    (400, numbered(400, "the request exceeds", type="exceed_context_size_error"), RemoteFault.CONTEXT_TOO_LONG),
    (400, anthropic(INVALID, "prompt is too long: 210000 tokens"), RemoteFault.CONTEXT_TOO_LONG),
    (400, openai("", "content_policy_violation"), RemoteFault.CONTENT_REFUSED),
    (400, openai("The image is too large: 25 MB"), RemoteFault.IMAGE_REFUSED),
    (413, b"", RemoteFault.REQUEST_REFUSED),
    (422, b'{"detail": [{"msg": "Field required", "loc": ["body"]}]}', RemoteFault.REQUEST_REFUSED),
    (429, b"", RemoteFault.RATE_LIMITED),
    (503, b"<html><title>503 Service Unavailable</title></html>", RemoteFault.OVERLOADED),
    (529, b'{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}', RemoteFault.OVERLOADED),
    (500, openai("The server had an error"), RemoteFault.SERVER_FAILED),
    (500, openai("invalid api key"), RemoteFault.SERVER_FAILED),
    (502, b"\xff\xfe garbage", RemoteFault.SERVER_FAILED),
    (307, b"", RemoteFault.REDIRECTED),
]  # fmt: skip


@pytest.mark.parametrize(("status", "body", "fault"), SAID)
def test_each_refusal_has_its_kind(status: int, body: bytes, fault: RemoteFault) -> None:
    assert refusal(status, {}, body).fault is fault


def test_a_refusal_tells_in_the_services_own_words_and_no_markup() -> None:
    assert refusal(401, {}, openai("Incorrect key")).detail == "Incorrect key"
    page = refusal(503, {}, b"<html><head><title>Busy\n now</title></head><body><b>x</b></body></html>")
    assert page.detail == "Busy now"
    assert len(refusal(500, {}, b"word " * 10_000).detail) <= 300
    assert refusal(422, {}, b'{"detail": [{"msg": "Field required"}]}').detail == "Field required"


def test_how_long_to_wait_is_told_in_seconds_or_as_a_date_and_never_absurd() -> None:
    assert retry_after({"retry-after": "12"}) == 12.0
    assert retry_after({"retry-after-ms": "1500"}) == 1.5
    assert retry_after({"retry-after": "Thu, 26 Nov 2026 12:00:30 GMT"}, NOW) == 30.0
    assert retry_after({"retry-after": "Thu, 26 Nov 2020 12:00:30 GMT"}, NOW) is None
    assert retry_after({"retry-after": "999999999"}) == 86_400.0
    for strange in ("-5", "soon", "", "nan", "1e9", "\u0665"):
        assert retry_after({"retry-after": strange}, NOW) is None
    limited = refusal(429, {"retry-after": "7"}, b"")
    assert (limited.retry_after, limited.facts) == (7.0, {"retry_after": 7})
    gemini = {"error": {"code": 429, "status": "RESOURCE_EXHAUSTED", "details": [{"retryDelay": "21s"}]}}
    assert refusal(429, {}, json.dumps(gemini).encode()).retry_after == 21.0


def test_an_error_inside_a_stream_has_its_kind_too() -> None:
    assert failure_said({"type": "overloaded_error", "message": "Overloaded"}).fault is RemoteFault.OVERLOADED
    assert failure_said({"code": 429, "message": "slow down"}).fault is RemoteFault.RATE_LIMITED
    assert failure_said({"message": "something"}).fault is RemoteFault.SERVER_FAILED
    assert failure_said("model not found").fault is RemoteFault.MODEL_UNKNOWN


def test_the_limits_in_the_headers_are_read_in_every_form() -> None:
    assert limits({}) is None
    openais = {
        "x-ratelimit-remaining-requests": "59",
        "x-ratelimit-remaining-tokens": "149984",
        "x-ratelimit-reset-requests": "1m30s",
    }
    assert limits(openais, NOW) == Limits(59, 149_984, 90.0)
    anthropics = {
        "anthropic-ratelimit-requests-remaining": "49",
        "anthropic-ratelimit-requests-reset": "2026-11-26T12:00:10Z",
    }
    assert limits(anthropics, NOW) == Limits(49, None, 10.0)
    assert limits({"x-ratelimit-reset-tokens": "12ms"}, NOW) == Limits(None, None, 0.012)
    assert limits({"ratelimit-remaining": "many"}, NOW) is None


@given(
    st.integers(100, 999),
    st.dictionaries(st.sampled_from(["retry-after", "x-ratelimit-reset-tokens"]), st.text()),
    st.binary(),
)
def test_no_answer_whatever_is_in_it_is_more_than_a_refusal(
    status: int, headers: dict[str, str], body: bytes
) -> None:
    assert isinstance(refusal(status, headers, body), RemoteFailure)
    limits(headers)


NAMES = st.sampled_from(["error", "message", "code", "details", "type", "status", "detail"])
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(NAMES, inner),
)


@given(ANYTHING)
def test_no_json_whatever_is_in_it_is_more_than_a_refusal(value: object) -> None:
    assert isinstance(refusal(400, {}, json.dumps(value).encode()), RemoteFailure)
    assert isinstance(failure_said(value), RemoteFailure)
