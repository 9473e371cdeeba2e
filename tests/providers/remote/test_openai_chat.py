"""Chat Completions: what is asked, and what is read out of the streams of the many who speak it."""

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
from providers.events import Billed, CostBasis, Finished, ReasoningDelta, TextDelta, ToolCall, Usage
from providers.remote.catalogue import catalogue, kinds_of_own_servers
from providers.remote.dialects import dialect
from providers.remote.faults import RemoteFailure, RemoteFault
from providers.remote.values import ChatCall, Service

DIALECT = dialect("openai_chat")
SERVICE = kinds_of_own_servers()["openai-compatible"]
PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 20
DONE = b"data: [DONE]\n\n"


def chunk(delta: Any = None, reason: Any = None, **more: Any) -> dict[str, Any]:
    return {"id": "c1", "choices": [{"index": 0, "delta": delta or {}, "finish_reason": reason}], **more}


def body(call: ChatCall, service: Service = SERVICE) -> dict[str, Any]:
    made: dict[str, Any] = json.loads(DIALECT.chat(call, service).body)
    return made


def test_a_question_is_asked_with_nothing_that_was_not_chosen() -> None:
    call = DIALECT.chat(ChatCall("m", (Turn("system", "Be brief."), Turn("user", "Hi \ud800"))), SERVICE)
    assert (call.method, call.path) == ("POST", "/chat/completions")
    assert json.loads(call.body) == {
        "model": "m",
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi ?"}],
        "stream": True,
        "stream_options": {"include_usage": True},
    }


def test_images_tools_and_limits_go_along() -> None:
    made = body(
        ChatCall(
            "m",
            (
                Turn("user", "What is it?", images=(Image(PNG),)),
                Turn("assistant", "", calls=(CalledTool("c1", "look", '{"a": 1}'),), reasoning="hm"),
                Turn("tool", "a cat", call_id="c1"),
            ),
            temperature=0.5,
            top_p=0.9,
            stop=("END",),
            max_tokens=99,
            tools=(Tool("look", "Looks.", '{"type": "object"}'),),
        )
    )
    image, words = made["messages"][0]["content"]
    assert image["image_url"]["url"].startswith("data:image/png;base64,iVBOR")
    assert words == {"type": "text", "text": "What is it?"}
    assert made["messages"][1]["tool_calls"][0]["function"] == {"name": "look", "arguments": '{"a": 1}'}
    assert "reasoning_content" not in made["messages"][1]
    assert made["messages"][2] == {"role": "tool", "tool_call_id": "c1", "content": "a cat"}
    assert made["tools"][0]["function"]["description"] == "Looks."
    assert (made["temperature"], made["top_p"], made["stop"], made["max_tokens"]) == (0.5, 0.9, ["END"], 99)


def test_each_service_is_asked_in_the_way_that_it_takes() -> None:
    known = {**catalogue(), **kinds_of_own_servers()}
    asked = (Turn("user", "x"), Turn("assistant", "", calls=(CalledTool("c", "f", "{}"),), reasoning="why"))
    call = ChatCall("m", (*asked, Turn("tool", "r", call_id="c")), max_tokens=5, effort=Effort.HIGH)
    assert "stream_options" not in body(call, known["mistral"])
    assert body(call, known["deepseek"])["messages"][1]["reasoning_content"] == "why"
    assert body(call, known["groq"])["max_completion_tokens"] == 5
    routed = body(call, known["openrouter"])
    assert (routed["reasoning"], routed["usage"]) == ({"effort": "high"}, {"include": True})
    assert routed["provider"] == {"data_collection": "deny"}
    assert body(call, known["together"])["reasoning_effort"] == "high"
    assert body(call, known["llama-server"])["chat_template_kwargs"] == {"enable_thinking": True}


def test_an_answer_is_held_to_a_form_where_the_service_can() -> None:
    known = {**catalogue(), **kinds_of_own_servers()}
    asked = (Turn("user", "x"),)
    schema = ChatCall("m", asked, constraint=Constraint(ConstraintKind.SCHEMA, '{"type": "object"}'))
    grammar = ChatCall("m", asked, constraint=Constraint(ConstraintKind.GRAMMAR, 'root ::= "a"'))
    plain = ChatCall("m", asked, constraint=Constraint(ConstraintKind.JSON))
    assert body(plain)["response_format"] == {"type": "json_object"}
    assert body(schema)["response_format"]["json_schema"]["schema"] == {"type": "object"}
    assert body(grammar, known["llama-server"])["grammar"] == 'root ::= "a"'
    for call, service in ((grammar, SERVICE), (schema, known["deepseek"])):
        with pytest.raises(RemoteFailure) as failure:
            DIALECT.chat(call, service)
        assert failure.value.fault is RemoteFault.UNSUPPORTED


CALLS = [
    {"index": 0, "id": "a1", "function": {"name": "look", "arguments": ""}},
    {"index": 0, "function": {"arguments": '{"x": '}},
    {"index": 0, "function": {"arguments": "1}"}},
    {"index": 1, "id": "a2", "function": {"name": "now", "arguments": ""}},
]
USAGE = {
    "prompt_tokens": 30,
    "completion_tokens": 9,
    "prompt_tokens_details": {"cached_tokens": 20},
    "completion_tokens_details": {"reasoning_tokens": 4},
}
WHOLE = (
    b": a comment\n\n"
    + sse(chunk({"role": "assistant", "content": None}), chunk({"reasoning_content": "Hm. "}))
    + sse(chunk({"reasoning": "So."}), chunk({"content": "One \u2028"}), chunk({"content": "two\U0001f3b5"}))
    + sse(*(chunk({"tool_calls": [call]}) for call in CALLS))
    + sse(chunk(reason="tool_calls"), {"choices": [], "usage": USAGE})
    + DONE
)
EVENTS = [
    ReasoningDelta("Hm. "),
    ReasoningDelta("So."),
    TextDelta("One \u2028"),
    TextDelta("two\U0001f3b5"),
    ToolCall("a1", "look", '{"x": 1}'),
    ToolCall("a2", "now", "{}"),
    Usage(prompt_tokens=30, reused_tokens=20, generated_tokens=9, reasoning_tokens=4),
    Finished(StopReason.TOOL_CALLS),
]


@given(st.lists(st.integers(0, 5000), max_size=30))
def test_an_answer_is_the_same_however_it_is_cut(places: list[int]) -> None:
    assert read(DIALECT, SERVICE, cut(WHOLE, places)) == EVENTS


def test_an_answer_one_byte_at_a_time_is_the_same() -> None:
    assert read(DIALECT, SERVICE, [bytes([byte]) for byte in WHOLE]) == EVENTS


@pytest.mark.parametrize(
    ("reason", "stop"),
    [
        ("stop", StopReason.STOP),
        ("length", StopReason.LENGTH),
        ("content_filter", StopReason.CONTENT_FILTERED),
        ("model_length", StopReason.CONTEXT_FULL),
        ("something new", StopReason.STOP),
    ],
)
def test_every_end_has_its_reason(reason: str, stop: StopReason) -> None:
    assert read(DIALECT, SERVICE, [sse(chunk({"content": "x"}, reason))])[-1] == Finished(stop)


def test_what_a_service_reports_as_its_cost_keeps_its_digits() -> None:
    end = b'data: {"choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 1, "cost": 0.00014700}}\n\n'
    events = read(DIALECT, SERVICE, [sse(chunk({"content": "x"}, "stop")), end, DONE])
    assert Billed("0.00014700", "USD", CostBasis.REPORTED) in events


@pytest.mark.parametrize(
    ("written", "cost"),
    [
        ("1e-7", "0.0000001"),
        ("-0.0", "0.0"),
        ("3", "3"),
        ("0.1234567890123456789012345678901", "0.1234567890123456789012345678901"),
        ("1e-999999999", None),
        ("1e-99999999999999999999999", None),
        ("1e400", None),
        ("-1", None),
        ("0." + "1" * 200, None),
        ("true", None),
        ('"0.5"', None),
    ],
)
def test_a_cost_is_plain_digits_or_not_known(written: str, cost: str | None) -> None:
    end = f'data: {{"choices": [], "usage": {{"prompt_tokens": 1, "cost": {written}}}}}\n\n'.encode()
    events = read(DIALECT, SERVICE, [sse(chunk({"content": "x"}, "stop")), end, DONE])
    billed = [event.cost for event in events if isinstance(event, Billed)]
    assert billed == ([] if cost is None else [cost])


def call_part(**part: Any) -> dict[str, Any]:
    name, arguments = part.pop("name", None), part.pop("arguments", None)
    return {**part, "function": {"name": name, "arguments": arguments}}


@pytest.mark.parametrize(
    "pieces",
    [
        pytest.param(
            [[call_part(id="a", name="f", arguments="{}")], [call_part(id="b", name="g", arguments="{}")]],
            id="no places",
        ),
        pytest.param(
            [[call_part(id=i, name=n, arguments="{}", index=0)] for i, n in (("a", "f"), ("b", "g"))],
            id="all in the same place",
        ),
        pytest.param(
            [[call_part(id="a", name="f", arguments="{}"), call_part(id="b", name="g", arguments="{}")]],
            id="no places, all at once",
        ),
        pytest.param(
            [
                [call_part(id="a", name="f", arguments="{")],
                [call_part(id="b", name="g")],
                [call_part(id="a", arguments="}")],
                [call_part(id="b", arguments="{")],
                [call_part(arguments="}")],
            ],
            id="by their ids, and by nothing",
        ),
        pytest.param(
            [
                [call_part(index=0, arguments="{")],
                [call_part(index=0, arguments="}")],
                [call_part(index=0, id="a", name="f")],
                [call_part(index=1, id="b", name="g", arguments={})],
            ],
            id="id and name late, arguments as an object",
        ),
        pytest.param(
            [
                [call_part(index=0, id="a", name="f", arguments="{")],
                [call_part(index=0, id="other", arguments="}")],
                [call_part(index=1, id="b", name="g", arguments="{}")],
            ],
            id="a new id for each part",
        ),
    ],
)
def test_calls_are_told_apart_however_a_service_numbers_them(pieces: list[list[dict[str, Any]]]) -> None:
    stream = sse(*(chunk({"tool_calls": parts}) for parts in pieces), chunk(reason="tool_calls"))
    events = read(DIALECT, SERVICE, [stream])
    assert events == [ToolCall("a", "f", "{}"), ToolCall("b", "g", "{}"), Finished(StopReason.TOOL_CALLS)]


def test_a_call_without_an_id_has_one_that_no_other_answer_has() -> None:
    made = [
        read(DIALECT, SERVICE, [sse({**chunk({"tool_calls": [call_part(name="f")]}, "stop"), "id": answer})])
        for answer in ("chatcmpl-1", "chatcmpl-2")
    ]
    assert [events[0] for events in made] == [
        ToolCall("call-chatcmpl1-0", "f", "{}"),
        ToolCall("call-chatcmpl2-0", "f", "{}"),
    ]


def test_a_call_of_another_service_has_an_id_that_mistral_takes() -> None:
    known = catalogue()["mistral"]
    calls = (CalledTool("call_of_another", "f", "{}"), CalledTool("AbC123xyz", "g", "{}"))
    results = tuple(Turn("tool", "r", call_id=called.id) for called in calls)
    asked = body(ChatCall("m", (Turn("user", "x"), Turn("assistant", "", calls=calls), *results)), known)
    ids = [called["id"] for called in asked["messages"][1]["tool_calls"]]
    assert ids == [message["tool_call_id"] for message in asked["messages"][2:]]
    assert ids[1] == "AbC123xyz" and ids[0] != ids[1]
    assert all(len(made) == 9 and made.isascii() and made.isalnum() for made in ids)


@pytest.mark.parametrize(
    ("effort", "asked"),
    [
        (Effort.AUTOMATIC, {}),
        (Effort.OFF, {"thinking": {"type": "disabled"}}),
        (Effort.ON, {"thinking": {"type": "enabled"}}),
        (Effort.LOW, {"thinking": {"type": "enabled"}, "reasoning_effort": "low"}),
    ],
)
def test_thinking_is_turned_off_where_there_is_a_switch_for_it(effort: Effort, asked: dict[str, Any]) -> None:
    made = body(ChatCall("m", (Turn("user", "x"),), effort=effort), catalogue()["deepseek"])
    assert {name: made[name] for name in ("thinking", "reasoning_effort") if name in made} == asked


def test_what_is_thought_is_told_once_where_it_comes_twice() -> None:
    details = [{"type": "reasoning.text", "text": "Hm."}]
    both = sse(chunk({"reasoning": "Hm.", "reasoning_details": details}), chunk({"content": "x"}, "stop"))
    alone = sse(chunk({"reasoning_details": details}), chunk({"content": "x"}, "stop"))
    for stream in (both, alone):
        assert read(DIALECT, SERVICE, [stream])[:2] == [ReasoningDelta("Hm."), TextDelta("x")]


def test_content_in_parts_as_mistral_sends_it() -> None:
    thinking = {"type": "thinking", "thinking": [{"type": "text", "text": "Hm."}]}
    parts = sse(chunk({"content": [thinking]}), chunk({"content": [{"type": "text", "text": "So."}]}, "stop"))
    assert read(DIALECT, SERVICE, [parts])[:2] == [ReasoningDelta("Hm."), TextDelta("So.")]


def test_a_whole_completion_instead_of_a_stream_is_read_as_well() -> None:
    whole = {
        "choices": [{"message": {"content": "All."}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 3},
    }
    assert read(DIALECT, SERVICE, [json.dumps(whole).encode()]) == [
        TextDelta("All."),
        Usage(prompt_tokens=3),
        Finished(StopReason.STOP),
    ]


BROKEN: list[tuple[bytes, RemoteFault]] = [
    (sse(chunk({"content": "Half"})), RemoteFault.CUT_OFF),
    (b"", RemoteFault.CUT_OFF),
    (sse({"error": {"message": "Overloaded", "code": 529}}), RemoteFault.OVERLOADED),
    (b'{"error": {"message": "no such model"}}', RemoteFault.MODEL_UNKNOWN),
    (sse(chunk({"content": "Half"})) + b'data: {"choices": [{"del', RemoteFault.CUT_OFF),
    (b'{"choices": [{"message": {"content": "Ha', RemoteFault.CUT_OFF),
    (sse(chunk({"content": "Half"}, "error")), RemoteFault.SERVER_FAILED),
    (sse(chunk({"content": "Half"}, "insufficient_system_resource")), RemoteFault.OVERLOADED),
    (
        sse({"error": {"code": 429, "message": "", "more": json.loads("[" * 400 + "]" * 400)}}),
        RemoteFault.RATE_LIMITED,
    ),
    (b"<html>Log in</html>", RemoteFault.UNREADABLE),
    (b"data: {broken\n\n", RemoteFault.UNREADABLE),
    (b"data: 17\n\n", RemoteFault.UNREADABLE),
    (sse(chunk({"tool_calls": [{"function": {"name": "f"}}] * 500})), RemoteFault.TOO_LARGE),
]


@pytest.mark.parametrize(("stream", "fault"), BROKEN)
def test_a_broken_answer_has_its_kind(stream: bytes, fault: RemoteFault) -> None:
    with pytest.raises(RemoteFailure) as failure:
        read(DIALECT, SERVICE, [stream])
    assert failure.value.fault is fault


def test_lists_of_models_are_read_in_every_form() -> None:
    openrouter = {
        "data": [
            {
                "id": "maker/m",
                "name": "Maker: M",
                "context_length": 131072,
                "architecture": {"input_modalities": ["text", "image"], "output_modalities": ["text"]},
                "supported_parameters": ["tools", "reasoning"],
            },
            {"id": "maker/paints", "architecture": {"output_modalities": ["image"]}},
        ]
    }
    (model,) = DIALECT.read_models(json.dumps(openrouter).encode(), SERVICE)
    assert (model.id, model.name, model.context_tokens) == ("maker/m", "Maker: M", 131072)
    assert (model.sees, model.reasons, model.calls_tools) == (True, True, True)
    together = [{"id": "a", "type": "chat", "context_length": 8}, {"id": "b", "type": "embedding"}]
    assert [m.id for m in DIALECT.read_models(json.dumps(together).encode(), SERVICE)] == ["a"]
    names = {
        "data": [{"id": name} for name in ("gpt-5", "text-embedding-3", "whisper-1", "gpt-image-1", "tts-1")]
    }
    assert [m.id for m in DIALECT.read_models(json.dumps(names).encode(), SERVICE)] == ["gpt-5"]
    many = {"data": [{"id": "x" * 10_000}] * 9_000}
    found = DIALECT.read_models(json.dumps(many).encode(), SERVICE)
    assert len(found) == 5_000 and len(found[0].id) == 200
    for strange in (b"", b"[", b"17", b'{"data": 3}', b"\xff"):
        with pytest.raises(RemoteFailure):
            DIALECT.read_models(strange, SERVICE)


def test_a_thousand_damaged_streams_end_in_an_answer_or_a_known_fault() -> None:
    counts = outcomes(DIALECT, SERVICE, WHOLE)
    print(dict(counts))
    assert counts.total() == 1_000
    assert counts["answered"] > 50 and {RemoteFault.CUT_OFF, RemoteFault.UNREADABLE} <= counts.keys()
