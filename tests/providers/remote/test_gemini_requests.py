"""What goes to Google's Gemini API: every field, and nothing that says who asks."""

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

DIALECT = dialect("gemini")
SERVICE = catalogue()["google"]
PNG = b"\x89PNG\r\n\x1a\nrest of a file"
QUESTION = (Turn("user", "What is a monad?"),)
WEATHER = Tool(
    "weather", "The weather in a city.", '{"type":"object","properties":{"city":{"type":"string"}}}'
)
CALLS = (CalledTool("call-mAita7Qq-0", "weather", '{"city":"Kiel"}'), CalledTool("fc_1", "now", "broken"))
RECORD = json.dumps(
    {
        "dialect": "gemini",
        "model": "gemini-3.8-flash",
        "parts": [
            {"block": {"text": "Kiel…", "thought": True, "thoughtSignature": "dGg="}},
            {"text": 8},
            {"text": 2, "signature": "dGV4dA=="},
            {"call": "call-mAita7Qq-0", "signature": "c2ln"},
            {"call": "fc_1"},
        ],
    }
)
WITH_CALLS = (
    Turn("user", "Rain in Kiel?"),
    Turn("assistant", "A moment: ", calls=CALLS, reasoning_record=RECORD),
    Turn("tool", "Rain", call_id="call-mAita7Qq-0"),
    Turn("tool", "12:00", call_id="fc_1"),
    Turn("user", "Quick!"),
)


def asked(model: str = "gemini-2.0-flash", **more: Any) -> dict[str, Any]:
    call = ChatCall(model=model, **{"turns": QUESTION, **more})
    read: dict[str, Any] = json.loads(DIALECT.chat(call, SERVICE).body)
    return read


def test_a_plain_question_says_nothing_that_nobody_chose() -> None:
    made = DIALECT.chat(ChatCall("gemini-2.0-flash", QUESTION), SERVICE)
    assert (made.method, made.path) == ("POST", "/models/gemini-2.0-flash:streamGenerateContent?alt=sse")
    assert made.headers == {"content-type": "application/json"}
    assert json.loads(made.body) == {"contents": [{"role": "user", "parts": [{"text": "What is a monad?"}]}]}


@pytest.mark.parametrize(
    ("model", "path"),
    [
        ("models/gemini-2.5-pro", "/models/gemini-2.5-pro"),
        ("tunedModels/mine-1", "/tunedModels/mine-1"),
        ("../v1/models?key=a#b", "/models/..%2Fv1%2Fmodels%3Fkey%3Da%23b"),
        ("models/../../x", "/models/..%2F..%2Fx"),
        ("a b\r\nHost: evil", "/models/a%20b%0D%0AHost%3A%20evil"),
        ("https://evil.example/x", "/models/https%3A%2F%2Fevil.example%2Fx"),
        ("modèle", "/models/mod%C3%A8le"),
    ],
)
def test_no_name_of_a_model_leads_anywhere_else(model: str, path: str) -> None:
    made = DIALECT.chat(ChatCall(model, QUESTION), SERVICE)
    assert made.path == f"{path}:streamGenerateContent?alt=sse"


def test_choices_are_sent_under_their_names() -> None:
    made = asked(
        turns=(Turn("system", "Be short."), *QUESTION),
        temperature=0.0,
        top_p=0.9,
        stop=("END",),
        max_tokens=50,
        constraint=Constraint(ConstraintKind.JSON),
    )
    assert made["systemInstruction"] == {"parts": [{"text": "Be short."}]}
    assert made["generationConfig"] == {
        "temperature": 0.0,
        "topP": 0.9,
        "stopSequences": ["END"],
        "maxOutputTokens": 50,
        "responseMimeType": "application/json",
    }


def test_a_schema_goes_with_it_and_a_grammar_does_not() -> None:
    wanted = Constraint(ConstraintKind.SCHEMA, '{"type":"object"}')
    assert asked(constraint=wanted)["generationConfig"] == {
        "responseMimeType": "application/json",
        "responseJsonSchema": {"type": "object"},
    }
    with pytest.raises(RemoteFailure) as told:
        asked(constraint=Constraint(ConstraintKind.GRAMMAR, "root ::= [0-9]"))
    assert (told.value.fault, told.value.facts) == (RemoteFault.UNSUPPORTED, {"what": "grammar"})


def test_images_stand_before_the_text() -> None:
    parts = asked(turns=(Turn("user", "Which?", (Image(PNG),)),))["contents"][0]["parts"]
    image = {"mimeType": "image/png", "data": base64.b64encode(PNG).decode()}
    assert parts == [{"inlineData": image}, {"text": "Which?"}]


def test_calls_and_results_go_back_with_their_signatures_in_their_places() -> None:
    made = asked("gemini-3.8-flash", turns=WITH_CALLS, tools=(WEATHER, Tool("now")))
    assert made["tools"] == [
        {
            "functionDeclarations": [
                {
                    "name": "weather",
                    "description": "The weather in a city.",
                    "parametersJsonSchema": {"type": "object", "properties": {"city": {"type": "string"}}},
                },
                {"name": "now", "description": ""},
            ]
        }
    ]
    assert made["contents"][1] == {
        "role": "model",
        "parts": [
            {"text": "Kiel…", "thought": True, "thoughtSignature": "dGg="},
            {"text": "A moment"},
            {"text": ": ", "thoughtSignature": "dGV4dA=="},
            {"functionCall": {"name": "weather", "args": {"city": "Kiel"}}, "thoughtSignature": "c2ln"},
            {"functionCall": {"id": "fc_1", "name": "now", "args": {}}},
        ],
    }
    assert made["contents"][2] == {
        "role": "user",
        "parts": [
            {"functionResponse": {"name": "weather", "response": {"output": "Rain"}}},
            {"functionResponse": {"id": "fc_1", "name": "now", "response": {"output": "12:00"}}},
            {"text": "Quick!"},
        ],
    }


def test_signatures_of_another_model_stay_here_and_the_newer_ones_are_told_so() -> None:
    for model, signature in (
        ("gemini-2.5-pro", None),
        ("gemini-3.1-pro-preview", "skip_thought_signature_validator"),
    ):
        parts = asked(model, turns=WITH_CALLS)["contents"][1]["parts"]
        assert [part.get("thoughtSignature") for part in parts] == [None, signature, None], model
        assert parts[0] == {"text": "A moment: "}


def test_calls_that_got_no_result_are_left_out() -> None:
    parts = asked(turns=(*WITH_CALLS[:2], Turn("user", "Well?")))["contents"][1]["parts"]
    assert parts == [{"text": "A moment: "}]


@pytest.mark.parametrize(
    ("model", "effort", "thinking"),
    [
        ("gemini-2.0-flash", Effort.HIGH, None),
        ("gemma-3-27b-it", Effort.HIGH, None),
        ("gemini-2.5-flash-image", Effort.AUTOMATIC, None),
        ("gemini-2.5-flash", Effort.AUTOMATIC, {"includeThoughts": True}),
        ("gemini-2.5-flash", Effort.OFF, {"thinkingBudget": 0}),
        ("gemini-2.5-pro", Effort.OFF, {"thinkingBudget": 128}),
        ("gemini-2.5-flash-lite", Effort.ON, {"includeThoughts": True, "thinkingBudget": -1}),
        ("models/gemini-2.5-pro", Effort.LOW, {"includeThoughts": True, "thinkingBudget": 1_024}),
        ("gemini-2.5-pro", Effort.HIGH, {"includeThoughts": True, "thinkingBudget": 24_576}),
        ("gemini-3-pro-preview", Effort.AUTOMATIC, {"includeThoughts": True}),
        ("gemini-3-pro-preview", Effort.ON, {"includeThoughts": True}),
        ("gemini-3-pro-preview", Effort.MEDIUM, {"includeThoughts": True, "thinkingLevel": "high"}),
        ("gemini-3.1-pro-preview", Effort.MEDIUM, {"includeThoughts": True, "thinkingLevel": "medium"}),
        ("gemini-3.8-flash", Effort.OFF, {"includeThoughts": True, "thinkingLevel": "low"}),
        ("gemini-flash-latest", Effort.HIGH, {"includeThoughts": True, "thinkingLevel": "high"}),
    ],
)
def test_effort_is_asked_for_as_each_model_takes_it(
    model: str, effort: Effort, thinking: dict[str, Any] | None
) -> None:
    assert asked(model, effort=effort).get("generationConfig", {}).get("thinkingConfig") == thinking
