"""What goes to an Ollama server: every field, and nothing that says who asks."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from models.runtime.values import CalledTool, Constraint, ConstraintKind, Effort, Image, Tool, Turn
from providers.remote.catalogue import kinds_of_own_servers
from providers.remote.dialects import dialect
from providers.remote.faults import RemoteFailure, RemoteFault
from providers.remote.values import ChatCall

DIALECT = dialect("ollama")
SERVICE = kinds_of_own_servers()["ollama"]
PNG = b"\x89PNG\r\n\x1a\nrest of a file"
QUESTION = (Turn("user", "What is a monad?"),)
SCHEMA = '{"type":"object","properties":{"city":{"type":"string"}}}'


def asked(**more: Any) -> dict[str, Any]:
    call = ChatCall(model="qwen3:8b", **{"turns": QUESTION, **more})
    read: dict[str, Any] = json.loads(DIALECT.chat(call, SERVICE).body)
    return read


def test_a_plain_question_says_nothing_that_nobody_chose() -> None:
    made = DIALECT.chat(ChatCall("qwen3:8b", QUESTION), SERVICE)
    assert (made.method, made.path) == ("POST", "/api/chat")
    assert made.headers == {"content-type": "application/json"}
    assert json.loads(made.body) == {
        "model": "qwen3:8b",
        "messages": [{"role": "user", "content": "What is a monad?"}],
        "stream": True,
        "truncate": False,
    }


def test_choices_are_options_under_their_names() -> None:
    made = asked(temperature=0.0, top_p=0.9, stop=("END",), max_tokens=50)
    assert made["options"] == {"temperature": 0.0, "top_p": 0.9, "stop": ["END"], "num_predict": 50}


@pytest.mark.parametrize(
    ("effort", "think"),
    [
        (Effort.AUTOMATIC, None),
        (Effort.OFF, False),
        (Effort.ON, True),
        (Effort.LOW, "low"),
        (Effort.MEDIUM, "medium"),
        (Effort.HIGH, "high"),
    ],
)
def test_effort_is_said_as_think(effort: Effort, think: bool | str | None) -> None:
    assert asked(effort=effort).get("think") == think


def test_images_are_a_list_beside_the_text() -> None:
    message = asked(turns=(Turn("user", "Which?", (Image(PNG),)),))["messages"][0]
    assert message == {
        "role": "user",
        "content": "Which?",
        "images": [base64.b64encode(PNG).decode()],
    }


def test_tools_and_their_results_go_back_with_what_led_to_them() -> None:
    call = CalledTool("call_1", "weather", '{"city":"Kiel"}')
    turns = (
        Turn("system", "Be short."),
        Turn("user", "Rain?"),
        Turn("assistant", "", calls=(call,), reasoning="Kiel…"),
        Turn("tool", "Rain", call_id="call_1"),
    )
    made = asked(turns=turns, tools=(Tool("weather", "The weather.", SCHEMA),))
    assert made["tools"] == [
        {
            "type": "function",
            "function": {"name": "weather", "description": "The weather.", "parameters": json.loads(SCHEMA)},
        }
    ]
    assert made["messages"] == [
        {"role": "system", "content": "Be short."},
        {"role": "user", "content": "Rain?"},
        {
            "role": "assistant",
            "content": "",
            "thinking": "Kiel…",
            "tool_calls": [{"id": "call_1", "function": {"name": "weather", "arguments": {"city": "Kiel"}}}],
        },
        {"role": "tool", "content": "Rain", "tool_name": "weather", "tool_call_id": "call_1"},
    ]


def test_json_is_a_word_or_a_schema_and_never_a_grammar() -> None:
    assert asked(constraint=Constraint(ConstraintKind.JSON))["format"] == "json"
    assert asked(constraint=Constraint(ConstraintKind.SCHEMA, SCHEMA))["format"] == json.loads(SCHEMA)
    with pytest.raises(RemoteFailure) as told:
        asked(constraint=Constraint(ConstraintKind.GRAMMAR, "root ::= [0-9]"))
    assert (told.value.fault, told.value.facts) == (RemoteFault.UNSUPPORTED, {"what": "grammar"})
