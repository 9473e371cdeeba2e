"""What the lists of models of Anthropic, Google, Cohere and Ollama tell, and what the requests tell them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.runtime.values import CalledTool, Constraint, ConstraintKind, Effort, Image, Tool, Turn
from providers.remote.catalogue import catalogue, kinds_of_own_servers
from providers.remote.dialects import dialect
from providers.remote.faults import RemoteFailure, RemoteFault
from providers.remote.values import ChatCall, RemoteModelInfo, Service

SERVICES = {
    "anthropic": catalogue()["anthropic"],
    "gemini": catalogue()["google"],
    "cohere": catalogue()["cohere"],
    "ollama": kinds_of_own_servers()["ollama"],
}


def able(is_so: bool) -> dict[str, bool]:
    return {"supported": is_so}


LISTS: dict[str, tuple[dict[str, Any], tuple[RemoteModelInfo, ...]]] = {
    "anthropic": (
        {
            "data": [
                {
                    "type": "model",
                    "id": "claude-opus-5",
                    "display_name": "Claude Opus 5",
                    "created_at": "2026-07-24T00:00:00Z",
                    "max_input_tokens": 1_000_000,
                    "max_tokens": 128_000,
                    "capabilities": {
                        "image_input": able(True),
                        "thinking": {**able(True), "types": {"adaptive": able(True), "enabled": able(False)}},
                        "structured_outputs": able(True),
                    },
                },
                {"type": "model", "id": "claude-3-haiku-20240307", "display_name": "Claude Haiku 3"},
            ],
            "has_more": False,
        },
        (
            RemoteModelInfo(
                "claude-opus-5",
                "Claude Opus 5",
                context_tokens=1_000_000,
                most_output_tokens=128_000,
                sees=True,
                reasons=True,
                calls_tools=True,
                keeps_to_json=True,
            ),
            RemoteModelInfo("claude-3-haiku-20240307", "Claude Haiku 3", calls_tools=True),
        ),
    ),
    "gemini": (
        {
            "models": [
                {
                    "name": "models/gemini-3.8-flash",
                    "displayName": "Gemini 3.8 Flash",
                    "inputTokenLimit": 1_048_576,
                    "outputTokenLimit": 65_536,
                    "supportedGenerationMethods": ["generateContent", "countTokens"],
                    "thinking": True,
                },
                {"name": "models/gemini-embedding-001", "supportedGenerationMethods": ["embedContent"]},
                {
                    "name": "models/gemini-2.5-flash-preview-tts",
                    "supportedGenerationMethods": ["generateContent"],
                },
                {"name": "models/nothing"},
                {"id": "models/of-another-service", "supportedGenerationMethods": ["generateContent"]},
            ]
        },
        (
            RemoteModelInfo(
                "gemini-3.8-flash",
                "Gemini 3.8 Flash",
                context_tokens=1_048_576,
                most_output_tokens=65_536,
                reasons=True,
            ),
        ),
    ),
    "cohere": (
        {
            "models": [
                {
                    "name": "command-a-03-2025",
                    "endpoints": ["chat"],
                    "context_length": 288_000.0,
                    "features": ["json_mode", "json_schema", "safety_modes", "strict_tools", "tools"],
                },
                {"name": "command-a-vision-07-2025", "context_length": 128_000, "features": None},
            ]
        },
        (
            RemoteModelInfo(
                "command-a-03-2025",
                "command-a-03-2025",
                context_tokens=288_000,
                calls_tools=True,
                keeps_to_json=True,
            ),
            RemoteModelInfo(
                "command-a-vision-07-2025", "command-a-vision-07-2025", context_tokens=128_000, sees=True
            ),
        ),
    ),
    "ollama": (
        {
            "models": [
                {
                    "name": "qwen3:8b",
                    "model": "qwen3:8b",
                    "size": 5_225_388_164,
                    "details": {
                        "family": "qwen3",
                        "parameter_size": "8.2B",
                        "quantization_level": "Q4_K_M",
                        "context_length": 40_960,
                    },
                    "capabilities": ["completion", "tools", "thinking"],
                },
                {"name": "llama3.2:latest", "details": {"family": "llama", "parameter_size": "3.2B"}},
                {"name": "gpt-oss:120b-cloud", "remote_host": "https://ollama.com:443", "details": {}},
                {"name": "bge-m3", "details": {"family": "bert"}},
                {"name": "mxbai-embed-large"},
                {"name": "embed", "details": {"family": "gemma3"}, "capabilities": ["embedding"]},
            ]
        },
        (
            RemoteModelInfo(
                "qwen3:8b",
                "qwen3:8b (8.2B, Q4_K_M)",
                context_tokens=40_960,
                sees=False,
                reasons=True,
                calls_tools=True,
                keeps_to_json=True,
            ),
            RemoteModelInfo("llama3.2:latest", "llama3.2:latest (3.2B)", keeps_to_json=True),
            RemoteModelInfo("gpt-oss:120b-cloud", "gpt-oss:120b-cloud (ollama.com)"),
        ),
    ),
}


@pytest.mark.parametrize("name", LISTS)
def test_a_list_has_the_models_that_answer_in_its_order(name: str) -> None:
    told, models = LISTS[name]
    assert dialect(name).read_models(json.dumps(told).encode(), SERVICES[name]) == models


@pytest.mark.parametrize(
    ("name", "path", "headers"),
    [
        ("anthropic", "/models?limit=1000", {"anthropic-version": "2023-06-01"}),
        ("gemini", "/models?pageSize=1000", {}),
        ("cohere", "/v1/models?endpoint=chat&page_size=1000", {}),
        ("ollama", "/api/tags", {}),
    ],
)
def test_the_list_is_asked_for_once_and_whole(name: str, path: str, headers: dict[str, str]) -> None:
    asked = dialect(name).models(SERVICES[name])
    assert (asked.method, asked.path, asked.headers, asked.body) == ("GET", path, headers, b"")


@pytest.mark.parametrize("name", LISTS)
@pytest.mark.parametrize("body", [b"", b"<html>", b"7", b"{}", b'{"models":7,"data":"x"}', b"[" * 100_000])
def test_what_is_no_list_can_not_be_read(name: str, body: bytes) -> None:
    with pytest.raises(RemoteFailure) as told:
        dialect(name).read_models(body, SERVICES[name])
    assert told.value.fault is RemoteFault.UNREADABLE


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=8,
)
NAMES = [
    "id",
    "name",
    "display_name",
    "capabilities",
    "details",
    "features",
    "supportedGenerationMethods",
    "thinking",
]


@pytest.mark.parametrize("name", LISTS)
@settings(max_examples=40)
@given(
    st.lists(JSON | st.dictionaries(st.sampled_from(NAMES), JSON | st.just(["generateContent"]), max_size=6))
)
def test_nothing_in_a_list_is_too_strange(name: str, models: list[Any]) -> None:
    body = json.dumps({"data": models, "models": models})
    for model in dialect(name).read_models(body.encode(), SERVICES[name]):
        assert model.id and model.context_tokens >= 0


TURNS = (
    Turn("system", "Be short."),
    Turn("user", "Which?", (Image(b"\xff\xd8\xff\xe0"),)),
    Turn("assistant", "", calls=(CalledTool("c1", "now", "{}"),), reasoning="Hm."),
    Turn("tool", "12:00", call_id="c1"),
)
EVERYTHING = ChatCall(
    "gemini-3.8-flash",
    TURNS,
    temperature=0.5,
    top_p=0.5,
    stop=("END",),
    max_tokens=5_000,
    tools=(Tool("now", "The time"),),
    effort=Effort.HIGH,
)
SAID = {
    "anthropic": "max_tokens messages model stop_sequences stream system temperature tools",
    "gemini": "contents generationConfig systemInstruction tools",
    "cohere": "max_tokens messages model p stop_sequences stream temperature thinking tools",
    "ollama": "messages model options stream think tools truncate",
}


@pytest.mark.parametrize("name", SAID)
def test_a_request_says_nothing_of_who_asks(name: str) -> None:
    service: Service = SERVICES[name]
    made = dialect(name).chat(EVERYTHING, service)
    assert " ".join(sorted(json.loads(made.body))) == SAID[name]
    version = {"anthropic-version": "2023-06-01"} if name == "anthropic" else {}
    assert made.headers == {"content-type": "application/json", **version}
    assert made == dialect(name).chat(EVERYTHING, service)


@pytest.mark.parametrize("name", SAID)
def test_no_dialect_of_these_knows_a_grammar(name: str) -> None:
    wanted = Constraint(ConstraintKind.GRAMMAR, "root ::= [0-9]")
    with pytest.raises(RemoteFailure) as told:
        dialect(name).chat(ChatCall("m", (Turn("user", "Hi"),), constraint=wanted), SERVICES[name])
    assert (told.value.fault, told.value.facts) == (RemoteFault.UNSUPPORTED, {"what": "grammar"})
