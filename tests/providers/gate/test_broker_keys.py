"""The broker, in its lock, reads the hub's token when it sends, shows it to the hub alone, and says what is wrong."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable, Mapping
from contextlib import aclosing
from pathlib import Path

import pytest
from support.hub_server import HubServer
from support.outside import broker
from support.secret_service import secret_service

from desktop.processes.environment import broker_environment
from desktop.processes.switch import Position, Switch, write_switch
from providers.gate.client import BrokerClient
from providers.gate.hub_messages import HubPull, HubRefused
from providers.gate.key_messages import KeyDrop, KeyHeld, KeyHold, KeyTest, KeyWorks
from providers.gate.protocol import Event
from providers.keys import HUB, hub_key

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the Secret Service is Linux's")

CANARY = "hf_CanaryThatNobodyMaySee"
GATED = "maker/Gated-GGUF"
OPEN = "maker/Open-GGUF"
FILE = "tiny-Q4_K_M.gguf"
HELD = KeyHold(HUB, CANARY)


async def events(client: BrokerClient, asked: object) -> list[Event]:
    async with aclosing(client.request(asked)) as found:
        return [event async for event in found]


async def refusal(client: BrokerClient, asked: object) -> HubRefused:
    last = (await events(client, asked))[-1]
    assert isinstance(last, HubRefused), last
    assert CANARY not in repr(last)
    return last


def with_hub(
    home: Path,
    environ: Mapping[str, str],
    work: Callable[[BrokerClient, HubServer], Awaitable[None]],
    *,
    redirect: bool = False,
    before: Callable[[HubServer], None] = lambda hub: None,
) -> HubServer:
    """A broker whose hub has a gated model and an open one. Nothing but the keychain is given to it."""

    async def whole(hub: HubServer) -> None:
        async with broker(home, {"PATH": os.environ["PATH"], **environ}) as client:
            ready = await client.ready()
            assert ready.locked
            await work(client, hub)

    with HubServer(redirect=redirect) as hub:
        hub.add(GATED, {FILE: b"weights"}, gated="auto")
        hub.add(OPEN, {FILE: b"open weights"})
        write_switch(str(home), Switch(Position.DOWNLOADS, hub.url, plain_http=True))
        before(hub)
        asyncio.run(asyncio.wait_for(whole(hub), 60))
        return hub


def pull(hub: HubServer, repo: str = GATED) -> HubPull:
    return HubPull(repo, hub.repositories[repo].sha, (FILE,))


def sent(hub: HubServer, server: str = "") -> set[str | None]:
    return {one.headers.get("authorization") for one in hub.requests(server=server)}


def test_a_stored_token_opens_a_gated_model_and_is_found_to_work(tmp_path: Path) -> None:
    async def work(client: BrokerClient, hub: HubServer) -> None:
        assert await events(client, KeyTest(HUB)) == [KeyWorks("somebody")]
        await events(client, pull(hub))
        assert (tmp_path / "models" / "maker" / "Gated-GGUF" / FILE).read_bytes() == b"weights"

    with secret_service() as service:

        def before(hub: HubServer) -> None:
            hub.tokens, hub.accepted = {CANARY}, {CANARY}
            service.keep(hub_key(hub.url).service, CANARY)

        hub = with_hub(tmp_path, service.environ, work, before=before)
    assert sent(hub) == {f"Bearer {CANARY}"}


def test_the_token_of_the_public_hub_is_not_shown_to_another_hub(tmp_path: Path) -> None:
    async def work(client: BrokerClient, hub: HubServer) -> None:
        assert (await refusal(client, pull(hub))).code == "gated_no_token"

    with secret_service() as service:
        service.keep("alcove.hub", CANARY)
        hub = with_hub(tmp_path, service.environ, work)
    assert sent(hub) == {None}


def test_a_redirect_to_another_host_never_sees_the_token(tmp_path: Path) -> None:
    async def work(client: BrokerClient, hub: HubServer) -> None:
        await events(client, HELD)
        assert (await refusal(client, pull(hub))).code == "refused_by_gate"

    def before(hub: HubServer) -> None:
        hub.tokens, hub.accepted = {CANARY}, {CANARY}

    hub = with_hub(tmp_path, {}, work, redirect=True, before=before)
    assert f"Bearer {CANARY}" in sent(hub, "hub") and sent(hub, "store") <= {None}


def test_without_a_token_with_a_wrong_one_and_with_open_conditions_the_refusals_differ(
    tmp_path: Path,
) -> None:
    async def work(client: BrokerClient, hub: HubServer) -> None:
        none = await refusal(client, pull(hub))
        assert (none.code, none.facts["keychain"]) == ("gated_no_token", "keychain_absent")
        assert (await refusal(client, KeyTest(HUB))).code == "no_key"
        await events(client, HELD)
        assert (await refusal(client, KeyTest(HUB))).code == "token_wrong"
        assert (await refusal(client, pull(hub))).code == "token_wrong"
        hub.tokens = {CANARY}
        assert (await refusal(client, pull(hub))).code == "gated_not_accepted"
        hub.accepted = {CANARY}
        await events(client, pull(hub))
        assert (tmp_path / "models" / "maker" / "Gated-GGUF" / FILE).exists()

    with_hub(tmp_path, {}, work)


def test_a_locked_keychain_is_named_and_keeps_nobody_from_an_open_model(tmp_path: Path) -> None:
    async def work(client: BrokerClient, hub: HubServer) -> None:
        gated = await refusal(client, pull(hub))
        assert (gated.code, gated.facts["keychain"]) == ("gated_no_token", "keychain_locked")
        tested = await refusal(client, KeyTest(HUB))
        assert (tested.code, tested.facts["keychain"]) == ("no_key", "keychain_locked")
        await events(client, pull(hub, OPEN))
        assert (tmp_path / "models" / "maker" / "Open-GGUF" / FILE).exists()

    with secret_service() as service:

        def before(hub: HubServer) -> None:
            service.keep(hub_key(hub.url).service, CANARY)
            service.lock()

        hub = with_hub(tmp_path, service.environ, work, before=before)
    assert sent(hub) == {None}


def test_without_a_keychain_a_key_is_held_for_one_run_and_can_be_dropped(tmp_path: Path) -> None:
    async def first(client: BrokerClient, hub: HubServer) -> None:
        hub.tokens = {CANARY}
        assert (await refusal(client, KeyHold(HUB, f"{CANARY}\r\nX-Evil: 1"))).code == "key_space"
        assert (await refusal(client, KeyTest(HUB))).code == "no_key"
        assert await events(client, HELD) == [KeyHeld(True)]
        assert await events(client, KeyTest(HUB)) == [KeyWorks("somebody")]
        assert await events(client, KeyDrop(HUB)) == [KeyHeld(False)]
        assert (await refusal(client, KeyTest(HUB))).code == "no_key"
        assert await events(client, HELD) == [KeyHeld(True)]

    async def later(client: BrokerClient, hub: HubServer) -> None:
        assert (await refusal(client, KeyTest(HUB))).code == "no_key"

    with_hub(tmp_path, {}, first)
    with_hub(tmp_path, {}, later)


def test_the_key_is_in_no_repr_and_the_broker_inherits_none() -> None:
    assert CANARY not in repr(HELD)
    environ = {
        "HF_TOKEN": CANARY,
        "HUGGING_FACE_HUB_TOKEN": CANARY,
        "DBUS_SESSION_BUS_ADDRESS": "unix:path=/run/bus",
    }
    given = broker_environment(environ, "/home/somebody/alcove")
    assert CANARY not in given.values()
    assert given["DBUS_SESSION_BUS_ADDRESS"] == "unix:path=/run/bus"
