"""OpenAI's Responses: nothing is kept there, and what comes back is read whatever is wrong with it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.answers import cut, read, sse
from support.damaged_streams import outcomes

from models.runtime.faults import StopReason
from models.runtime.values import CalledTool, Constraint, ConstraintKind, Effort, Image, Tool, Turn
from providers.events import (
    Billed,
    CostBasis,
    Finished,
    ReasoningDelta,
    ReasoningRecord,
    TextDelta,
    ToolCall,
    Usage,
)
from providers.remote.catalogue import catalogue
from providers.remote.dialects import dialect
from providers.remote.faults import RemoteFailure, RemoteFault
from providers.remote.values import ChatCall

DIALECT = dialect("responses")
SERVICE = catalogue()["openai"]
JPEG = b"\xff\xd8\xff\xe0" + b"\0" * 20

THOUGHT = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAA…"}
CALL = {"type": "function_call", "call_id": "c1", "name": "look", "arguments": '{"a": 1}'}
USAGE = {
    "input_tokens": 40,
    "output_tokens": 11,
    "input_tokens_details": {"cached_tokens": 32},
    "output_tokens_details": {"reasoning_tokens": 6},
}


def over(kind: str = "completed", **response: Any) -> dict[str, Any]:
    return {"type": f"response.{kind}", "response": {"status": kind, "usage": USAGE, **response}}


WHOLE = sse(
    {"type": "response.created", "response": {"id": "r1", "model": "m-2026-01-01", "status": "in_progress"}},
    {"type": "response.reasoning_summary_text.delta", "delta": "Hm."},
    {"type": "response.output_item.done", "item": THOUGHT},
    {"type": "response.output_text.delta", "delta": "One\u2028 "},
    {"type": "response.output_text.delta", "delta": "two\U0001f3b5"},
    {"type": "response.output_item.done", "item": CALL},
    {"type": "response.something.new", "delta": 3},
    over(),
)
RECORD = {
    "dialect": "responses",
    "model": "m-2026-01-01",
    "parts": [{"block": THOUGHT}, {"text": 9}, {"call": "c1"}],
}
EVENTS = [
    ReasoningDelta("Hm."),
    TextDelta("One\u2028 "),
    TextDelta("two\U0001f3b5"),
    ToolCall("c1", "look", '{"a": 1}'),
    ReasoningRecord(json.dumps(RECORD, separators=(",", ":"))),
    Usage(prompt_tokens=40, reused_tokens=32, generated_tokens=11, reasoning_tokens=6),
    Finished(StopReason.TOOL_CALLS),
]


def body(call: ChatCall) -> dict[str, Any]:
    made: dict[str, Any] = json.loads(DIALECT.chat(call, SERVICE).body)
    return made


def test_nothing_is_to_be_kept_there() -> None:
    made = body(ChatCall("m", (Turn("system", "Be brief."), Turn("user", "Hi"))))
    assert made == {
        "model": "m",
        "instructions": "Be brief.",
        "input": [{"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hi"}]}],
        "stream": True,
        "store": False,
        "include": ["reasoning.encrypted_content"],
    }


def test_what_a_model_thought_and_called_goes_back_in_its_order() -> None:
    record = EVENTS[4]
    assert isinstance(record, ReasoningRecord)
    turns = (
        Turn("user", "What is it?", images=(Image(JPEG),)),
        Turn(
            "assistant",
            "One\u2028 two\U0001f3b5",
            calls=(CalledTool("c1", "look", "{}"),),
            reasoning_record=record.data,
        ),
        Turn("tool", "a cat", call_id="c1"),
    )
    made = body(ChatCall("m", turns, tools=(Tool("look"),), effort=Effort.LOW, max_tokens=9))
    kinds = [item["type"] for item in made["input"]]
    assert kinds == ["message", "reasoning", "message", "function_call", "function_call_output"]
    assert made["input"][1] == THOUGHT
    assert made["input"][0]["content"][0]["image_url"].startswith("data:image/jpeg;base64,")
    assert (made["reasoning"], made["max_output_tokens"]) == ({"effort": "low", "summary": "auto"}, 9)


def items_of(data: str, calls: tuple[CalledTool, ...] = (), model: str = "m", said: str = "") -> list[Any]:
    turn = Turn("assistant", said, calls=calls, reasoning_record=data)
    results = tuple(Turn("tool", "r", call_id=call.id) for call in calls)
    made: list[Any] = body(ChatCall(model, (Turn("user", "x"), turn, *results)))["input"][1:]
    return made


def thought(number: int) -> dict[str, Any]:
    return {**THOUGHT, "id": f"rs_{number}"}


TWICE: list[dict[str, Any]] = [
    {"block": thought(1)}, {"call": "c1"}, {"block": thought(2)}, {"call": "c2"}, {"block": thought(3)}, {"text": 3},
]  # fmt: skip


def test_thoughts_stay_before_what_followed_them() -> None:
    data = json.dumps({**RECORD, "parts": TWICE})
    both = (CalledTool("c1", "f", "{}"), CalledTool("c2", "f", "{}"))
    kinds = [
        item.get("id") or item.get("call_id") or item["type"] for item in items_of(data, both, said="Hm.")
    ]
    assert kinds == ["rs_1", "c1", "rs_2", "c2", "rs_3", "message", "c1", "c2"]
    # A call that has no result is not sent, nor a thought that only led to it: it would be refused.
    kinds = [
        item.get("id") or item.get("call_id") or item["type"] for item in items_of(data, both[1:], said="Hm.")
    ]
    assert kinds == ["rs_2", "c2", "rs_3", "message", "c2"]


@pytest.mark.parametrize(
    ("model", "goes"),
    [
        ("m", True),
        ("m-latest", True),
        ("m-2026-01-01", True),
        ("m-mini", False),
        ("grok-4", False),
        ("", False),
    ],
)
def test_what_a_model_thought_goes_back_to_that_model_alone(model: str, goes: bool) -> None:
    data = json.dumps({**RECORD, "parts": [{"block": THOUGHT}, {"text": 3}]})
    kinds = [item["type"] for item in items_of(data, model=model, said="Hm.")]
    assert kinds == (["reasoning", "message"] if goes else ["message"])


@pytest.mark.parametrize(
    ("model", "thinks"),
    [
        ("gpt-5.1", True),
        ("o4-mini", True),
        ("grok-4", True),
        ("gpt-4.1", False),
        ("gpt-4o-mini", False),
        ("chatgpt-4o-latest", False),
        ("gpt-5-chat-latest", False),
        ("ft:gpt-4o-mini-2024-07-18:x::y", False),
    ],
)
def test_a_model_that_does_not_think_is_not_asked_for_its_thoughts(model: str, thinks: bool) -> None:
    assert ("include" in body(ChatCall(model, (Turn("user", "x"),)))) == thinks


def test_an_answer_is_held_to_json_or_a_schema() -> None:
    asked = (Turn("user", "x"),)
    schema = Constraint(ConstraintKind.SCHEMA, '{"type": "object"}')
    assert body(ChatCall("m", asked, constraint=schema))["text"]["format"]["schema"] == {"type": "object"}
    plain = Constraint(ConstraintKind.JSON)
    assert body(ChatCall("m", asked, constraint=plain))["text"]["format"] == {"type": "json_object"}
    for call in (
        ChatCall("m", asked, constraint=Constraint(ConstraintKind.GRAMMAR, "g")),
        ChatCall("m", asked, stop=("x",)),
    ):
        with pytest.raises(RemoteFailure):
            DIALECT.chat(call, SERVICE)


@given(st.lists(st.integers(0, 5000), max_size=30))
def test_an_answer_is_the_same_however_it_is_cut(places: list[int]) -> None:
    assert read(DIALECT, SERVICE, cut(WHOLE, places)) == EVENTS


def test_an_answer_one_byte_at_a_time_is_the_same() -> None:
    assert read(DIALECT, SERVICE, [bytes([byte]) for byte in WHOLE]) == EVENTS


def test_what_xai_reports_as_its_cost_is_exact() -> None:
    usage = {"input_tokens": 1, "output_tokens": 1, "cost_in_usd_ticks": 37_756_000}
    events = read(DIALECT, catalogue()["xai"], [sse(over(usage=usage))])
    assert Billed("0.0037756", "USD", CostBasis.REPORTED) in events


@pytest.mark.parametrize(
    ("event", "stop"),
    [
        (over(), StopReason.STOP),
        (over("incomplete", incomplete_details={"reason": "max_output_tokens"}), StopReason.LENGTH),
        (over("incomplete", incomplete_details={"reason": "content_filter"}), StopReason.CONTENT_FILTERED),
    ],
)
def test_every_end_has_its_reason(event: dict[str, Any], stop: StopReason) -> None:
    assert read(DIALECT, SERVICE, [sse(event)])[-1] == Finished(stop)


def test_a_whole_answer_at_the_end_is_read_when_no_pieces_came() -> None:
    output = [{"type": "message", "content": [{"type": "output_text", "text": "All."}]}]
    assert read(DIALECT, SERVICE, [sse(over(output=output))])[0] == TextDelta("All.")


def test_a_body_that_is_no_stream_is_read_with_its_calls_and_thoughts() -> None:
    whole = {
        "object": "response",
        "model": "m",
        "status": "completed",
        "output": [THOUGHT, CALL],
        "usage": USAGE,
    }
    call, record, _, finished = read(DIALECT, SERVICE, [json.dumps(whole, indent=1).encode()])
    assert (call, finished) == (EVENTS[3], Finished(StopReason.TOOL_CALLS))
    parts = [{"block": THOUGHT}, {"call": "c1"}]
    assert isinstance(record, ReasoningRecord) and json.loads(record.data)["parts"] == parts


def test_a_call_that_is_told_twice_is_one() -> None:
    done = {"type": "response.output_item.done", "item": CALL}
    events = read(DIALECT, SERVICE, [sse(done, done, over(output=[CALL]))])
    assert [event for event in events if isinstance(event, ToolCall)] == [EVENTS[3]]


def test_parts_of_a_summary_are_paragraphs() -> None:
    part, more = {"type": "response.reasoning_summary_part.added"}, "response.reasoning_summary_text.delta"
    stream = sse(part, {"type": more, "delta": "One."}, part, {"type": more, "delta": "Two."}, over())
    said = [event.text for event in read(DIALECT, SERVICE, [stream]) if isinstance(event, ReasoningDelta)]
    assert said == ["One.", "\n\n", "Two."]


def test_a_thought_that_could_not_be_written_down_is_left_out() -> None:
    deep = {**THOUGHT, "summary": json.loads("[" * 300 + "]" * 300)}
    events = read(DIALECT, SERVICE, [sse({"type": "response.output_item.done", "item": deep}, over())])
    assert not [event for event in events if isinstance(event, ReasoningRecord)]


@pytest.mark.parametrize(
    ("stream", "fault"),
    [
        (sse({"type": "response.output_text.delta", "delta": "Half"}), RemoteFault.CUT_OFF),
        (b"", RemoteFault.CUT_OFF),
        (b'{"object": "response", "status": "in_progress", "output": []}', RemoteFault.CUT_OFF),
        (sse(over("failed", error={"code": "server_error", "message": "oops"})), RemoteFault.SERVER_FAILED),
        (sse(over("failed", error={"code": "rate_limit_exceeded", "message": ""})), RemoteFault.RATE_LIMITED),
        (
            sse({"type": "error", "code": "x", "message": "maximum context length"}),
            RemoteFault.CONTEXT_TOO_LONG,
        ),
        (b'{"error": {"message": "model not found"}}', RemoteFault.MODEL_UNKNOWN),
        (b"data: {\n\n", RemoteFault.UNREADABLE),
        (b"data: []\n\n", RemoteFault.UNREADABLE),
    ],
)
def test_a_broken_answer_has_its_kind(stream: bytes, fault: RemoteFault) -> None:
    with pytest.raises(RemoteFailure) as failure:
        read(DIALECT, SERVICE, [stream])
    assert failure.value.fault is fault


def test_a_thousand_damaged_streams_end_in_an_answer_or_a_known_fault() -> None:
    counts = outcomes(DIALECT, SERVICE, WHOLE)
    print(dict(counts))
    assert counts.total() == 1_000
    assert counts["answered"] > 50 and {RemoteFault.CUT_OFF, RemoteFault.UNREADABLE} <= counts.keys()
