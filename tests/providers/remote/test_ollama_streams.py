"""What comes from an Ollama server, as events; however it is cut, and whatever is wrong with it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.answers import cut, json_lines, read
from support.damaged_streams import outcomes

from models.runtime.faults import StopReason
from providers.events import Event, Finished, ReasoningDelta, TextDelta, ToolCall, Usage
from providers.remote.catalogue import kinds_of_own_servers
from providers.remote.dialects import dialect
from providers.remote.faults import RemoteFailure, RemoteFault

DIALECT = dialect("ollama")
SERVICE = kinds_of_own_servers()["ollama"]


def line(content: str = "", **more: Any) -> dict[str, Any]:
    message = {"role": "assistant", "content": content, **more.pop("message", {})}
    return {
        "model": "qwen3:8b",
        "created_at": "2026-11-26T18:30:00.123456789Z",
        "message": message,
        "done": False,
        **more,
    }


def called(*functions: dict[str, Any], **more: Any) -> dict[str, Any]:
    return line(message={"tool_calls": [{**more, "function": function} for function in functions]})


END: dict[str, Any] = {
    "done": True,
    "done_reason": "stop",
    "total_duration": 4_883_583_458,
    "load_duration": 1_334_875,
    "prompt_eval_count": 26,
    "prompt_eval_duration": 342_546_000,
    "eval_count": 282,
    "eval_duration": 4_535_599_000,
}
WHOLE = json_lines(
    line(message={"thinking": "Kiel is "}),
    line(message={"thinking": "by the sea."}),
    line("One "),
    line("moment: ☔\u2028"),
    called({"name": "weather", "arguments": {"city": "Kiel"}}, {"name": "now", "arguments": {}}),
    called({"name": "weather", "arguments": '{"city": "Ulm"}'}, id="call_x1"),
    line(**END),
)
EVENTS: list[Event] = [
    ReasoningDelta("Kiel is "),
    ReasoningDelta("by the sea."),
    TextDelta("One "),
    TextDelta("moment: ☔\u2028"),
    ToolCall("call-20261126T183000123456789Z-0", "weather", '{"city": "Kiel"}'),
    ToolCall("call-20261126T183000123456789Z-1", "now", "{}"),
    ToolCall("call_x1", "weather", '{"city": "Ulm"}'),
    Usage(prompt_tokens=26, generated_tokens=282, prompt_ms=342.546, generate_ms=4_535.599),
    Finished(StopReason.TOOL_CALLS),
]


def events_of(data: bytes) -> list[Event]:
    return read(DIALECT, SERVICE, [data])


def test_a_whole_answer_becomes_events_in_their_order() -> None:
    assert events_of(WHOLE) == EVENTS


@given(st.lists(st.integers(0, len(WHOLE)), max_size=12))
def test_it_may_be_cut_anywhere(places: list[int]) -> None:
    assert read(DIALECT, SERVICE, cut(WHOLE, places)) == EVENTS


def test_it_may_come_one_byte_at_a_time_and_without_its_last_end_of_line() -> None:
    data = WHOLE.rstrip(b"\n")
    assert read(DIALECT, SERVICE, cut(data, range(len(data)))) == EVENTS


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        ("stop", StopReason.STOP),
        ("length", StopReason.LENGTH),
        ("of_tomorrow", StopReason.STOP),
        (None, StopReason.STOP),
    ],
)
def test_why_it_ended(told: str | None, reason: StopReason) -> None:
    events = events_of(json_lines(line("Hi"), line(**{**END, "done_reason": told})))
    assert events[0] == TextDelta("Hi") and events[-1] == Finished(reason)


@pytest.mark.parametrize(
    ("error", "fault"),
    [
        ({"error": "model runner has unexpectedly stopped"}, RemoteFault.SERVER_FAILED),
        (
            {"error": "the input length exceeds the context length", "status": 400},
            RemoteFault.CONTEXT_TOO_LONG,
        ),
        ({"error": {"message": "engine died"}}, RemoteFault.SERVER_FAILED),
        ({"error": None}, RemoteFault.SERVER_FAILED),
    ],
)
def test_an_error_in_mid_stream_ends_the_answer(error: dict[str, Any], fault: RemoteFault) -> None:
    reader = DIALECT.reader(SERVICE)
    assert list(reader.take(json_lines(line("Hi")))) == [TextDelta("Hi")]
    with pytest.raises(RemoteFailure) as told:
        list(reader.take(json_lines(error)))
    assert told.value.fault is fault


@pytest.mark.parametrize("data", [b"", b"\n\n", json_lines(line("Hi")), json_lines({"done": "true"})])
def test_an_answer_that_was_not_said_to_be_over_was_cut_off(data: bytes) -> None:
    with pytest.raises(RemoteFailure) as told:
        events_of(data)
    assert told.value.fault is RemoteFault.CUT_OFF


def test_a_call_without_a_name_can_not_be_read() -> None:
    with pytest.raises(RemoteFailure) as told:
        events_of(json_lines(called({"arguments": {}}), line(**END)))
    assert told.value.fault is RemoteFault.UNREADABLE


def test_a_thousand_damaged_streams_end_in_an_answer_or_a_known_fault() -> None:
    counts = outcomes(DIALECT, SERVICE, WHOLE)
    print(dict(counts))
    assert counts.total() == 1_000
    assert counts["answered"] > 50 and {RemoteFault.CUT_OFF, RemoteFault.UNREADABLE} <= counts.keys()
