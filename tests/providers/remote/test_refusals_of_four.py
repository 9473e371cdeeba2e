"""What each service answers when it does not answer: status and body as documented or seen, and the fault they mean."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.remote.dialects import dialect
from providers.remote.faults import RemoteFailure
from providers.remote.faults import RemoteFault as F

Row = tuple[int, str, F]


def anthropic(status: int, kind: str, message: str, fault: F) -> Row:
    error = {
        "type": "error",
        "error": {"type": kind, "message": message},
        "request_id": "req_011CSHoEeqs5C35K2UUq",
    }
    return status, json.dumps(error), fault


INVALID = "invalid_request_error"
ANTHROPIC = [
    anthropic(400, INVALID, "max_tokens: Field required", F.REQUEST_REFUSED),
    anthropic(400, INVALID, "prompt is too long: 216391 tokens > 200000 maximum", F.CONTEXT_TOO_LONG),
    anthropic(
        400,
        INVALID,
        "input length and `max_tokens` exceed context limit: 190000 + 32000 > 200000, decrease input length",
        F.CONTEXT_TOO_LONG,
    ),
    anthropic(
        400,
        INVALID,
        "Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing to upgrade or "
        "purchase credits.",
        F.NO_CREDIT,
    ),
    anthropic(
        400,
        INVALID,
        "You have reached your specified API usage limits. You will regain access on 2026-12-01 at 00:00 UTC.",
        F.NO_CREDIT,
    ),
    anthropic(
        400, INVALID, "messages.0.content.0.image.source.base64: Could not process image", F.IMAGE_REFUSED
    ),
    anthropic(400, INVALID, "image exceeds 5 MB maximum: 6291456 bytes > 5242880 bytes", F.IMAGE_REFUSED),
    anthropic(400, INVALID, "Output blocked by content filtering policy", F.CONTENT_REFUSED),
    anthropic(400, INVALID, "This organization has been disabled.", F.FORBIDDEN),
    anthropic(401, "authentication_error", "invalid x-api-key", F.KEY_REFUSED),
    anthropic(402, "billing_error", "There is an issue with your billing.", F.NO_CREDIT),
    anthropic(403, "permission_error", "Your API key does not have permission to use this.", F.FORBIDDEN),
    anthropic(404, "not_found_error", "model: claude-opus-9", F.MODEL_UNKNOWN),
    anthropic(413, "request_too_large", "Request exceeds the maximum size", F.CONTEXT_TOO_LONG),
    anthropic(429, "rate_limit_error", "This request would exceed your rate limit", F.RATE_LIMITED),
    anthropic(500, "api_error", "Internal server error", F.SERVER_FAILED),
    anthropic(504, "timeout_error", "Request timed out", F.SERVER_FAILED),
    anthropic(529, "overloaded_error", "Overloaded", F.OVERLOADED),
    (502, "<html>Bad gateway</html>", F.SERVER_FAILED),
    (503, "", F.OVERLOADED),
]


def google(status: int, name: str, message: str, fault: F, *details: dict[str, object]) -> Row:
    error = {"code": status, "message": message, "status": name, "details": list(details)}
    return status, json.dumps({"error": error}), fault


def reason(name: str) -> dict[str, object]:
    kind = "type.googleapis.com/google.rpc.ErrorInfo"
    return {"@type": kind, "reason": name, "domain": "googleapis.com"}


def quota(quota_id: str, value: str = "10") -> dict[str, object]:
    violation = {"quotaMetric": "requests", "quotaId": quota_id, "quotaValue": value}
    return {"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": [violation]}


def retry(delay: str) -> dict[str, object]:
    return {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": delay}


QUOTA = "You exceeded your current quota, please check your plan and billing details."
BAD = "INVALID_ARGUMENT"
GEMINI = [
    google(
        400, BAD, "API key not valid. Please pass a valid API key.", F.KEY_REFUSED, reason("API_KEY_INVALID")
    ),
    google(400, BAD, "API key expired. Please renew the API key.", F.KEY_REFUSED),
    google(400, BAD, "Request contains an invalid argument.", F.REQUEST_REFUSED),
    google(
        400,
        BAD,
        "The input token count (1200293) exceeds the maximum number of tokens allowed (1048576).",
        F.CONTEXT_TOO_LONG,
    ),
    google(400, BAD, "Unable to process input image. Please retry or report.", F.IMAGE_REFUSED),
    google(400, BAD, "Image input modality is not enabled for models/gemma-3-1b-it", F.IMAGE_REFUSED),
    google(400, "FAILED_PRECONDITION", "User location is not supported for the API use.", F.FORBIDDEN),
    google(
        400,
        "FAILED_PRECONDITION",
        "Gemini API free tier is not available in your country. Please enable billing on your project.",
        F.NO_CREDIT,
    ),
    google(402, "RESOURCE_EXHAUSTED", "Your prepayment credits are depleted.", F.NO_CREDIT),
    google(401, "UNAUTHENTICATED", "Request had invalid authentication credentials.", F.KEY_REFUSED),
    google(403, "PERMISSION_DENIED", "Your API key was reported as leaked.", F.KEY_REFUSED),
    google(403, "PERMISSION_DENIED", "The caller does not have permission", F.FORBIDDEN),
    google(
        403,
        "PERMISSION_DENIED",
        "Generative Language API has not been used in project 1 before or it is disabled.",
        F.FORBIDDEN,
        reason("SERVICE_DISABLED"),
    ),
    google(
        404,
        "NOT_FOUND",
        "models/gemini-9 is not found for API version v1beta, or is not supported for generateContent.",
        F.MODEL_UNKNOWN,
    ),
    google(
        404,
        "NOT_FOUND",
        "This model models/gemini-1.0-pro is no longer available. Please use a newer model.",
        F.MODEL_RETIRED,
    ),
    google(
        429, "RESOURCE_EXHAUSTED", QUOTA, F.RATE_LIMITED, quota("RequestsPerMinute-FreeTier"), retry("12s")
    ),
    google(429, "RESOURCE_EXHAUSTED", QUOTA, F.RATE_LIMITED, quota("RequestsPerDay-FreeTier"), retry("12s")),
    google(
        429, "RESOURCE_EXHAUSTED", QUOTA, F.NO_CREDIT, quota("RequestsPerDay-FreeTier", "0"), retry("12s")
    ),
    google(429, "RESOURCE_EXHAUSTED", "Resource has been exhausted (e.g. check quota).", F.RATE_LIMITED),
    google(429, "RESOURCE_EXHAUSTED", "Your prepayment credits are depleted.", F.NO_CREDIT),
    google(500, "INTERNAL", "An internal error has occurred.", F.SERVER_FAILED),
    google(503, "UNAVAILABLE", "The model is overloaded. Please try again later.", F.OVERLOADED),
    google(504, "DEADLINE_EXCEEDED", "The service is unable to finish within the deadline.", F.SERVER_FAILED),
    (400, "[" + google(400, BAD, "API key not valid.", F.KEY_REFUSED)[1] + "]", F.KEY_REFUSED),
    (502, "<html>Bad gateway</html>", F.SERVER_FAILED),
]


def cohere(status: int, message: str, fault: F) -> Row:
    return status, json.dumps({"id": "7f3e", "message": message}), fault


COHERE = [
    cohere(400, "invalid request: message must be at least 1 token long", F.REQUEST_REFUSED),
    cohere(
        400,
        "too many tokens: total number of tokens in the prompt cannot exceed 4081 - received 4292.",
        F.CONTEXT_TOO_LONG,
    ),
    cohere(400, "model 'command-r' does not support image inputs", F.IMAGE_REFUSED),
    cohere(401, "invalid api token", F.KEY_REFUSED),
    cohere(401, "Your API key has expired.", F.KEY_REFUSED),
    cohere(402, "Please add or update your payment method to continue", F.NO_CREDIT),
    cohere(403, "not allowed", F.FORBIDDEN),
    cohere(404, "model 'xyz' not found, make sure the correct model ID was used", F.MODEL_UNKNOWN),
    cohere(404, "model 'command-light' was removed on September 15, 2025.", F.MODEL_RETIRED),
    cohere(422, "unsupported value for response_format", F.REQUEST_REFUSED),
    cohere(429, "You are using a Trial key, which is limited to 40 API calls / minute.", F.RATE_LIMITED),
    cohere(
        429, "You are past the per minute request limit, please wait and try again later.", F.RATE_LIMITED
    ),
    cohere(498, "invalid token", F.KEY_REFUSED),
    cohere(499, "request cancelled", F.SERVER_FAILED),
    cohere(500, "internal server error, this has been reported to our developers", F.SERVER_FAILED),
    cohere(503, "service unavailable", F.OVERLOADED),
    cohere(504, "gateway timeout", F.SERVER_FAILED),
]


def ollama(status: int, message: str, fault: F) -> Row:
    return status, json.dumps({"error": message}), fault


OLLAMA = [
    ollama(404, "model 'qwen9' not found", F.MODEL_UNKNOWN),
    ollama(404, 'model "qwen9" not found, try pulling it first', F.MODEL_UNKNOWN),
    ollama(400, '"llama3:8b" does not support thinking', F.REQUEST_REFUSED),
    ollama(400, "gemma:2b does not support tools", F.REQUEST_REFUSED),
    ollama(400, '"nomic-embed-text" does not support chat', F.REQUEST_REFUSED),
    ollama(400, "the input length exceeds the context length", F.CONTEXT_TOO_LONG),
    ollama(400, "the prompt is longer than the context length currently available", F.CONTEXT_TOO_LONG),
    ollama(400, '"llama3:8b" does not support vision', F.IMAGE_REFUSED),
    ollama(500, "this model is missing data required for image input", F.IMAGE_REFUSED),
    ollama(400, "this model only supports one image while more than one image requested", F.IMAGE_REFUSED),
    ollama(401, "unauthorized", F.KEY_REFUSED),
    ollama(403, "remote inference is unavailable", F.FORBIDDEN),
    ollama(429, "too many concurrent requests", F.RATE_LIMITED),
    ollama(500, "model requires more system memory (9.6 GiB) than is available (4.1 GiB)", F.SERVER_FAILED),
    ollama(500, "llama runner process has terminated: exit status 2", F.SERVER_FAILED),
    ollama(503, "server busy, please try again.  maximum pending requests exceeded", F.OVERLOADED),
    (404, "404 page not found", F.REQUEST_REFUSED),
    (502, "<html>Bad gateway</html>", F.SERVER_FAILED),
]

TABLES = {"anthropic": ANTHROPIC, "gemini": GEMINI, "cohere": COHERE, "ollama": OLLAMA}
ROWS = [(name, *row) for name, rows in TABLES.items() for row in rows]


@pytest.mark.parametrize(("name", "status", "body", "fault"), ROWS)
def test_what_a_refusal_means(name: str, status: int, body: str, fault: F) -> None:
    failure = dialect(name).failure(status, {}, body.encode())
    assert failure.fault is fault
    assert len(failure.detail) <= 300


def test_what_the_service_said_is_kept_as_it_said_it() -> None:
    for name, (status, body, _) in {name: rows[0] for name, rows in TABLES.items()}.items():
        detail = dialect(name).failure(status, {}, body.encode()).detail
        assert detail and detail in body.replace('\\"', '"'), name


@pytest.mark.parametrize("name", TABLES)
def test_how_long_to_wait_is_told_when_the_service_told_it(name: str) -> None:
    assert dialect(name).failure(429, {"retry-after": "7"}, b"{}").retry_after == 7.0
    assert dialect(name).failure(429, {}, b"{}").retry_after is None


def test_google_says_it_in_the_body() -> None:
    def told(*details: dict[str, object]) -> RemoteFailure:
        body = google(429, "RESOURCE_EXHAUSTED", QUOTA, F.RATE_LIMITED, *details)[1]
        return dialect("gemini").failure(429, {}, body.encode())

    assert told(retry("12s")).retry_after == 12.0
    assert told(retry("20.04466179s")).retry_after == pytest.approx(20.04466179)
    for nonsense in ("soon", "-3s", "nans", "infs", "1e999s", "12"):
        assert told(retry(nonsense)).retry_after is None, nonsense
    # A day's worth is not there again after seconds, whatever is said.
    assert told(quota("RequestsPerDay-FreeTier"), retry("12s")).retry_after is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                ["error", "message", "type", "status", "details", "@type", "violations", "retryDelay", "x"]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=20,
)


@pytest.mark.parametrize("name", TABLES)
@given(
    status=st.integers(100, 999),
    body=st.binary(max_size=200) | JSON.map(lambda one: json.dumps(one).encode()),
)
def test_no_body_is_too_strange(name: str, status: int, body: bytes) -> None:
    failure = dialect(name).failure(status, {"retry-after": "\x00"}, body)
    assert failure.fault in F and len(failure.detail) <= 300
