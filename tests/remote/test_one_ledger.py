"""One ledger, whatever happens to it while conversations leave: two programs, a file that is deleted or changed."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

import pytest
from support.chat_server import MODEL, PROVIDER, chat_server, enable
from support.outside import broker, ledger_rows, requests_in
from support.services import all_of

from models.runtime.values import Turn
from providers.events import Finished
from providers.gate.chat_messages import ChatSend
from providers.gate.client import BrokerClient
from providers.gate.faults import GateError
from providers.gate.protocol import GateFault
from providers.gate.rules import Label
from providers.gate.verification import Damage, verify
from providers.remote.values import Auth, ChatCall


def asking(conversation: str) -> ChatSend:
    return ChatSend(PROVIDER, conversation, ChatCall(MODEL, (Turn("user", conversation),)), Label.MAY_LEAVE)


async def answered(client: BrokerClient, conversation: str) -> bool:
    return isinstance((await all_of(client, asking(conversation)))[-1], Finished)


def test_two_programs_of_one_home_share_a_ledger_and_no_row_is_lost(tmp_path: Path) -> None:
    names = [f"{number}" for number in range(16)]

    async def work() -> list[bool]:
        async with broker(tmp_path) as one, broker(tmp_path) as other:
            both = [answered((one, other)[place % 2], name) for place, name in enumerate(names)]
            return await asyncio.gather(*both)

    with chat_server() as server:
        enable(tmp_path, server, auth=Auth.NONE)
        assert all(asyncio.run(asyncio.wait_for(work(), 60)))
    found = verify(tmp_path / "ledger" / "ledger.jsonl")
    assert found.intact and len(ledger_rows(tmp_path)) == 2 * len(names)
    assert {row["conversation"] for row in requests_in(tmp_path)} == set(names)
    assert len(server.asked) == len(names)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux closes folders to the broker")
def test_a_ledger_that_is_deleted_meanwhile_begins_anew_before_anything_else_leaves(tmp_path: Path) -> None:
    path = tmp_path / "ledger" / "ledger.jsonl"

    async def work() -> None:
        async with broker(tmp_path) as client:
            assert await answered(client, "before")
            path.unlink()
            assert await answered(client, "after")
            (tmp_path / "ledger").rename(tmp_path / "away")
            said = await all_of(client, asking("without its folder"))
            # The broker's lock lets it write in that folder, and make no other in its place.
            assert isinstance(said[-1], GateError) and said[-1].fault is GateFault.LEDGER

    with chat_server() as server:
        enable(tmp_path, server, auth=Auth.NONE)
        asyncio.run(asyncio.wait_for(work(), 60))
    assert len(server.asked) == 2 and not path.exists()
    moved = [json.loads(line) for line in (tmp_path / "away" / "ledger.jsonl").read_bytes().splitlines()]
    assert [row["conversation"] for row in moved if row["kind"] == "request"] == ["after"]


def test_a_ledger_that_is_changed_meanwhile_goes_on_and_the_change_is_found(tmp_path: Path) -> None:
    path = tmp_path / "ledger" / "ledger.jsonl"

    async def work() -> None:
        async with broker(tmp_path) as client:
            assert await answered(client, "before")
            path.write_bytes(path.read_bytes().replace(b'"allowed"', b'"refused"', 1))
            assert await answered(client, "after")

    with chat_server() as server:
        enable(tmp_path, server, auth=Auth.NONE)
        asyncio.run(asyncio.wait_for(work(), 60))
    found = verify(path)
    assert not found.intact
    assert Damage.TORN_END not in {problem.damage for problem in found.problems}
    assert [row["conversation"] for row in requests_in(tmp_path)] == ["before", "after"]


@pytest.mark.parametrize("obstacle", ["a folder", "a link to elsewhere"])
def test_where_no_row_can_be_written_no_conversation_leaves(tmp_path: Path, obstacle: str) -> None:
    path, elsewhere = tmp_path / "home" / "ledger" / "ledger.jsonl", tmp_path / "elsewhere"

    async def work() -> None:
        async with broker(tmp_path / "home") as client:
            assert await answered(client, "before")
            path.unlink()
            if obstacle == "a folder":
                path.mkdir()
            else:
                path.symlink_to(elsewhere)
            said = await all_of(client, asking("after"))
            assert isinstance(said[-1], GateError) and said[-1].fault is GateFault.LEDGER

    with chat_server() as server:
        enable(tmp_path / "home", server, auth=Auth.NONE)
        asyncio.run(asyncio.wait_for(work(), 60))
    assert len(server.asked) == 1 and not elsewhere.exists()
