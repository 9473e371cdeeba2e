"""What comes from Anthropic's API, as events; however it is cut, and whatever is wrong with it."""

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

DIALECT = dialect("anthropic")
SERVICE = catalogue()["anthropic"]


def begun(**usage: Any) -> dict[str, Any]:
    message: dict[str, Any] = {
        "id": "msg_01",
        "type": "message",
        "role": "assistant",
        "model": "claude-opus-5",
        "content": [],
        "stop_reason": None,
        "usage": {"input_tokens": 25, "output_tokens": 1, **usage},
    }
    return {"type": "message_start", "message": message}


def block(index: int, start: dict[str, Any], *deltas: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {"type": "content_block_start", "index": index, "content_block": start},
        *({"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas),
        {"type": "content_block_stop", "index": index},
    ]


def text(index: int, *pieces: str) -> list[dict[str, Any]]:
    return block(
        index, {"type": "text", "text": ""}, *({"type": "text_delta", "text": piece} for piece in pieces)
    )


def ended(reason: str = "end_turn", **usage: Any) -> list[dict[str, Any]]:
    return [
        {
            "type": "message_delta",
            "delta": {"stop_reason": reason, "stop_sequence": None},
            "usage": {"output_tokens": 89, **usage},
        },
        {"type": "message_stop"},
    ]


WHOLE = sse(
    begun(cache_creation_input_tokens=100, cache_read_input_tokens=2_000),
    {"type": "ping"},
    *block(
        0,
        {"type": "thinking", "thinking": "", "signature": ""},
        {"type": "thinking_delta", "thinking": "Kiel is "},
        {"type": "thinking_delta", "thinking": "by the sea."},
        {"type": "signature_delta", "signature": "EqQBCgIYAhIM1gbcDa9GJwZA2b3hGgxBdjrkzLoky3dl1pk="},
    ),
    *text(1, "One ", "moment: ☔\u2028"),
    *block(2, {"type": "redacted_thinking", "data": "EmwKAhgBEgy3va3pzix/LafPsn4a"}),
    *block(
        3,
        {"type": "tool_use", "id": "toolu_01", "name": "weather", "input": {}},
        {"type": "input_json_delta", "partial_json": ""},
        {"type": "input_json_delta", "partial_json": '{"city": "Ki'},
        {"type": "input_json_delta", "partial_json": 'el"}'},
    ),
    *block(4, {"type": "tool_use", "id": "toolu_02", "name": "now", "input": {}}),
    {"type": "content_block_start", "index": 5, "content_block": {"type": "of_tomorrow", "x": [1]}},
    {"type": "of_tomorrow"},
    *ended("tool_use", output_tokens_details={"thinking_tokens": 40}),
)
EVENTS: list[Event] = [
    ReasoningDelta("Kiel is "),
    ReasoningDelta("by the sea."),
    TextDelta("One "),
    TextDelta("moment: ☔\u2028"),
    ToolCall("toolu_01", "weather", '{"city": "Kiel"}'),
    ToolCall("toolu_02", "now", "{}"),
    Usage(
        prompt_tokens=2_125,
        reused_tokens=2_000,
        cache_write_tokens=100,
        generated_tokens=89,
        reasoning_tokens=40,
    ),
    Finished(StopReason.TOOL_CALLS),
]


def events_of(data: bytes) -> list[Event]:
    return read(DIALECT, SERVICE, [data])


def test_a_whole_answer_becomes_events_in_their_order() -> None:
    events = events_of(WHOLE)
    record = events.pop(6)
    assert events == EVENTS
    assert isinstance(record, ReasoningRecord)
    assert json.loads(record.data)["model"] == "claude-opus-5"


def test_what_was_thought_goes_back_unchanged_in_its_place() -> None:
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
    made = DIALECT.chat(ChatCall("claude-opus-5", (Turn("user", "Rain?"), answer, *results)), SERVICE)
    assert json.loads(made.body)["messages"][1]["content"] == [
        {
            "type": "thinking",
            "thinking": "Kiel is by the sea.",
            "signature": "EqQBCgIYAhIM1gbcDa9GJwZA2b3hGgxBdjrkzLoky3dl1pk=",
        },
        {"type": "text", "text": "One moment: ☔\u2028"},
        {"type": "redacted_thinking", "data": "EmwKAhgBEgy3va3pzix/LafPsn4a"},
        {"type": "tool_use", "id": "toolu_01", "name": "weather", "input": {"city": "Kiel"}},
        {"type": "tool_use", "id": "toolu_02", "name": "now", "input": {}},
    ]


@given(st.lists(st.integers(0, len(WHOLE)), max_size=12))
def test_it_may_be_cut_anywhere(places: list[int]) -> None:
    assert read(DIALECT, SERVICE, cut(WHOLE, places)) == events_of(WHOLE)


def test_it_may_come_one_byte_at_a_time() -> None:
    assert read(DIALECT, SERVICE, cut(WHOLE, range(len(WHOLE)))) == events_of(WHOLE)


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        ("end_turn", StopReason.STOP),
        ("stop_sequence", StopReason.STOP),
        ("pause_turn", StopReason.STOP),
        ("of_tomorrow", StopReason.STOP),
        ("max_tokens", StopReason.LENGTH),
        ("tool_use", StopReason.TOOL_CALLS),
        ("refusal", StopReason.CONTENT_FILTERED),
        ("model_context_window_exceeded", StopReason.CONTEXT_FULL),
    ],
)
def test_why_it_ended(told: str, reason: StopReason) -> None:
    assert events_of(sse(begun(), *text(0, "Hi"), *ended(told)))[-1] == Finished(reason)


def test_thinking_that_is_kept_from_us_goes_back_all_the_same() -> None:
    signed = block(
        0,
        {"type": "thinking", "thinking": "", "signature": ""},
        {"type": "signature_delta", "signature": "c2ln"},
    )
    record = events_of(sse(begun(), *signed, *text(1, "Hi"), *ended()))[1]
    assert isinstance(record, ReasoningRecord)
    kept = {"type": "thinking", "thinking": "", "signature": "c2ln"}
    assert json.loads(record.data)["parts"] == [{"block": kept}, {"text": 2}]


def test_thinking_without_a_signature_is_shown_and_not_kept() -> None:
    thought = block(0, {"type": "thinking"}, {"type": "thinking_delta", "thinking": "Hm."})
    events = events_of(sse(begun(), *thought, *text(1, "Hi"), *ended()))
    assert [type(event) for event in events] == [ReasoningDelta, TextDelta, Usage, Finished]


def test_the_counts_at_the_end_are_of_the_whole_answer() -> None:
    events = events_of(sse(begun(cache_read_input_tokens=7), *text(0, "Hi"), *ended(input_tokens=30)))
    assert events[-2] == Usage(prompt_tokens=37, reused_tokens=7, generated_tokens=89)


def test_a_call_that_was_cut_off_by_the_length_is_none() -> None:
    half = block(
        0,
        {"type": "tool_use", "id": "toolu_01", "name": "weather", "input": {}},
        {"type": "input_json_delta", "partial_json": '{"city": "Ki'},
    )
    events = events_of(sse(begun(), *half, *ended("max_tokens")))
    assert [type(event) for event in events] == [Usage, Finished]
    with pytest.raises(RemoteFailure) as told:
        events_of(sse(begun(), *half, *ended("tool_use")))
    assert told.value.fault is RemoteFault.UNREADABLE


@pytest.mark.parametrize(
    ("kind", "message", "fault"),
    [
        ("overloaded_error", "Overloaded", RemoteFault.OVERLOADED),
        ("rate_limit_error", "Too fast", RemoteFault.RATE_LIMITED),
        ("api_error", "Internal server error", RemoteFault.SERVER_FAILED),
        ("timeout_error", "Timed out", RemoteFault.SERVER_FAILED),
        ("invalid_request_error", "prompt is too long: 210000 tokens > 200000", RemoteFault.CONTEXT_TOO_LONG),
        ("of_tomorrow", "?", RemoteFault.SERVER_FAILED),
    ],
)
def test_an_error_in_mid_stream_ends_the_answer(kind: str, message: str, fault: RemoteFault) -> None:
    reader = DIALECT.reader(SERVICE)
    assert list(reader.take(sse(begun(), *text(0, "Hi")))) == [TextDelta("Hi")]
    with pytest.raises(RemoteFailure) as told:
        list(reader.take(sse({"type": "error", "error": {"type": kind, "message": message}})))
    assert (told.value.fault, told.value.detail) == (fault, message)


@pytest.mark.parametrize("data", [b"", b"event: ping\ndata: {}\n\n", sse(begun(), *text(0, "Hi"))])
def test_an_answer_that_was_not_said_to_be_over_was_cut_off(data: bytes) -> None:
    with pytest.raises(RemoteFailure) as told:
        events_of(data)
    assert told.value.fault is RemoteFault.CUT_OFF


def test_more_blocks_than_an_answer_can_have_end_it() -> None:
    blocks = [block(index, {"type": "text", "text": ""})[0] for index in range(10_001)]
    with pytest.raises(RemoteFailure) as told:
        events_of(sse(begun(), *blocks, *ended()))
    assert told.value.fault is RemoteFault.TOO_LARGE


def test_a_thousand_damaged_streams_end_in_an_answer_or_a_known_fault() -> None:
    counts = outcomes(DIALECT, SERVICE, WHOLE)
    print(dict(counts))
    assert counts.total() == 1_000
    assert counts["answered"] > 50 and {RemoteFault.CUT_OFF, RemoteFault.UNREADABLE} <= counts.keys()
