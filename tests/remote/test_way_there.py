"""What can be wrong between here and a service, and with the key for it: nothing leaves, or nothing is believed."""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, aclosing, contextmanager
from pathlib import Path

import pytest
from support.chat_server import MODEL, PROVIDER, ChatServer, chat_server, enable
from support.front_door import FrontDoor, front_door
from support.outside import broker, certificates, ledger_rows, requests_in
from support.proxies import Proxy
from support.secret_service import SecretService, secret_service
from support.services import all_of, all_of_each
from support.tls_server import DAY, certificate_of

from models.runtime.values import Turn
from providers.events import TextDelta
from providers.gate.chat_messages import ChatSend, RemoteRefused
from providers.gate.client import BrokerClient
from providers.gate.faults import GateError
from providers.gate.key_messages import KeyHold
from providers.gate.protocol import Event, GateFault
from providers.gate.rules import Label
from providers.keys import provider_key
from providers.remote.faults import RemoteFault
from providers.remote.values import Auth, ChatCall

KEY = "sk-CANARY-on-the-way-0123456789"
CALL = ChatCall(MODEL, (Turn("user", "A secret plan"),))
Said = list[Event | GateError]


def asking(provider: str = PROVIDER) -> ChatSend:
    return ChatSend(provider, "7", CALL, Label.MAY_LEAVE)


def fault_of(said: Said) -> RemoteFault | GateFault:
    last = said[-1]
    assert isinstance(last, RemoteRefused | GateError), said
    return last.fault


def text_of(said: Said) -> str:
    return "".join(event.text for event in said if isinstance(event, TextDelta))


async def hold(client: BrokerClient, count: int) -> None:
    for number in range(1, count + 1):
        await all_of(client, KeyHold(f"own-{number}", KEY))


TLS: dict[str, GateFault | None] = {
    "trusted": None,
    "vouches for itself": GateFault.CERTIFICATE,
    "another name": GateFault.CERTIFICATE,
    "expired": GateFault.CERTIFICATE,
    "not yet valid, or the clock is wrong": GateFault.CERTIFICATE,
    "no TLS at all": GateFault.TLS,
}


@contextmanager
def doors(folder: Path, leads_to: int) -> Iterator[tuple[list[FrontDoor], Path]]:
    """One door for each of `TLS`, and a file with every authority that is trusted."""
    for number in range(6):
        (folder / str(number)).mkdir()
    made = [
        certificates(folder / "0"),
        certificates(folder / "1", trusted=False),
        certificates(folder / "2", "other.test"),
        certificate_of(folder / "3", "localhost", -3 * DAY, -DAY),
        certificate_of(folder / "4", "localhost", DAY, 3 * DAY),
    ]
    trusted = folder / "trusted.pem"
    trusted.write_bytes(b"".join(one.authority.read_bytes() for one in made))
    with ExitStack() as stack:
        opened = [stack.enter_context(front_door(leads_to, one.context)) for one in made]
        yield [*opened, stack.enter_context(front_door(leads_to))], trusted


def test_a_service_that_can_not_show_who_it_is_hears_nothing(tmp_path: Path) -> None:
    async def work() -> dict[tuple[str, str], Said]:
        async with broker(home, {"SSL_CERT_FILE": str(trusted)}) as client:
            await hold(client, len(TLS))
            asked = {(case, ""): asking(f"own-{number}") for number, case in enumerate(TLS, start=1)}
            return await all_of_each(client, asked)

    home = tmp_path / "home"
    with chat_server() as server, doors(tmp_path, server.port) as (opened, trusted):
        enable(home, *(f"https://localhost:{door.port}/v1" for door in opened))
        said = asyncio.run(asyncio.wait_for(work(), 60))
    for (case, _), events in said.items():
        if TLS[case] is None:
            assert text_of(events) == "Hello there"
        else:
            assert fault_of(events) is TLS[case], case
    assert len(server.asked) == 1
    for door in opened[1:]:
        assert KEY.encode() not in door.heard and b"secret plan" not in door.heard
    assert KEY.encode() in opened[0].heard
    assert len(requests_in(home)) == len(TLS)  # each had its row all the same


def test_a_name_that_nobody_knows_and_a_proxy_that_refuses_have_their_names(tmp_path: Path) -> None:
    async def work(environ: Mapping[str, str]) -> Said:
        async with broker(home, environ) as client:
            await hold(client, 1)
            return await all_of(client, asking())

    home = tmp_path / "home"
    enable(home, "https://no-such-name.invalid/v1")
    assert fault_of(asyncio.run(asyncio.wait_for(work({}), 60))) is GateFault.NAME
    with Proxy() as proxy:  # it leads nowhere, and says so
        environ = {"HTTPS_PROXY": f"http://me:{KEY}@{proxy.place}"}
        assert fault_of(asyncio.run(asyncio.wait_for(work(environ), 60))) is GateFault.PROXY
        proxy.shutdown()
    assert [place for place, _ in proxy.asked] == ["no-such-name.invalid:443"]
    ledger = (home / "ledger" / "ledger.jsonl").read_bytes()
    assert KEY.encode() not in ledger


def test_a_service_that_takes_the_question_and_never_answers_can_be_given_up(tmp_path: Path) -> None:
    async def work(silent: socket.socket) -> None:
        async with broker(home) as client, aclosing(client.request(asking())) as found:
            first = asyncio.ensure_future(anext(found))
            connection, _ = await asyncio.to_thread(silent.accept)
            with connection:
                heard = await asyncio.to_thread(connection.recv, 65536)
                assert heard.startswith(b"POST /v1/chat/completions")
                first.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await first
                await found.aclose()
                connection.settimeout(30)
                while await asyncio.to_thread(connection.recv, 65536):
                    pass  # until the broker has closed it

    home = tmp_path / "home"
    with socket.create_server(("127.0.0.1", 0)) as silent:
        enable(home, f"http://127.0.0.1:{silent.getsockname()[1]}/v1", auth=Auth.NONE)
        asyncio.run(asyncio.wait_for(work(silent), 60))
    assert ledger_rows(home)[-1]["outcome"] == "cancelled"


# ---- the keychain


def place_of(server: ChatServer) -> str:
    return provider_key(PROVIDER, server.url, own=True).service


def with_keychain(home: Path, service: SecretService, server: ChatServer) -> Said:
    async def work() -> Said:
        async with broker(home, service.environ) as client:
            return await all_of(client, asking())

    enable(home, server)
    return asyncio.run(asyncio.wait_for(work(), 60))


linux = pytest.mark.skipif(sys.platform != "linux", reason="the Secret Service is Linux's")


@linux
@pytest.mark.parametrize("state", ["open", "locked", "none made", "nobody there", "hangs"])
def test_without_a_keychain_that_answers_nothing_leaves_and_nobody_waits(state: str, tmp_path: Path) -> None:
    password = None if state == "none made" else "test"
    with (
        chat_server() as server,
        secret_service(password, keyring=state not in ("nobody there", "hangs")) as service,
        ExitStack() as stack,
    ):
        if state == "hangs":
            stack.enter_context(service.take_the_name_and_say_nothing())
        if state in ("open", "locked"):
            service.keep(place_of(server), KEY)
        if state == "locked":
            service.lock()
        said = with_keychain(tmp_path / "home", service, server)
        if state == "open":
            assert text_of(said) == "Hello there"
            assert server.asked[0].headers["authorization"] == f"Bearer {KEY}"
        else:
            assert fault_of(said) is RemoteFault.NO_KEY
            assert server.asked == [] and requests_in(tmp_path / "home") == []


@linux
def test_a_key_that_somebody_stored_with_a_line_break_is_not_sent(tmp_path: Path) -> None:
    async def work() -> None:
        async with broker(tmp_path / "home", service.environ) as client:
            for bad in ("\n", "\r\nX-Evil: 1", "\x00", " ", "ключ"):
                service.keep(place_of(server), f"{KEY}{bad}x")
                said = await all_of(client, asking())
                assert fault_of(said) is RemoteFault.NO_KEY
                assert KEY not in repr(said)
            service.keep(place_of(server), KEY)
            assert text_of(await all_of(client, asking())) == "Hello there"

    with chat_server() as server, secret_service() as service:
        enable(tmp_path / "home", server)
        asyncio.run(asyncio.wait_for(work(), 60))
    assert len(server.asked) == 1
