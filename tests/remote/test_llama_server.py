"""A server with a real model, llama.cpp's own: real streams, real cancels, its own errors. Through a real broker."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path

import pytest
from support.chat_server import PROVIDER, enable
from support.llama_server import CONTEXT_TOKENS, LlamaServer, llama_server
from support.outside import broker, ledger_rows
from support.services import all_of
from support.workers import starter

from models.runtime.faults import StopReason
from models.runtime.values import Constraint, ConstraintKind, Turn
from providers.events import Finished, TextDelta, Usage
from providers.gate.chat_messages import ChatSend, ModelsFound, ModelsList, RemoteRefused
from providers.gate.client import BrokerClient
from providers.gate.key_messages import KeyHold, KeyTest, KeyWorks
from providers.gate.rules import Label
from providers.remote.faults import RemoteFault
from providers.remote.values import ChatCall

pytest.importorskip("xllamacpp")
Work = Callable[[BrokerClient], Awaitable[None]]
KEY = "sk-llama-server-0123456789"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LlamaServer]:
    with llama_server(tmp_path_factory.mktemp("llama"), starter(), KEY) as running:
        yield running


def asking(question: str, **more: object) -> ChatSend:
    call = ChatCall("starter", (Turn("user", question),), temperature=0.0)
    return ChatSend(PROVIDER, "7", replace(call, **more), Label.MAY_LEAVE)  # type: ignore[arg-type]


def with_broker(home: Path, server: LlamaServer, work: Work, key: str = KEY) -> None:
    async def whole() -> None:
        async with broker(home) as client:
            await all_of(client, KeyHold(PROVIDER, key))
            await work(client)

    enable(home, server.url, kind="llama-server")
    asyncio.run(asyncio.wait_for(whole(), 100))


def test_a_real_answer_streams_with_what_was_used_and_the_model_is_listed(
    tmp_path: Path, server: LlamaServer
) -> None:
    async def work(client: BrokerClient) -> None:
        assert await all_of(client, KeyTest.of(PROVIDER)) == [KeyWorks("")]
        (found,) = await all_of(client, ModelsList(PROVIDER))
        assert isinstance(found, ModelsFound) and len(found.models) == 1
        said = await all_of(client, asking("What is the capital of France?", max_tokens=12))
        pieces = [event.text for event in said if isinstance(event, TextDelta)]
        assert len(pieces) > 3 and "".join(pieces).strip()
        (used,) = [event for event in said if isinstance(event, Usage)]
        assert used.prompt_tokens > 10 and 0 < used.generated_tokens <= 12
        assert isinstance(said[-1], Finished)

    with_broker(tmp_path / "home", server, work)
    end = ledger_rows(tmp_path / "home")[-1]
    assert end["outcome"] == "done" and int(str(end["tokens_in"])) > 10


def test_an_answer_ends_where_it_was_told_to(tmp_path: Path, server: LlamaServer) -> None:
    async def work(client: BrokerClient) -> None:
        said = await all_of(client, asking("Count to one hundred.", max_tokens=5))
        assert said[-1] == Finished(StopReason.LENGTH)

    with_broker(tmp_path / "home", server, work)


def test_giving_up_stops_the_model_at_once(tmp_path: Path, server: LlamaServer) -> None:
    async def work(client: BrokerClient) -> None:
        told = server.log.count("stop processing")
        async with aclosing(client.request(asking("Tell me a very long story.", max_tokens=900))) as found:
            async for event in found:
                if isinstance(event, TextDelta):
                    break
            assert await asyncio.to_thread(lambda: server.is_busy)
        assert await asyncio.to_thread(server.wait_until, False)
        line = [line for line in server.log.splitlines() if "stop processing" in line][told]
        made = int(line.partition("n_tokens = ")[2].partition(",")[0])
        assert made < 500, "it went on to the end"

    with_broker(tmp_path / "home", server, work)
    end = ledger_rows(tmp_path / "home")[-1]
    assert (end["outcome"], end["tokens_in"]) == ("cancelled", None)


SCHEMA = {"type": "object", "properties": {"city": {"type": "string", "maxLength": 20}}, "required": ["city"]}


@pytest.mark.parametrize(
    ("constraint", "is_right"),
    [
        (Constraint(ConstraintKind.SCHEMA, json.dumps(SCHEMA)), lambda text: set(json.loads(text)) == {"city"}),
        (Constraint(ConstraintKind.GRAMMAR, 'root ::= "yes" | "no"'), lambda text: text in ("yes", "no")),
    ],
    ids=["schema", "grammar"],
)  # fmt: skip
def test_an_answer_keeps_to_its_form(
    tmp_path: Path, server: LlamaServer, constraint: Constraint, is_right: Callable[[str], bool]
) -> None:
    async def work(client: BrokerClient) -> None:
        said = await all_of(client, asking("Name a city.", constraint=constraint, max_tokens=60))
        text = "".join(event.text for event in said if isinstance(event, TextDelta))
        assert is_right(text), said

    with_broker(tmp_path / "home", server, work)


def test_what_is_longer_than_its_context_is_refused_by_its_name(tmp_path: Path, server: LlamaServer) -> None:
    async def work(client: BrokerClient) -> None:
        (said,) = await all_of(client, asking("word " * (CONTEXT_TOKENS + 500)))
        assert isinstance(said, RemoteRefused) and said.fault is RemoteFault.CONTEXT_TOO_LONG, said

    with_broker(tmp_path / "home", server, work)


def test_another_key_is_refused_and_not_quoted(tmp_path: Path, server: LlamaServer) -> None:
    async def work(client: BrokerClient) -> None:
        for asked in (asking("Hello"), KeyTest.of(PROVIDER), ModelsList(PROVIDER)):
            said = (await all_of(client, asked))[-1]
            assert isinstance(said, RemoteRefused) and said.fault is RemoteFault.KEY_REFUSED, said
            assert "sk-another" not in repr(said)

    with_broker(tmp_path / "home", server, work, "sk-another-key-0123456789")
