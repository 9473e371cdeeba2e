"""What comes from Cohere's API, as events; however it is cut, and whatever is wrong with it."""

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

DIALECT = dialect("cohere")
SERVICE = catalogue()["cohere"]

START = {
    "type": "message-start",
    "id": "29f14a5a",
    "delta": {"message": {"role": "assistant", "content": []}},
}


def content(index: int, kind: str, *pieces: str) -> list[dict[str, Any]]:
    def event(name: str, **told: str) -> dict[str, Any]:
        return {"type": name, "index": index, "delta": {"message": {"content": told}}}

    return [
        event("content-start", type=kind, **{kind: ""}),
        *(event("content-delta", **{kind: piece}) for piece in pieces),
        {"type": "content-end", "index": index},
    ]


def plan(text: str) -> dict[str, Any]:
    return {"type": "tool-plan-delta", "delta": {"message": {"tool_plan": text}}}


def tool(index: int, call_id: str, name: str, *arguments: str) -> list[dict[str, Any]]:
    function = {"name": name, "arguments": ""}
    start = {"message": {"tool_calls": {"id": call_id, "type": "function", "function": function}}}
    return [
        {"type": "tool-call-start", "index": index, "delta": start},
        *(
            {
                "type": "tool-call-delta",
                "index": index,
                "delta": {"message": {"tool_calls": {"function": {"arguments": piece}}}},
            }
            for piece in arguments
        ),
        {"type": "tool-call-end", "index": index},
    ]


def ended(reason: str = "COMPLETE", **more: Any) -> dict[str, Any]:
    usage = {
        "billed_units": {"input_tokens": 17, "output_tokens": 20.0},
        "tokens": {"input_tokens": 83, "output_tokens": 22},
        "cached_tokens": 16,
    }
    return {"type": "message-end", "delta": {"finish_reason": reason, "usage": usage, **more}}


WHOLE = (
    sse(
        START,
        *content(0, "thinking", "Kiel is ", "by the sea."),
        plan("I will ask "),
        plan("for the weather."),
        *content(1, "text", "One ", "moment: ☔\u2028"),
        {"type": "citation-start", "index": 0, "delta": {"message": {"citations": {"text": "moment"}}}},
        {"type": "citation-end", "index": 0},
        *tool(0, "weather_1", "weather", '{"city"', ': "Kiel"}'),
        *tool(1, "now_2", "now"),
        ended("TOOL_CALL"),
    )
    + b"data: [DONE]\n\n"
)
EVENTS: list[Event] = [
    ReasoningDelta("Kiel is "),
    ReasoningDelta("by the sea."),
    ReasoningDelta("I will ask "),
    ReasoningDelta("for the weather."),
    TextDelta("One "),
    TextDelta("moment: ☔\u2028"),
    ToolCall("weather_1", "weather", '{"city": "Kiel"}'),
    ToolCall("now_2", "now", "{}"),
    Usage(prompt_tokens=17, reused_tokens=16, generated_tokens=20),
    Finished(StopReason.TOOL_CALLS),
]


def events_of(data: bytes) -> list[Event]:
    return read(DIALECT, SERVICE, [data])


def test_a_whole_answer_becomes_events_in_their_order() -> None:
    events = events_of(WHOLE)
    record = events.pop(8)
    assert events == EVENTS
    assert isinstance(record, ReasoningRecord)


def test_what_led_to_calls_goes_back_with_them() -> None:
    (record,) = [event.data for event in events_of(WHOLE) if isinstance(event, ReasoningRecord)]
    call = CalledTool("weather_1", "weather", '{"city": "Kiel"}')
    turns = (
        Turn("user", "Rain?"),
        Turn("assistant", "One moment", calls=(call,), reasoning_record=record),
        Turn("tool", "ok", call_id="weather_1"),
    )
    said = json.loads(DIALECT.chat(ChatCall("command-a-03-2025", turns), SERVICE).body)["messages"][1]
    assert said["tool_plan"] == "I will ask for the weather."
    assert said["content"] == [
        {"type": "thinking", "thinking": "Kiel is by the sea."},
        {"type": "text", "text": "One moment"},
    ]


def test_thinking_before_an_answer_is_shown_and_not_kept() -> None:
    events = events_of(sse(START, *content(0, "thinking", "Hm."), *content(1, "text", "Hi"), ended()))
    assert [type(event) for event in events] == [ReasoningDelta, TextDelta, Usage, Finished]


@given(st.lists(st.integers(0, len(WHOLE)), max_size=12))
def test_it_may_be_cut_anywhere(places: list[int]) -> None:
    assert read(DIALECT, SERVICE, cut(WHOLE, places)) == events_of(WHOLE)


def test_it_may_come_one_byte_at_a_time() -> None:
    assert read(DIALECT, SERVICE, cut(WHOLE, range(len(WHOLE)))) == events_of(WHOLE)


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        ("COMPLETE", StopReason.STOP),
        ("STOP_SEQUENCE", StopReason.STOP),
        ("OF_TOMORROW", StopReason.STOP),
        ("MAX_TOKENS", StopReason.LENGTH),
        ("TOOL_CALL", StopReason.TOOL_CALLS),
        ("ERROR_TOXIC", StopReason.CONTENT_FILTERED),
    ],
)
def test_why_it_ended(told: str, reason: StopReason) -> None:
    events = events_of(sse(START, *content(0, "text", "Hi"), ended(told)))
    assert events[0] == TextDelta("Hi") and events[-1] == Finished(reason)


@pytest.mark.parametrize(
    ("told", "more", "detail"),
    [("ERROR", {"error": "engine died"}, "engine died"), ("TIMEOUT", {}, "TIMEOUT")],
)
def test_an_answer_that_ends_in_an_error_failed(told: str, more: dict[str, Any], detail: str) -> None:
    with pytest.raises(RemoteFailure) as failed:
        events_of(sse(START, *content(0, "text", "Hi"), ended(told, **more)))
    assert (failed.value.fault, failed.value.detail) == (RemoteFault.SERVER_FAILED, detail)


def test_an_error_where_an_event_should_be_ends_the_answer() -> None:
    with pytest.raises(RemoteFailure) as told:
        events_of(sse(START, {"id": "1", "message": "too many tokens: size limit exceeded by 11326 tokens"}))
    assert told.value.fault is RemoteFault.CONTEXT_TOO_LONG


def test_a_call_that_was_cut_off_by_the_length_is_none() -> None:
    half = tool(0, "weather_1", "weather", '{"city": "Ki')
    events = events_of(sse(START, *half, ended("MAX_TOKENS")))
    assert [type(event) for event in events] == [Usage, Finished]


def test_counts_that_nobody_told_are_no_event() -> None:
    end = {"type": "message-end", "delta": {"finish_reason": "COMPLETE"}}
    assert events_of(sse(START, *content(0, "text", "Hi"), end)) == [
        TextDelta("Hi"),
        Finished(StopReason.STOP),
    ]


@pytest.mark.parametrize("data", [b"", b"data: [DONE]\n\n", sse(START, *content(0, "text", "Hi"))])
def test_an_answer_that_was_not_said_to_be_over_was_cut_off(data: bytes) -> None:
    with pytest.raises(RemoteFailure) as told:
        events_of(data)
    assert told.value.fault is RemoteFault.CUT_OFF


def test_a_thousand_damaged_streams_end_in_an_answer_or_a_known_fault() -> None:
    counts = outcomes(DIALECT, SERVICE, WHOLE)
    print(dict(counts))
    assert counts.total() == 1_000
    assert counts["answered"] > 50 and {RemoteFault.CUT_OFF, RemoteFault.UNREADABLE} <= counts.keys()
