"""What goes to Cohere's API: every field, and nothing that says who asks."""

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

DIALECT = dialect("cohere")
SERVICE = catalogue()["cohere"]
JPEG = b"\xff\xd8\xff\xe0rest of a file"
QUESTION = (Turn("user", "What is a monad?"),)
SCHEMA = '{"type":"object","properties":{"city":{"type":"string"}}}'


def asked(**more: Any) -> dict[str, Any]:
    call = ChatCall(model="command-a-03-2025", **{"turns": QUESTION, **more})
    read: dict[str, Any] = json.loads(DIALECT.chat(call, SERVICE).body)
    return read


def test_a_plain_question_says_nothing_that_nobody_chose() -> None:
    made = DIALECT.chat(ChatCall("command-a-03-2025", QUESTION), SERVICE)
    assert (made.method, made.path) == ("POST", "/v2/chat")
    assert made.headers == {"content-type": "application/json"}
    assert json.loads(made.body) == {
        "model": "command-a-03-2025",
        "messages": [{"role": "user", "content": "What is a monad?"}],
        "stream": True,
    }


def test_choices_are_sent_under_their_names() -> None:
    made = asked(
        turns=(Turn("system", "Be short."), *QUESTION),
        temperature=0.0,
        top_p=1.0,
        stop=("END",),
        max_tokens=50,
    )
    assert made["messages"][0] == {"role": "system", "content": "Be short."}
    chosen = {name: made[name] for name in ("temperature", "p", "stop_sequences", "max_tokens")}
    assert chosen == {"temperature": 0.0, "p": 0.99, "stop_sequences": ["END"], "max_tokens": 50}


@pytest.mark.parametrize(
    ("effort", "thinking"),
    [
        (Effort.AUTOMATIC, None),
        (Effort.OFF, {"type": "disabled"}),
        (Effort.ON, {"type": "enabled"}),
        (Effort.LOW, {"type": "enabled", "token_budget": 1_024}),
        (Effort.MEDIUM, {"type": "enabled", "token_budget": 4_096}),
        (Effort.HIGH, {"type": "enabled", "token_budget": 16_384}),
    ],
)
def test_effort_is_a_budget_of_thinking(effort: Effort, thinking: dict[str, Any] | None) -> None:
    assert asked(effort=effort).get("thinking") == thinking


def test_images_stand_before_the_text() -> None:
    content = asked(turns=(Turn("user", "Which?", (Image(JPEG),)),))["messages"][0]["content"]
    address = f"data:image/jpeg;base64,{base64.b64encode(JPEG).decode()}"
    assert content == [
        {"type": "image_url", "image_url": {"url": address}},
        {"type": "text", "text": "Which?"},
    ]


def test_tools_and_their_results_go_back_with_what_led_to_them() -> None:
    blocks = [{"type": "thinking", "thinking": "Kiel…"}, {"tool_plan": "I ask."}]
    record = json.dumps({"dialect": "cohere", "model": "", "parts": [{"block": block} for block in blocks]})
    call = CalledTool("weather_1", "weather", '{"city":"Kiel"}')
    turns = (
        Turn("user", "Rain?"),
        Turn("assistant", "", calls=(call,), reasoning_record=record),
        Turn("tool", "Rain", call_id="weather_1"),
    )
    made = asked(turns=turns, tools=(Tool("weather", "The weather.", SCHEMA), Tool("now")))
    assert made["tools"] == [
        {
            "type": "function",
            "function": {"name": "weather", "description": "The weather.", "parameters": json.loads(SCHEMA)},
        },
        {"type": "function", "function": {"name": "now", "parameters": {"type": "object", "properties": {}}}},
    ]
    assert made["messages"][1:] == [
        {
            "role": "assistant",
            "tool_plan": "I ask.",
            "content": [{"type": "thinking", "thinking": "Kiel…"}],
            "tool_calls": [
                {
                    "id": "weather_1",
                    "type": "function",
                    "function": {"name": "weather", "arguments": '{"city":"Kiel"}'},
                }
            ],
        },
        {"role": "tool", "tool_call_id": "weather_1", "content": "Rain"},
    ]


def test_an_answer_without_calls_goes_back_as_its_text() -> None:
    turns = (*QUESTION, Turn("assistant", "A burrito.", reasoning_record="anything"), Turn("user", "Why?"))
    said = asked(turns=turns)["messages"][1]
    assert said == {"role": "assistant", "content": [{"type": "text", "text": "A burrito."}]}


def test_json_is_asked_for_with_and_without_a_schema() -> None:
    assert asked(constraint=Constraint(ConstraintKind.JSON))["response_format"] == {"type": "json_object"}
    wanted = Constraint(ConstraintKind.SCHEMA, SCHEMA)
    assert asked(constraint=wanted)["response_format"] == {
        "type": "json_object",
        "json_schema": json.loads(SCHEMA),
    }


@pytest.mark.parametrize(
    ("constraint", "tools", "what"),
    [
        (Constraint(ConstraintKind.GRAMMAR, "root ::= [0-9]"), (), "grammar"),
        (Constraint(ConstraintKind.SCHEMA, "[]"), (), "schema"),
        (Constraint(ConstraintKind.JSON), (Tool("now"),), "tools"),
    ],
)
def test_what_can_not_be_asked_for_is_said_before_anything_leaves(
    constraint: Constraint, tools: tuple[Tool, ...], what: str
) -> None:
    with pytest.raises(RemoteFailure) as told:
        asked(constraint=constraint, tools=tools)
    assert (told.value.fault, told.value.facts) == (RemoteFault.UNSUPPORTED, {"what": what})
