"""Every service of remote models as a broker reaches it, with another's test server behind all their addresses.

The proxy of the environment leads each address of the catalogue to one door on loopback, which has a certificate for
their names from an authority that only this broker trusts; behind the door stands aimock.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import aclosing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from support.aimock import Aimock, Fixture, aimock
from support.front_door import FrontDoor, front_door
from support.outside import certificates
from support.proxies import Proxy
from support.secret_service import SecretService, secret_service

from desktop.processes.switch import Position, Switch, write_switch
from providers.gate.client import BrokerClient
from providers.gate.faults import GateError
from providers.gate.protocol import Event
from providers.keys import provider_key
from providers.remote.catalogue import catalogue
from providers.remote.chosen import Chosen, own_service, write_chosen
from providers.remote.values import Auth, Service

KEY = f"sk-CANARY-{secrets.token_hex(16)}"  # never the same, so what is found anywhere is of this run
OLLAMA = "own-1"
PROVIDERS = ("openai", "together", "anthropic", "google", "cohere", OLLAMA)
"""One for each of the six dialects."""


@dataclass(frozen=True, slots=True)
class Services:
    """`environ`: what a broker needs to reach them; `plain`: the door of the server that is reached without TLS."""

    home: Path
    environ: Mapping[str, str]
    server: Aimock
    door: FrontDoor
    plain: FrontDoor
    keychain: SecretService
    by_id: Mapping[str, Service]

    @property
    def heard(self) -> bytes:
        return self.door.heard + b"\n" + self.plain.heard

    def keep(self, key: str) -> None:
        """This key for all of them, in the keychain."""
        for service in self.by_id.values():
            place = provider_key(service.id, service.base_url, service.own)
            self.keychain.keep(place.service, key)


@contextmanager
def services(folder: Path, fixtures: Sequence[Fixture]) -> Iterator[Services]:
    """An Alcove at `folder`/home with the switch at “Remote models” and six services enabled, their keys stored."""
    names = [urlsplit(catalogue()[name].base_url).hostname or "" for name in PROVIDERS if name != OLLAMA]
    home = folder / "home"
    home.mkdir(parents=True)
    made = certificates(folder, *names)
    with (
        aimock(folder / "aimock", fixtures, KEY) as server,
        front_door(server.port, made.context) as door,
        front_door(server.port) as plain,
        Proxy() as proxy,
        secret_service() as keychain,
    ):
        proxy.leads_to = door.port
        url = f"http://127.0.0.1:{plain.port}"
        own = own_service(1, "ollama", "A server here", url, Auth.BEARER, plain_http=True)
        write_switch(str(home), Switch(Position.REMOTE))
        write_chosen(str(home), Chosen(PROVIDERS, (own,)))
        environ = {
            "HTTPS_PROXY": f"http://{proxy.place}", "SSL_CERT_FILE": str(made.authority), **keychain.environ,
        }  # fmt: skip
        by_id = {name: catalogue()[name] for name in PROVIDERS if name != OLLAMA} | {own.id: own}
        found = Services(home, environ, server, door, plain, keychain, by_id)
        found.keep(KEY)
        yield found
        proxy.shutdown()


async def all_of(client: BrokerClient, asked: object) -> list[Event | GateError]:
    """Everything that a broker says to one request; what the gate says is the last."""
    said: list[Event | GateError] = []
    try:
        async with aclosing(client.request(asked)) as found:
            async for event in found:
                said.append(event)
    except GateError as error:
        said.append(error)
    return said


async def all_of_each(
    client: BrokerClient, asked: Mapping[tuple[str, str], object], at_once: int = 8
) -> dict[tuple[str, str], list[Event | GateError]]:
    """Several requests beside one another."""
    turn = asyncio.Semaphore(at_once)

    async def one(request: object) -> list[Event | GateError]:
        async with turn:
            return await all_of(client, request)

    answers = await asyncio.gather(*map(one, asked.values()))
    return dict(zip(asked, answers, strict=True))
