"""Each of the six dialects against a server that others wrote, through a real broker, a real proxy, TLS and keychain.

What is asked is asked once for all, beside one another; the tests look at what came of it.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import sys
from collections.abc import Iterator
from contextlib import aclosing, suppress
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from support.aimock import said
from support.outside import broker, ledger_rows, requests_in
from support.services import KEY, OLLAMA, PROVIDERS, Services, all_of, all_of_each, services

from models.runtime.faults import StopReason
from models.runtime.values import Constraint, ConstraintKind, Tool, Turn
from providers.events import Finished, ReasoningDelta, TextDelta, ToolCall, Usage, Waiting
from providers.gate.chat_messages import ChatSend, ModelsFound, ModelsList, RemoteRefused
from providers.gate.client import BrokerClient
from providers.gate.faults import BrokerGone, GateError
from providers.gate.key_messages import KeyTest
from providers.gate.protocol import Event, GateFault
from providers.gate.rules import Label
from providers.gate.verification import verify
from providers.remote.faults import RemoteFault
from providers.remote.values import ChatCall

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="the Secret Service is Linux's"),
    pytest.mark.timeout(240),
]

MODEL = "a-model"
TEXT = "Music \u2028 is \u0085 a line, été for you."
_USED = {
    "prompt_tokens": 21, "completion_tokens": 9, "input_tokens": 21, "output_tokens": 9,
    "promptTokenCount": 21, "candidatesTokenCount": 9,
}  # fmt: skip
_LONG = {"content": "an answer that is long enough to be cut in its middle"}


def error(status: int, message: str, kind: str, **more: object) -> dict[str, object]:
    return {"error": {"message": message, "type": kind}, "status": status, **more}


# Pieces are cut in UTF-16 there, through the middle of an emoji: none stands in these.
FIXTURES = [
    said("plainly", {"content": TEXT, "usage": _USED}, MODEL, chunkSize=3),
    said("thinking", {"content": "Four.", "reasoning": "Two and two."}),
    said("tool", {"toolCalls": [{"name": "weather", "arguments": {"city": "Zürich"}, "id": "call_1"}]}),
    said("as JSON", {"content": {"answer": 42}}),
    said("slowly", _LONG, chunkSize=1, latency=200),
    said("429 soon", error(429, "Slow down", "rate_limit_error", retryAfter=0)),
    said("429 tomorrow", error(429, "Slow down", "rate_limit_error", retryAfter=3600)),
    said("429 credit", error(429, "You exceeded your current quota, check billing", "insufficient_quota")),
    said("529", error(529, "Overloaded", "overloaded_error")),
    said("503", error(503, "The engine is overloaded", "server_error")),
    said("500", error(500, "Something broke", "api_error")),
    said("402", error(402, "Insufficient balance", "billing_error")),
    said("404", error(404, "The model `a-model` does not exist", "not_found_error")),
    said("retired", error(404, "The model a-model has been deprecated", "not_found_error")),
    said("too long", error(400, "prompt is too long: 300000 tokens > 200000 maximum", "invalid_request_error")),
    said("rejected", error(400, "Your request was flagged by our content policy", "invalid_request_error")),
    said("picture", error(400, "image exceeds 5 MB maximum: too large", "invalid_request_error")),
    said("region", error(403, "Country not supported", "permission_error")),
    said("truncated", _LONG, chunkSize=4, latency=20, truncateAfterChunks=12),
    said("goes away", _LONG, chunkSize=4, latency=20, disconnectAfterMs=250),
    said("malformed", _LONG, chaos={"malformedRate": 1}),
    said("dropped", _LONG, chaos={"dropRate": 1}),
    said("hung up", _LONG, chaos={"disconnectRate": 1}),
]  # fmt: skip

# What each comes to: a fault of the service, or one of the gate where the connection itself broke.
ENDS: dict[str, frozenset[RemoteFault | GateFault]] = {
    "429 soon": frozenset({RemoteFault.RATE_LIMITED}),
    "429 tomorrow": frozenset({RemoteFault.RATE_LIMITED}),
    "429 credit": frozenset({RemoteFault.NO_CREDIT}),
    "529": frozenset({RemoteFault.OVERLOADED}),
    "503": frozenset({RemoteFault.OVERLOADED}),
    "500": frozenset({RemoteFault.SERVER_FAILED}),
    "402": frozenset({RemoteFault.NO_CREDIT}),
    "404": frozenset({RemoteFault.MODEL_UNKNOWN}),
    "retired": frozenset({RemoteFault.MODEL_RETIRED}),
    "too long": frozenset({RemoteFault.CONTEXT_TOO_LONG}),
    "rejected": frozenset({RemoteFault.CONTENT_REFUSED}),
    "picture": frozenset({RemoteFault.IMAGE_REFUSED}),
    "region": frozenset({RemoteFault.FORBIDDEN}),
    "truncated": frozenset({RemoteFault.CUT_OFF, GateFault.CUT_OFF}),
    "goes away": frozenset({RemoteFault.CUT_OFF, GateFault.CUT_OFF}),
    "malformed": frozenset({RemoteFault.UNREADABLE, RemoteFault.CUT_OFF}),
    "dropped": frozenset({RemoteFault.SERVER_FAILED}),
    "hung up": frozenset({GateFault.CUT_OFF}),
}
ASKED_AGAIN = {"429 soon", "529", "503"}


def asking(provider: str, question: str, **more: object) -> ChatSend:
    call = ChatCall(MODEL, (Turn("system", "Be brief."), Turn("user", question)))
    return ChatSend(provider, "7", replace(call, **more), Label.MAY_LEAVE)  # type: ignore[arg-type]


WEATHER = Tool("weather", "Of a city", '{"type": "object", "properties": {"city": {"type": "string"}}}')
GOOD: dict[str, dict[str, object]] = {
    "plainly": {},
    "thinking": {},
    "tool": {"tools": (WEATHER,)},
    "as JSON": {"constraint": Constraint(ConstraintKind.JSON)},
}

Said = list[Event | GateError]


@dataclass(frozen=True)
class Session:
    """What a broker said, by provider and question, and all that can be read afterwards."""

    said: dict[tuple[str, str], Said]
    stopped: dict[str, bool]  # whether the service saw that nobody listened any more
    services: Services
    processes: bytes  # argv and environ of every process meanwhile
    complaints: str  # the broker's stderr


def what_processes_show(server: int) -> bytes:
    """The command lines and environments that this account may read, but for the server's, which was told the key."""
    found = []
    for name in os.listdir("/proc"):
        for file in ("cmdline", "environ"):
            if name.isdigit() and int(name) != server:
                with suppress(OSError):
                    found.append(Path("/proc", name, file).read_bytes())
    return b"\n".join(found)


async def give_up(client: BrokerClient, there: Services, provider: str) -> bool:
    """Stop after the first word of an answer that takes seconds. Whether the service saw its connection close."""
    door = there.plain if provider == OLLAMA else there.door
    closed = door.closed
    async with aclosing(client.request(asking(provider, "slowly"))) as found:
        async for event in found:
            if isinstance(event, TextDelta):
                break
    return await asyncio.to_thread(door.wait_until_closed, closed + 1)


async def whole_session(there: Services) -> Session:
    asked: dict[tuple[str, str], object] = {}
    for provider in PROVIDERS:
        for question, more in GOOD.items():
            asked[provider, question] = asking(provider, question, **more)
        for question in ENDS:
            asked[provider, question] = asking(provider, question)
        asked[provider, "models"] = ModelsList(provider)
    async with broker(there.home, there.environ) as client:
        ready = await client.ready()
        assert ready.locked
        found = await all_of_each(client, asked, at_once=12)
        shown = what_processes_show(there.server.pid)
        stopped = {provider: await give_up(client, there, provider) for provider in PROVIDERS}
        there.keep("sk-CANARY-wrong-0000000000")
        for provider in PROVIDERS:
            found[provider, "key test"] = await all_of(client, KeyTest.of(provider))
            found[provider, "wrong key"] = await all_of(client, asking(provider, "plainly"))
        there.keep(KEY)
        await all_of(client, KeyTest.of("openai"))
        shown += what_processes_show(there.server.pid)
    with pytest.raises(BrokerGone) as gone:  # it tells what the broker wrote to stderr
        await all_of(client, ModelsList("openai"))
    return Session(found, stopped, there, shown, repr(gone.value.args))


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    with services(tmp_path_factory.mktemp("services"), FIXTURES) as there:
        yield asyncio.run(asyncio.wait_for(whole_session(there), 200))


def text_of(events: Said) -> str:
    return "".join(event.text for event in events if isinstance(event, TextDelta))


def fault_of(events: Said) -> RemoteFault | GateFault:
    last = events[-1]
    assert isinstance(last, RemoteRefused | GateError), events
    return last.fault


@pytest.mark.parametrize("provider", PROVIDERS)
class TestEachDialect:
    def test_text_comes_as_it_was_said_with_what_was_used(self, provider: str, session: Session) -> None:
        events = session.said[provider, "plainly"]
        assert text_of(events) == TEXT
        assert events[-1] == Finished(StopReason.STOP)
        used = [event for event in events if isinstance(event, Usage)]
        # Of this one the server says what it likes, which is nothing.
        expected = (0, 0) if provider == OLLAMA else (21, 9)
        assert [(one.prompt_tokens, one.generated_tokens) for one in used] == [expected]

    def test_a_tool_is_called_and_not_run(self, provider: str, session: Session) -> None:
        events = session.said[provider, "tool"]
        (call,) = [event for event in events if isinstance(event, ToolCall)]
        assert (call.name, json.loads(call.arguments)) == ("weather", {"city": "Zürich"})
        assert call.id and isinstance(events[-1], Finished)

    def test_thinking_is_told_from_the_answer(self, provider: str, session: Session) -> None:
        events = session.said[provider, "thinking"]
        assert text_of(events).endswith("Four.")
        thought = "".join(event.text for event in events if isinstance(event, ReasoningDelta))
        # Here the server differs from the services: Ollama's thoughts are "thinking" and not "reasoning_content",
        # Cohere's are content of the type "thinking" and not of "text". Those are in the tests of the two dialects.
        if provider not in ("cohere", OLLAMA):
            assert (thought, text_of(events)) == ("Two and two.", "Four.")

    def test_an_answer_in_json_is_asked_for_and_comes(self, provider: str, session: Session) -> None:
        events = session.said[provider, "as JSON"]
        if provider == "anthropic":  # has no JSON without a schema: said before anything leaves
            assert fault_of(events) is RemoteFault.UNSUPPORTED
        else:
            assert json.loads(text_of(events)) == {"answer": 42}

    @pytest.mark.parametrize("question", ENDS)
    def test_what_goes_wrong_has_its_name(self, provider: str, question: str, session: Session) -> None:
        events = session.said[provider, question]
        assert fault_of(events) in ENDS[question], events
        assert bool([event for event in events if isinstance(event, Waiting)]) == (question in ASKED_AGAIN)
        if question == "429 tomorrow":
            last = events[-1]
            assert isinstance(last, RemoteRefused) and last.facts["retry_after"] == 3600
        if question in ("truncated", "goes away"):
            assert text_of(events) and str(_LONG["content"]).startswith(text_of(events))

    def test_giving_up_closes_the_connection(self, provider: str, session: Session) -> None:
        assert session.stopped[provider]
        ends = [row["outcome"] for row in ledger_rows(session.services.home) if row["kind"] == "end"]
        assert ends.count("cancelled") == len(PROVIDERS)

    def test_a_wrong_key_is_refused_and_not_quoted(self, provider: str, session: Session) -> None:
        assert fault_of(session.said[provider, "wrong key"]) is RemoteFault.KEY_REFUSED
        assert fault_of(session.said[provider, "key test"]) is RemoteFault.KEY_REFUSED

    def test_its_models_are_listed_or_it_says_why_not(self, provider: str, session: Session) -> None:
        """The server has no list in Google's or Cohere's form; theirs are in the tests of those dialects."""
        last = session.said[provider, "models"][-1]
        if provider in ("google", "cohere"):
            assert isinstance(last, RemoteRefused), last
        else:
            assert isinstance(last, ModelsFound) and [model.id for model in last.models] == [MODEL]


def test_the_key_is_nowhere_but_in_the_keychain_and_in_the_header_that_is_sent(
    session: Session, tmp_path: Path
) -> None:
    there = session.services
    heard = there.heard.lower()
    for header in ("authorization: bearer ", "x-api-key: ", "x-goog-api-key: "):
        assert f"{header}{KEY}".lower().encode() in heard, "it was never sent, so this would find nothing"
    places = {
        "processes": session.processes,
        "the broker's words": session.complaints.encode(),
        "events": repr(session.said).encode(),
        **{str(path): path.read_bytes() for path in there.home.parent.rglob("*") if path.is_file()},
    }
    assert any(name.endswith("ledger.jsonl") for name in places)
    found = {(name, mark) for name, content in places.items() for mark in marks_of(KEY) if mark in content}
    assert found == set()


def marks_of(key: str) -> set[bytes]:
    """What would give the key away: any twelve characters of it, plain or in base64 at any place."""
    plain = {key[start : start + 12].encode() for start in range(len(key) - 11)}
    packed = {base64.b64encode(b" " * shift + key.encode())[4:-4] for shift in range(3)}
    return plain | {one[start : start + 12] for one in packed for start in range(len(one) - 11)}


def test_what_left_is_in_the_ledger_once_for_each_request(session: Session) -> None:
    home = session.services.home
    assert verify(home / "ledger" / "ledger.jsonl", session.services.keychain.ledger_key()).intact
    allowed = [row for row in requests_in(home) if row["verdict"] == "allowed"]
    ended = [row["id"] for row in ledger_rows(home) if row["kind"] == "end"]
    assert sorted(ended) == sorted(row["id"] for row in allowed)  # type: ignore[type-var]
    heard = session.services.heard
    came = heard.count(b" HTTP/1.1\r\n")
    assert came == len(allowed) > 150
    hosts = {str(row["host"]) for row in allowed}
    assert len(hosts) == len(PROVIDERS)
