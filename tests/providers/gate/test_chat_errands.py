"""A conversation to a remote model and back, through a real broker in its lock: what leaves, and what becomes of it."""

from __future__ import annotations

import asyncio
import base64
import gzip
import json
import re
import subprocess
import sys
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from decimal import Decimal
from pathlib import Path
from urllib.parse import quote

import pytest
from support.chat_server import (
    MODEL,
    PROVIDER,
    ChatServer,
    Reply,
    chat_server,
    chunk,
    completion,
    enable,
    refused,
)
from support.outside import broker, ledger_rows, requests_in
from support.store_files import small_disk

from desktop.processes.switch import Position
from models.runtime.values import Turn
from providers.costs.budgets import ALL, Budgets, Limit, write_budgets
from providers.events import Billed, CostBasis, Event, Finished, TextDelta, Usage, Waiting
from providers.gate.chat_errands import without_key
from providers.gate.chat_messages import ChatSend, ModelsFound, ModelsList, RemoteRefused
from providers.gate.client import BrokerClient
from providers.gate.faults import GateError
from providers.gate.key_messages import KeyHeld, KeyHold, KeyTest, KeyWorks
from providers.gate.protocol import Event as GateEvent
from providers.gate.protocol import GateFault
from providers.gate.rules import Label
from providers.gate.verification import verify
from providers.remote.chosen import Chosen, read_chosen, write_chosen
from providers.remote.faults import RemoteFault
from providers.remote.values import Auth, ChatCall

CANARY = "sk-CanaryThatNobodyMaySee0123456789"
CALL = ChatCall(MODEL, (Turn("system", "Be brief."), Turn("user", "A secret plan")))
SEND = ChatSend(PROVIDER, "7", CALL, Label.MAY_LEAVE)

Work = Callable[[BrokerClient], Awaitable[None]]


def with_broker(home: Path, work: Work) -> None:
    async def whole() -> None:
        async with broker(home) as client:
            ready = await client.ready()
            assert ready.locked or sys.platform != "linux"
            assert await events(client, KeyHold(PROVIDER, CANARY)) == [KeyHeld(True)]
            await work(client)

    asyncio.run(asyncio.wait_for(whole(), 60))
    assert verify(home / "ledger" / "ledger.jsonl").intact
    left = b"".join(path.read_bytes() for path in home.rglob("*") if path.is_file())
    assert CANARY.encode() not in left and b"secret plan" not in left


async def events(client: BrokerClient, asked: object) -> list[GateEvent]:
    async with aclosing(client.request(asked)) as found:
        return [event async for event in found]


def asking(home: Path, server: ChatServer, asked: object = SEND) -> list[GateEvent]:
    """Everything that a broker says to one request."""
    said: list[GateEvent] = []

    async def work(client: BrokerClient) -> None:
        said.extend(await events(client, asked))

    enable(home, server)
    with_broker(home, work)
    return said


def failing(home: Path, server: ChatServer, asked: object = SEND, **enabled: object) -> GateError:
    caught: list[GateError] = []

    async def work(client: BrokerClient) -> None:
        with pytest.raises(GateError) as error:
            await events(client, asked)
        caught.append(error.value)

    enable(home, server, **enabled)  # type: ignore[arg-type]
    with_broker(home, work)
    return caught[0]


def refusal(said: list[GateEvent]) -> RemoteRefused:
    last = said[-1]
    assert isinstance(last, RemoteRefused), said
    assert CANARY not in repr(said)
    return last


def text_of(said: list[Event] | list[GateEvent]) -> str:
    return "".join(event.text for event in said if isinstance(event, TextDelta))


def test_an_answer_comes_and_the_row_was_there_first(tmp_path: Path) -> None:
    with chat_server() as server:
        said = asking(tmp_path / "home", server)
    assert text_of(said) == "Hello there"
    assert Usage(prompt_tokens=12, generated_tokens=3) in said
    assert isinstance(said[-2], Billed) and said[-2].cost == "" and isinstance(said[-1], Finished)
    (asked,) = server.asked
    assert asked.path == "/v1/chat/completions"
    assert asked.headers["authorization"] == f"Bearer {CANARY}"
    assert asked.json["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "A secret plan"},
    ]
    request, end = ledger_rows(tmp_path / "home")
    assert (request["verdict"], request["rule"], request["purpose"]) == ("allowed", "provider", "chat")
    assert (request["provider"], request["model"], request["conversation"]) == (PROVIDER, MODEL, "7")
    assert request["body_bytes"] == len(asked.body)
    assert (end["outcome"], end["tokens_in"], end["tokens_out"], end["cost"]) == ("done", 12, 3, "")


def test_what_leaves_says_nothing_of_this_machine(tmp_path: Path) -> None:
    with chat_server() as server:
        asking(tmp_path / "home", server)
    (asked,) = server.asked
    assert set(asked.headers) == {
        *(
            "host",
            "user-agent",
            "accept-encoding",
            "content-length",
            "content-type",
            "authorization",
            "accept",
        )
    }
    assert asked.headers["user-agent"].startswith("Alcove/")
    assert set(asked.json) == {"model", "messages", "stream", "stream_options"}


REFUSED: dict[str, tuple[dict[str, object], ChatSend]] = {
    "position": ({"position": Position.DOWNLOADS}, SEND),
    "no-provider": ({"on": False}, SEND),
    "model": ({}, ChatSend(PROVIDER, "7", ChatCall("", CALL.turns), Label.MAY_LEAVE)),
    "label": ({}, ChatSend(PROVIDER, "7", CALL, Label.STAYS)),
}


@pytest.mark.parametrize("rule", REFUSED)
def test_what_the_gate_refuses_does_not_leave_and_is_written_down(rule: str, tmp_path: Path) -> None:
    enabled, asked = REFUSED[rule]
    with chat_server() as server:
        error = failing(tmp_path / "home", server, asked, **enabled)
        assert server.asked == []
    assert (error.fault, error.rule) == (GateFault.REFUSED, rule)
    (row,) = requests_in(tmp_path / "home")
    assert (row["verdict"], row["rule"]) == ("refused", rule)


def test_a_provider_that_nobody_knows_is_refused_and_written_down(tmp_path: Path) -> None:
    with chat_server() as server:
        error = failing(tmp_path / "home", server, ChatSend("nobody", "7", CALL, Label.MAY_LEAVE))
    assert error.rule == "no-provider"
    assert [row["rule"] for row in requests_in(tmp_path / "home")] == ["no-provider"]


def test_switching_a_provider_on_or_off_holds_from_the_next_request(tmp_path: Path) -> None:
    home = tmp_path / "home"

    async def work(client: BrokerClient) -> None:
        assert text_of(await events(client, SEND)) == "Hello there"
        chosen = read_chosen(str(home))
        write_chosen(str(home), chosen.switched(PROVIDER, False))
        with pytest.raises(GateError):
            await events(client, SEND)
        write_chosen(str(home), Chosen((PROVIDER,), chosen.own, {PROVIDER: ("another",)}))
        with pytest.raises(GateError) as error:
            await events(client, SEND)
        assert error.value.rule == "model"
        write_chosen(str(home), chosen)
        assert text_of(await events(client, SEND)) == "Hello there"

    with chat_server() as server:
        enable(home, server)
        with_broker(home, work)
    assert len(server.asked) == 2


def test_without_a_key_nothing_is_sent(tmp_path: Path) -> None:
    home = tmp_path / "home"

    async def whole() -> None:
        async with broker(home) as client:
            for asked in (SEND, KeyTest.of(PROVIDER), ModelsList(PROVIDER)):
                said = refusal(await events(client, asked))
                assert (said.fault, said.facts["provider"]) == (RemoteFault.NO_KEY, "The office")

    with chat_server() as server:
        enable(home, server)
        asyncio.run(asyncio.wait_for(whole(), 60))
        assert server.asked == []


def test_a_server_of_ones_own_that_asks_for_no_key_is_sent_none(tmp_path: Path) -> None:
    with chat_server() as server:
        enable(tmp_path / "home", server, auth=Auth.NONE)

        async def work(client: BrokerClient) -> None:
            assert text_of(await events(client, SEND)) == "Hello there"

        with_broker(tmp_path / "home", work)
    assert "authorization" not in server.asked[0].headers


def test_a_key_is_tested_by_asking_for_the_models(tmp_path: Path) -> None:
    async def work(client: BrokerClient) -> None:
        assert await events(client, KeyTest.of(PROVIDER)) == [KeyWorks("")]
        (found,) = await events(client, ModelsList(PROVIDER))
        assert isinstance(found, ModelsFound)
        assert [(model.id, model.context_tokens) for model in found.models] == [(MODEL, 4096)]
        server.models = refused(401, f"Incorrect API key provided: {CANARY[:12]}…{CANARY[-4:]}. {CANARY}")
        said = refusal(await events(client, KeyTest.of(PROVIDER)))
        assert said.fault is RemoteFault.KEY_REFUSED
        assert said.detail.startswith("Incorrect API key provided: ")
        assert CANARY[:10] not in said.detail

    with chat_server() as server:
        enable(tmp_path / "home", server)
        with_broker(tmp_path / "home", work)
    assert {asked.method for asked in server.asked} == {"GET"}
    assert {row["purpose"] for row in requests_in(tmp_path / "home")} == {"models"}


BUSY = [
    refused(429, "slow down", {"retry-after": "0"}),
    refused(503, "not now", {"retry-after": "0"}),
    refused(529, "overloaded", {"retry-after": "0"}),
]


def test_a_busy_service_is_asked_again_and_each_try_has_its_row(tmp_path: Path) -> None:
    async def work(client: BrokerClient) -> None:
        for busy in BUSY:
            server.replies = deque([busy, completion("late")])
            said = await events(client, SEND)
            assert said[0] == Waiting(0.0, 1)
            assert text_of(said) == "late"

    with chat_server() as server:
        enable(tmp_path / "home", server)
        with_broker(tmp_path / "home", work)
    rows = ledger_rows(tmp_path / "home")
    assert [row["kind"] for row in rows] == ["request", "end", "request", "end"] * 3
    assert [row["status"] for row in rows if row["kind"] == "end"] == [429, 200, 503, 200, 529, 200]


def test_a_service_that_stays_busy_is_asked_three_times_and_no_more(tmp_path: Path) -> None:
    async def work(client: BrokerClient) -> None:
        for busy in BUSY:
            server.replies = deque([busy])
            said = refusal(await events(client, SEND))
            assert said.fault in (RemoteFault.RATE_LIMITED, RemoteFault.OVERLOADED)

    with chat_server() as server:
        enable(tmp_path / "home", server)
        with_broker(tmp_path / "home", work)
    assert len(server.asked) == 9


def test_a_service_that_wants_a_long_wait_is_not_waited_for(tmp_path: Path) -> None:
    with chat_server() as server:
        server.replies = deque([refused(429, "tomorrow", {"retry-after": "600"})])
        said = refusal(asking(tmp_path / "home", server))
    assert (said.fault, said.facts["retry_after"]) == (RemoteFault.RATE_LIMITED, 600)
    assert len(server.asked) == 1


NEVER_AGAIN = {
    "500": (refused(500, "oops"), RemoteFault.SERVER_FAILED),
    "no credit": (
        refused(429, "You exceeded your current quota", code="insufficient_quota"),
        RemoteFault.NO_CREDIT,
    ),
    "cut off before a word": (Reply((b": hello\n\n",)), RemoteFault.CUT_OFF),
    "error inside 200": (
        Reply((chunk("Half"), b'data: {"error": {"message": "Overloaded", "type": "overloaded_error"}}\n\n')),
        RemoteFault.OVERLOADED,
    ),
    "error as the whole body": (
        Reply((b'{"error": {"message": "model not found"}}',)),
        RemoteFault.MODEL_UNKNOWN,
    ),
    "truncated": (Reply((chunk("Half an ans"),)), RemoteFault.CUT_OFF),
    "not what was asked for": (Reply((b"<html>Log in to the Wi-Fi</html>",)), RemoteFault.UNREADABLE),
    "one endless line": (Reply((b"data: ", *[b"x" * 1_000_000] * 50)), RemoteFault.TOO_LARGE),
    "redirect": (Reply((), 307, {"location": "https://evil.example/v1"}), RemoteFault.REDIRECTED),
}


def test_what_may_have_been_done_is_not_asked_for_twice(tmp_path: Path) -> None:
    async def work(client: BrokerClient) -> None:
        for what, (reply, fault) in NEVER_AGAIN.items():
            server.replies = deque([reply])
            before = len(server.asked)
            said = await events(client, SEND)
            assert refusal(said).fault is fault, what
            assert len(server.asked) == before + 1, what
            assert "Half an ans".startswith(text_of(said)), what

    with chat_server() as server:
        enable(tmp_path / "home", server)
        with_broker(tmp_path / "home", work)


def test_an_answer_that_is_compressed_all_the_same_is_not_unpacked(tmp_path: Path) -> None:
    with chat_server() as server:
        bomb = gzip.compress(b"\0" * 50_000_000)
        server.replies = deque([Reply((bomb,), headers={"content-encoding": "gzip"})])
        assert failing(tmp_path / "home", server).fault is GateFault.UNREADABLE
    assert len(server.asked) == 1


def test_a_stream_cut_by_the_connection_keeps_what_had_come(tmp_path: Path) -> None:
    said: list[GateEvent] = []

    async def listen(client: BrokerClient) -> None:
        async with aclosing(client.request(SEND)) as found:
            async for event in found:
                said.append(event)

    async def work(client: BrokerClient) -> None:
        with pytest.raises(GateError) as error:
            await listen(client)
        assert error.value.fault is GateFault.CUT_OFF

    with chat_server() as server:
        server.replies = deque([Reply((chunk("Half"),), length=10_000)])
        enable(tmp_path / "home", server)
        with_broker(tmp_path / "home", work)
    assert text_of(said) == "Half"
    assert ledger_rows(tmp_path / "home")[-1]["tokens_in"] is None


def test_one_byte_at_a_time_is_the_same_answer(tmp_path: Path) -> None:
    whole = b"".join(completion("Mus\u2028ic\u0085", " \U0001f3b5").pieces)
    with chat_server() as server:
        server.replies = deque([Reply(tuple(bytes([byte]) for byte in whole))])
        assert text_of(asking(tmp_path / "home", server)) == "Mus\u2028ic\u0085 \U0001f3b5"


def test_giving_up_reaches_the_server_and_what_it_cost_is_not_known(tmp_path: Path) -> None:
    async def work(client: BrokerClient) -> None:
        async with aclosing(client.request(SEND)) as found:
            async for event in found:
                assert event == TextDelta("Begun")
                break
        await asyncio.to_thread(server.went_away.wait, 30)
        assert server.went_away.is_set()

    with chat_server() as server:
        server.replies = deque([Reply((chunk("Begun"),), hangs=True)])
        enable(tmp_path / "home", server)
        with_broker(tmp_path / "home", work)
    end = ledger_rows(tmp_path / "home")[-1]
    assert (end["outcome"], end["tokens_in"], end["cost"]) == ("cancelled", None, "")


def test_giving_up_while_waiting_for_a_busy_service_sends_nothing_more(tmp_path: Path) -> None:
    async def work(client: BrokerClient) -> None:
        async with aclosing(client.request(SEND)) as found:
            async for event in found:
                assert isinstance(event, Waiting)
                break

    with chat_server() as server:
        server.replies = deque([refused(429, "slow down", {"retry-after": "20"})])
        enable(tmp_path / "home", server)
        with_broker(tmp_path / "home", work)
    assert len(server.asked) == 1


def test_a_service_that_is_not_there_is_tried_again_with_a_row_each_time(tmp_path: Path) -> None:
    with chat_server() as server:
        pass  # its port is free now
    error = failing(tmp_path / "home", server)
    assert error.fault is GateFault.UNREACHABLE
    assert [row["kind"] for row in ledger_rows(tmp_path / "home")] == ["request", "end"] * 3


def test_on_a_full_disk_the_conversation_does_not_go_out(tmp_path: Path) -> None:
    async def work() -> None:
        sent = 0
        async with broker(tmp_path) as client:
            while sent < 2000:
                try:
                    await events(client, SEND)
                except GateError:
                    break
                sent += 1
            assert 0 < sent < 2000
            with pytest.raises(GateError) as error:
                await events(client, SEND)
        assert error.value.fault is GateFault.LEDGER
        assert len(server.asked) == sent

    with small_disk(tmp_path, 96) as mounted, chat_server() as server:
        if not mounted:
            pytest.skip("this account may not mount a small disk")
        enable(tmp_path, server, auth=Auth.NONE)
        asyncio.run(asyncio.wait_for(work(), 60))


def test_the_broker_can_read_what_it_may_do_and_not_change_it(tmp_path: Path) -> None:
    """A broker that something talked into it could else enable its own provider."""
    if sys.platform != "linux":
        pytest.skip("only Linux closes files to the broker")

    home = tmp_path / "home"
    enable(home, "https://models.example")
    script = (
        "import sys; from desktop.processes.lockdown import lock_down\n"
        "from desktop.processes.roles import Places, Role\n"
        f"home = {str(home)!r}\n"
        "assert lock_down(Role.BROKER, places=Places(home)).enforced\n"
        "from providers.remote.chosen import read_chosen, write_chosen\n"
        "assert read_chosen(home).enabled == ('own-1',)\n"
        "try: write_chosen(home, read_chosen(home))\n"
        "except OSError: sys.exit(7)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert done.returncode == 7, done.stderr


@pytest.mark.parametrize(
    "said", [CANARY, f"key={CANARY}&x", json.dumps({"k": CANARY}), CANARY[:9], CANARY[-20:]]
)
def test_no_service_can_quote_a_key_to_anybody(said: str) -> None:
    left = without_key(f"No: {said}!", CANARY)
    assert left.startswith("No: ") and left.endswith("!")
    assert not any(CANARY[start : start + 9] in left for start in range(len(CANARY) - 9) if start in (0, 26))


ODD = "sk/odd+key=with%everything&that\"needs'care"
WRITTEN = {
    "as it is": ODD,
    "in JSON": json.dumps(ODD)[1:-1],
    "in JSON for a web page": json.dumps(ODD)[1:-1].replace("/", "\\/"),
    "in an address": quote(ODD, safe=""),
    "in an address, small": re.sub("%..", lambda found: found[0].lower(), quote(ODD, safe="")),
    "in a path": quote(ODD),
    "in Basic authorization": base64.b64encode(ODD.encode()).decode(),
}


@pytest.mark.parametrize("how", WRITTEN)
def test_a_key_is_known_again_however_it_is_written(how: str) -> None:
    written = WRITTEN[how]
    for part in (written, written[:8], written[:-1], written[-8:], written[1:]):
        assert without_key(f"No: <{part}>", ODD) == "No: <…>", part


def test_a_server_that_moved_is_not_sent_the_key_of_the_old_address(tmp_path: Path) -> None:
    home = tmp_path / "home"

    async def work(client: BrokerClient) -> None:
        assert text_of(await events(client, SEND)) == "Hello there"
        enable(home, there)
        assert refusal(await events(client, SEND)).fault is RemoteFault.NO_KEY
        enable(home, here)
        assert text_of(await events(client, SEND)) == "Hello there"

    with chat_server() as here, chat_server() as there:
        enable(home, here)
        with_broker(home, work)
    assert (len(here.asked), there.asked) == (2, [])


def test_a_budget_that_is_spent_stops_what_would_leave_and_a_reported_cost_is_what_counts(
    tmp_path: Path,
) -> None:
    """The service says what each answer cost; the second would be more than the budget has."""
    home = tmp_path / "home"
    usage = {"choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 1, "cost": 0.600}}
    told = b"data: " + json.dumps(usage).replace("0.6", "0.600").encode() + b"\n\n"

    async def work(client: BrokerClient) -> None:
        for _ in range(2):
            said = await events(client, SEND)
            assert Billed("0.600", "USD", CostBasis.REPORTED) in said
        with pytest.raises(GateError) as error:
            await events(client, SEND)
        assert error.value.rule == "budget"
        write_budgets(str(home), Budgets({ALL: Limit(month=Decimal(5))}))
        assert text_of(await events(client, SEND)) == "x"
        (home / "remote" / "budgets.json").write_text("damaged")
        with pytest.raises(GateError) as error:
            await events(client, SEND)
        assert error.value.rule == "budget"

    with chat_server() as server:
        server.replies = deque([Reply((chunk("x"), chunk(finish_reason="stop"), told))])
        enable(home, server)
        (home / "remote" / "prices.json").write_text(
            json.dumps({f"{PROVIDER}/*": {"input": "1", "output": "1"}})
        )
        write_budgets(str(home), Budgets({ALL: Limit(month=Decimal(1))}))
        with_broker(home, work)
    assert len(server.asked) == 3
    ends = [row for row in ledger_rows(home) if row["kind"] == "end"]
    assert [(row["cost"], row["currency"]) for row in ends] == [("0.600", "USD")] * 3
