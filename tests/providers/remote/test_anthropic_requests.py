"""What goes to Anthropic's API: every field, and nothing that says who asks."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from models.runtime.values import CalledTool, Constraint, ConstraintKind, Effort, Image, Tool, Turn
from providers.remote.catalogue import catalogue
from providers.remote.dialects import dialect
from providers.remote.faults import RemoteFailure, RemoteFault
from providers.remote.values import ChatCall

DIALECT = dialect("anthropic")
SERVICE = catalogue()["anthropic"]
PNG = b"\x89PNG\r\n\x1a\nrest of a file"
JPEG = b"\xff\xd8\xff\xe0rest of a file"
QUESTION = (Turn("user", "What is a monad?"),)
WEATHER = Tool(
    "weather", "The weather in a city.", '{"type":"object","properties":{"city":{"type":"string"}}}'
)
RECORD = json.dumps(
    {
        "dialect": "anthropic",
        "model": "claude-opus-5",
        "parts": [
            {"block": {"type": "thinking", "thinking": "Let me see.", "signature": "c2ln"}},
            {"text": 12},
            {"block": {"type": "redacted_thinking", "data": "b3BhcXVl"}},
            {"call": "toolu_1"},
        ],
    }
)
WITH_CALL = (
    Turn("user", "Rain in Kiel?"),
    Turn(
        "assistant",
        "One moment, ",
        calls=(CalledTool("toolu_1", "weather", '{"city":"Kiel"}'),),
        reasoning="Let me see.",
        reasoning_record=RECORD,
    ),
    Turn("tool", "Rain, 12 degrees", call_id="toolu_1"),
)


def body(call: ChatCall) -> dict[str, Any]:
    read: dict[str, Any] = json.loads(DIALECT.chat(call, SERVICE).body)
    return read


def asked(model: str = "claude-opus-5", **more: Any) -> dict[str, Any]:
    return body(ChatCall(model=model, **{"turns": QUESTION, **more}))


def test_a_plain_question_says_nothing_that_nobody_chose() -> None:
    made = DIALECT.chat(ChatCall("claude-sonnet-4-5", QUESTION), SERVICE)
    assert (made.method, made.path) == ("POST", "/messages")
    assert made.headers == {"content-type": "application/json", "anthropic-version": "2023-06-01"}
    assert json.loads(made.body) == {
        "model": "claude-sonnet-4-5",
        "max_tokens": 32_000,
        "messages": [{"role": "user", "content": [{"type": "text", "text": "What is a monad?"}]}],
        "stream": True,
    }


@pytest.mark.parametrize(
    ("model", "most"),
    [
        ("claude-3-haiku-20240307", 4_096),
        ("claude-3-5-haiku-20241022", 8_192),
        ("claude-3-7-sonnet-latest", 32_000),
        ("claude-opus-4-20250514", 32_000),
        ("claude-fable-5-1", 32_000),
        ("somebody-elses-model", 8_192),
    ],
)
def test_where_nobody_chose_a_length_the_model_gets_one_that_it_takes(model: str, most: int) -> None:
    assert asked(model)["max_tokens"] == most
    assert asked(model, max_tokens=77)["max_tokens"] == 77


def test_system_turns_stand_beside_the_conversation() -> None:
    turns = (Turn("system", "Be short.\n"), *QUESTION, Turn("system", "Be kind."))
    made = asked(turns=turns)
    assert made["system"] == "Be short.\n\nBe kind."
    assert [message["role"] for message in made["messages"]] == ["user"]


def test_images_stand_before_the_text_and_say_what_they_are() -> None:
    content = asked(turns=(Turn("user", "Which?", (Image(PNG), Image(JPEG))),))["messages"][0]["content"]
    assert [block["type"] for block in content] == ["image", "image", "text"]
    assert content[0]["source"] == {
        "type": "base64",
        "media_type": "image/png",
        "data": base64.b64encode(PNG).decode(),
    }
    assert content[1]["source"]["media_type"] == "image/jpeg"


def test_a_file_that_is_no_image_is_not_sent() -> None:
    with pytest.raises(RemoteFailure) as told:
        asked(turns=(Turn("user", "Which?", (Image(b"GIF89a"),)),))
    assert (told.value.fault, told.value.facts) == (RemoteFault.UNSUPPORTED, {"what": "images"})


def test_roles_alternate_and_no_text_is_empty() -> None:
    turns = (
        Turn("user", "a"),
        Turn("user", "b"),
        Turn("assistant", " \n"),
        Turn("user", ""),
        Turn("assistant", "c"),
        Turn("assistant", "d"),
        Turn("user", "e"),
    )
    messages = asked(turns=turns)["messages"]
    assert [message["role"] for message in messages] == ["user", "assistant", "user"]
    assert [[block["text"] for block in message["content"]] for message in messages] == [
        ["a", "b"],
        ["c", "d"],
        ["e"],
    ]


def test_tools_and_their_results_go_back_with_the_thinking_in_its_place() -> None:
    made = asked(turns=WITH_CALL, tools=(WEATHER, Tool("now")))
    assert made["tools"] == [
        {
            "name": "weather",
            "description": "The weather in a city.",
            "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}},
        },
        {"name": "now", "input_schema": {"type": "object", "properties": {}}},
    ]
    assert made["messages"][1:] == [
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "Let me see.", "signature": "c2ln"},
                {"type": "text", "text": "One moment, "},
                {"type": "redacted_thinking", "data": "b3BhcXVl"},
                {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {"city": "Kiel"}},
            ],
        },
        {
            "role": "user",
            "content": [
                {
                    "type": "tool_result",
                    "tool_use_id": "toolu_1",
                    "content": [{"type": "text", "text": "Rain, 12 degrees"}],
                }
            ],
        },
    ]


@pytest.mark.parametrize(
    ("model", "is_sent"),
    [("claude-opus-5", True), ("claude-opus-5-5", False), ("claude-opus-4-8", False)],
)
def test_thinking_goes_only_to_the_model_that_thought_it(model: str, is_sent: bool) -> None:
    kinds = [block["type"] for block in asked(model, turns=WITH_CALL)["messages"][1]["content"]]
    assert ("thinking" in kinds) is is_sent
    assert kinds[-1] == "tool_use"


def test_the_record_of_another_dialect_is_left_alone() -> None:
    turn = Turn(
        "assistant", "Yes.", reasoning_record='{"dialect":"gemini","model":"claude-opus-5","parts":[]}'
    )
    for record in (turn.reasoning_record, "no JSON", "[1]", '{"dialect":"anthropic","parts":7}'):
        turns = (*QUESTION, Turn("assistant", "Yes.", reasoning_record=record), Turn("user", "And?"))
        assert asked(turns=turns)["messages"][1]["content"] == [{"type": "text", "text": "Yes."}]


def test_a_text_that_was_changed_follows_the_thinking() -> None:
    changed = Turn("assistant", "Edited.", WITH_CALL[1].images, WITH_CALL[1].calls, reasoning_record=RECORD)
    content = asked(turns=(WITH_CALL[0], changed, WITH_CALL[2]))["messages"][1]["content"]
    assert [block["type"] for block in content] == ["thinking", "redacted_thinking", "text", "tool_use"]


def test_calls_without_results_are_left_out_and_so_is_thinking_that_nothing_follows() -> None:
    messages = asked(turns=(*WITH_CALL[:2], Turn("user", "Well?")))["messages"]
    assert [block["type"] for block in messages[1]["content"]] == ["thinking", "text"]
    assert messages[2]["content"] == [{"type": "text", "text": "Well?"}]


@pytest.mark.parametrize(
    ("model", "effort", "thinking", "config"),
    [
        ("claude-opus-5", Effort.AUTOMATIC, {"type": "adaptive", "display": "summarized"}, None),
        ("claude-opus-5", Effort.OFF, {"type": "disabled"}, None),
        ("claude-opus-5", Effort.ON, {"type": "adaptive", "display": "summarized"}, None),
        (
            "claude-opus-5",
            Effort.HIGH,
            {"type": "adaptive", "display": "summarized"},
            {"effort": "high"},
        ),
        ("claude-opus-5-5", Effort.OFF, {"type": "adaptive", "display": "summarized"}, {"effort": "low"}),
        ("claude-fable-5", Effort.OFF, {"type": "adaptive", "display": "summarized"}, {"effort": "low"}),
        (
            "claude-mythos-preview",
            Effort.LOW,
            {"type": "adaptive", "display": "summarized"},
            {"effort": "low"},
        ),
        ("claude-opus-4-6", Effort.AUTOMATIC, None, None),
        ("claude-opus-4-6", Effort.OFF, None, None),
        (
            "claude-opus-4-6",
            Effort.MEDIUM,
            {"type": "adaptive", "display": "summarized"},
            {"effort": "medium"},
        ),
        ("claude-haiku-4-5-20251001", Effort.AUTOMATIC, None, None),
        ("claude-haiku-4-5-20251001", Effort.LOW, {"type": "enabled", "budget_tokens": 2_048}, None),
        ("claude-3-7-sonnet-20250219", Effort.ON, {"type": "enabled", "budget_tokens": 8_192}, None),
        ("claude-opus-4-1-20250805", Effort.HIGH, {"type": "enabled", "budget_tokens": 16_000}, None),
        ("claude-3-5-haiku-20241022", Effort.HIGH, None, None),
        ("somebody-elses-model", Effort.HIGH, None, None),
    ],
)
def test_effort_is_asked_for_as_each_model_takes_it(
    model: str, effort: Effort, thinking: dict[str, Any] | None, config: dict[str, Any] | None
) -> None:
    made = asked(model, effort=effort)
    assert made.get("thinking") == thinking
    assert made.get("output_config") == config


def test_a_budget_leaves_room_for_the_answer_or_there_is_none() -> None:
    model = "claude-sonnet-4-5"
    made = asked(model, effort=Effort.HIGH, max_tokens=4_000)
    assert made["thinking"] == {"type": "enabled", "budget_tokens": 2_000}
    assert "thinking" not in asked(model, effort=Effort.HIGH, max_tokens=2_000)


def test_thinking_does_not_begin_between_a_call_and_its_result() -> None:
    assert "thinking" not in asked("claude-sonnet-4-5", turns=WITH_CALL, effort=Effort.HIGH)


@pytest.mark.parametrize(
    ("model", "more", "sent"),
    [
        ("claude-sonnet-4-5", {"temperature": 0.3, "top_p": 0.9}, {"temperature": 0.3}),
        ("claude-sonnet-4-5", {"top_p": 0.9}, {"top_p": 0.9}),
        ("claude-sonnet-4-5", {"temperature": 1.7}, {"temperature": 1.0}),
        ("claude-sonnet-4-5", {"temperature": 0.0}, {"temperature": 0.0}),
        ("claude-sonnet-4-5", {"temperature": 0.3, "effort": Effort.LOW}, {}),
        ("claude-opus-4-6", {"temperature": 0.3}, {"temperature": 0.3}),
        ("claude-opus-4-6", {"temperature": 0.3, "effort": Effort.ON}, {}),
        ("claude-opus-4-7", {"temperature": 0.3, "top_p": 0.9}, {}),
        ("claude-opus-5", {"temperature": 0.3, "effort": Effort.OFF}, {}),
    ],
)
def test_sampling_is_sent_only_to_models_that_take_it(
    model: str, more: dict[str, Any], sent: dict[str, float]
) -> None:
    made = asked(model, **more)
    assert {name: made[name] for name in ("temperature", "top_p", "top_k") if name in made} == sent


def test_stops_are_sent_but_for_white_space_which_is_refused() -> None:
    assert asked(stop=("END",))["stop_sequences"] == ["END"]
    with pytest.raises(RemoteFailure) as told:
        asked(stop=("\n\n",))
    assert (told.value.fault, told.value.facts) == (RemoteFault.UNSUPPORTED, {"what": "stop"})


def test_a_schema_is_closed_and_goes_with_the_effort() -> None:
    schema = {
        "type": "object",
        "properties": {"all": {"type": "array", "items": {"type": "object", "properties": {}}}},
    }
    wanted = Constraint(ConstraintKind.SCHEMA, json.dumps(schema))
    made = asked(constraint=wanted, effort=Effort.LOW)
    inner = {"type": "object", "properties": {}, "additionalProperties": False}
    assert made["output_config"] == {
        "effort": "low",
        "format": {
            "type": "json_schema",
            "schema": {
                "type": "object",
                "properties": {"all": {"type": "array", "items": inner}},
                "additionalProperties": False,
            },
        },
    }


@pytest.mark.parametrize(
    ("model", "kind", "text", "what"),
    [
        ("claude-opus-5", ConstraintKind.GRAMMAR, "root ::= [0-9]", "grammar"),
        ("claude-opus-5", ConstraintKind.JSON, "", "json"),
        ("claude-opus-4-1", ConstraintKind.SCHEMA, "{}", "schema"),
        ("claude-opus-5", ConstraintKind.SCHEMA, "no JSON", "schema"),
        ("claude-opus-5", ConstraintKind.SCHEMA, "[" * 100_000, "schema"),
        ("claude-opus-5", ConstraintKind.SCHEMA, '{"a":' * 900 + "1" + "}" * 900, "schema"),
    ],
)
def test_what_can_not_be_asked_for_is_said_before_anything_leaves(
    model: str, kind: ConstraintKind, text: str, what: str
) -> None:
    with pytest.raises(RemoteFailure) as told:
        asked(model, constraint=Constraint(kind, text))
    assert (told.value.fault, told.value.facts) == (RemoteFault.UNSUPPORTED, {"what": what})


def test_half_a_surrogate_pair_is_no_reason_to_fail() -> None:
    assert asked(turns=(Turn("user", "a\ud83d\u2028b"),))["messages"][0]["content"][0]["text"] == "a?\u2028b"
