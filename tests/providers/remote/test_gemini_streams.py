"""What comes from Google's Gemini API, as events; however it is cut, and whatever is wrong with it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.answers import cut, read, sse
from support.damaged_streams import outcomes

from models.runtime.faults import StopReason
from models.runtime.values import CalledTool, Turn
from providers.events import Event, Finished, ReasoningDelta, ReasoningRecord, TextDelta, ToolCall, Usage
from providers.remote.catalogue import catalogue
from providers.remote.dialects import dialect
from providers.remote.faults import RemoteFailure, RemoteFault
from providers.remote.values import ChatCall

DIALECT = dialect("gemini")
SERVICE = catalogue()["google"]


def piece(*parts: dict[str, Any], **more: Any) -> dict[str, Any]:
    candidate: dict[str, Any] = {"index": 0}
    if parts:
        candidate["content"] = {"role": "model", "parts": list(parts)}
    if reason := more.pop("finishReason", None):
        candidate["finishReason"] = reason
    if message := more.pop("finishMessage", None):
        candidate["finishMessage"] = message
    return {"candidates": [candidate], "modelVersion": "gemini-3.8-flash", "responseId": "mAita_7Qq-", **more}


PIECES = (
    piece({"text": "**Kiel**", "thought": True}, usageMetadata={"promptTokenCount": 9}),
    piece({"text": "One "}),
    piece({"text": "moment: ☔\u2028"}),
    piece({"text": "", "thoughtSignature": "dGV4dA=="}),
    piece(
        {"functionCall": {"name": "weather", "args": {"city": "Kiel"}}, "thoughtSignature": "c2ln"},
        {"functionCall": {"id": "fc_9", "name": "now"}},
    ),
    piece(
        finishReason="STOP",
        usageMetadata={
            "promptTokenCount": 900,
            "cachedContentTokenCount": 512,
            "candidatesTokenCount": 20,
            "thoughtsTokenCount": 80,
            "totalTokenCount": 1_000,
        },
    ),
)
WHOLE = sse(*PIECES, named=False)
EVENTS: list[Event] = [
    ReasoningDelta("**Kiel**"),
    TextDelta("One "),
    TextDelta("moment: ☔\u2028"),
    ToolCall("call-mAita7Qq-0", "weather", '{"city": "Kiel"}'),
    ToolCall("fc_9", "now", "{}"),
    Usage(prompt_tokens=900, reused_tokens=512, generated_tokens=100, reasoning_tokens=80),
    Finished(StopReason.TOOL_CALLS),
]


def events_of(data: bytes) -> list[Event]:
    return read(DIALECT, SERVICE, [data])


def test_a_whole_answer_becomes_events_in_their_order() -> None:
    events = events_of(WHOLE)
    record = events.pop(5)
    assert events == EVENTS
    assert isinstance(record, ReasoningRecord)


def test_signatures_go_back_in_their_places() -> None:
    events = events_of(WHOLE)
    (record,) = [event.data for event in events if isinstance(event, ReasoningRecord)]
    calls = [event for event in events if isinstance(event, ToolCall)]
    said = "".join(event.text for event in events if isinstance(event, TextDelta))
    answer = Turn(
        "assistant",
        said,
        calls=tuple(CalledTool(call.id, call.name, call.arguments) for call in calls),
        reasoning_record=record,
    )
    results = [Turn("tool", "ok", call_id=call.id) for call in calls]
    made = DIALECT.chat(ChatCall("gemini-3.8-flash", (Turn("user", "Rain?"), answer, *results)), SERVICE)
    assert json.loads(made.body)["contents"][1]["parts"] == [
        {"text": "One moment: ☔\u2028"},
        {"text": "", "thoughtSignature": "dGV4dA=="},
        {"functionCall": {"name": "weather", "args": {"city": "Kiel"}}, "thoughtSignature": "c2ln"},
        {"functionCall": {"id": "fc_9", "name": "now", "args": {}}},
    ]


@given(st.lists(st.integers(0, len(WHOLE)), max_size=12))
def test_it_may_be_cut_anywhere(places: list[int]) -> None:
    assert read(DIALECT, SERVICE, cut(WHOLE, places)) == events_of(WHOLE)


def test_it_may_come_one_byte_at_a_time_and_with_other_ends_of_lines() -> None:
    for data in (WHOLE, WHOLE.replace(b"\n", b"\r\n")):
        assert read(DIALECT, SERVICE, cut(data, range(len(data)))) == events_of(WHOLE)


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        ("STOP", StopReason.STOP),
        ("OTHER", StopReason.STOP),
        ("OF_TOMORROW", StopReason.STOP),
        ("MAX_TOKENS", StopReason.LENGTH),
        ("SAFETY", StopReason.CONTENT_FILTERED),
        ("RECITATION", StopReason.CONTENT_FILTERED),
        ("BLOCKLIST", StopReason.CONTENT_FILTERED),
        ("PROHIBITED_CONTENT", StopReason.CONTENT_FILTERED),
        ("SPII", StopReason.CONTENT_FILTERED),
    ],
)
def test_why_it_ended(told: str, reason: StopReason) -> None:
    events = events_of(sse(piece({"text": "Hi"}), piece(finishReason=told), named=False))
    assert events == [TextDelta("Hi"), Finished(reason)]


@pytest.mark.parametrize(
    "reason", ["MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL", "MISSING_THOUGHT_SIGNATURE"]
)
def test_a_call_that_the_model_got_wrong_is_the_services_mistake(reason: str) -> None:
    with pytest.raises(RemoteFailure) as told:
        events_of(sse(piece(finishReason=reason, finishMessage="print(weather("), named=False))
    assert (told.value.fault, told.value.detail) == (RemoteFault.SERVER_FAILED, "print(weather(")


def test_a_question_that_was_blocked_was_refused() -> None:
    blocked = {
        "promptFeedback": {"blockReason": "PROHIBITED_CONTENT"},
        "usageMetadata": {"promptTokenCount": 9},
    }
    with pytest.raises(RemoteFailure) as told:
        events_of(sse(blocked, named=False))
    assert (told.value.fault, told.value.detail) == (RemoteFault.CONTENT_REFUSED, "PROHIBITED_CONTENT")


ERROR = {"error": {"code": 503, "message": "The model is overloaded.", "status": "UNAVAILABLE"}}


@pytest.mark.parametrize(
    "data",
    [
        sse(ERROR, named=False),
        sse(piece({"text": "Hi"}), ERROR, named=False),
        json.dumps(ERROR).encode(),
        json.dumps(ERROR, indent=2).encode(),
        json.dumps([ERROR], indent=2).encode(),
        b"\n " + json.dumps([piece({"text": "Hi"}), ERROR]).encode(),
    ],
)
@pytest.mark.parametrize("in_bytes", [False, True])
def test_an_error_may_come_in_any_form(data: bytes, in_bytes: bool) -> None:
    with pytest.raises(RemoteFailure) as told:
        read(DIALECT, SERVICE, cut(data, range(len(data))) if in_bytes else [data])
    assert (told.value.fault, told.value.detail) == (RemoteFault.OVERLOADED, "The model is overloaded.")


@pytest.mark.parametrize("data", [b"", b": nothing\n\n", sse(piece({"text": "Hi"}), named=False), b"[]"])
def test_an_answer_that_was_not_said_to_be_over_was_cut_off(data: bytes) -> None:
    with pytest.raises(RemoteFailure) as told:
        events_of(data)
    assert told.value.fault is RemoteFault.CUT_OFF


@pytest.mark.parametrize("data", [b"{", b"[" * 100_000, b"[1,", b'{"a": "\xff"', b"{]"])
def test_json_that_breaks_off_or_is_none_can_not_be_read(data: bytes) -> None:
    with pytest.raises(RemoteFailure) as told:
        events_of(data)
    assert told.value.fault in (RemoteFault.UNREADABLE, RemoteFault.CUT_OFF)


def test_a_thousand_damaged_streams_end_in_an_answer_or_a_known_fault() -> None:
    counts = outcomes(DIALECT, SERVICE, WHOLE)
    print(dict(counts))
    assert counts.total() == 1_000
    assert counts["answered"] > 50 and {RemoteFault.CUT_OFF, RemoteFault.UNREADABLE} <= counts.keys()
