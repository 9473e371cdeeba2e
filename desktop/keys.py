"""Keys, as the desktop may handle them: put into the keychain, removed, looked whether there is one. Never read.

asyncio; no Qt. The keychain is asked in threads, which end within seconds whatever it does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import TypeVar

from desktop.hub import HubFailed
from providers import keychain
from providers.errors import ProviderError
from providers.gate.chat_messages import RemoteRefused
from providers.gate.client import BrokerClient
from providers.gate.faults import GateError
from providers.gate.hub_messages import HubRefused
from providers.gate.key_messages import KeyDrop, KeyHold, KeyTest, KeyWorks
from providers.keychain import KeychainFault, KeychainState, keychain_name
from providers.keys import HUB, KeyPlace, Secret, hub_key, key_problem
from providers.remote_model import gate_error

PUBLIC_HUB = "https://huggingface.co"
WITHOUT_A_KEYCHAIN = frozenset({KeychainState.ABSENT, KeychainState.NONE_MADE})
"""Where a key can be kept for one run at most."""


T = TypeVar("T")


class KeyFailed(Exception):
    """A `KeyProblem` or a `KeychainState`; nothing of the key."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True, slots=True)
class KeyStatus:
    """What is known of one key. `stored` None: not known, because the keychain did not say."""

    place: KeyPlace
    keychain: str  # its name, not translated
    state: KeychainState
    stored: bool | None


def places(mirror: str) -> tuple[KeyPlace, ...]:
    """The keys that can be set. `mirror`: the address of the organisation's hub, "" for the public one."""
    return (hub_key(mirror or PUBLIC_HUB),)


async def status(place: KeyPlace) -> KeyStatus:
    """Look, ask nobody. Never raises."""
    return await asyncio.to_thread(_status, place)


async def save(place: KeyPlace, key: str) -> None:
    """Into the keychain. Raises `KeyFailed`, and then nothing was changed."""
    check(key)
    await asyncio.to_thread(_kept, lambda: keychain.store(place.service, Secret(key)))


async def remove(place: KeyPlace) -> bool:
    """Out of the keychain. Returns whether it was there. Raises `KeyFailed`."""
    return await asyncio.to_thread(_kept, lambda: keychain.remove(place.service))


def check(key: str) -> None:
    """Raises `KeyFailed` with what is wrong with it."""
    problem = key_problem(key)
    if problem is not None:
        raise KeyFailed(problem.value)


async def hold(client: BrokerClient, place: KeyPlace, key: str) -> None:
    """Where there is no keychain: into the broker's memory, until it ends. Raises `KeyFailed`, `BrokerGone`."""
    check(key)
    await _ask(client, KeyHold(place.owner, key))


async def drop(client: BrokerClient, place: KeyPlace) -> None:
    """Out of the broker's memory. Raises `BrokerGone`."""
    await _ask(client, KeyDrop(place.owner))


async def test(client: BrokerClient, place: KeyPlace) -> str:
    """What the service calls the key's owner. Raises `HubFailed`, `ProviderError`, `GateError`, `BrokerGone`."""
    try:
        return await _ask(client, KeyTest.of(place.owner))
    except GateError as error:
        if place.owner == HUB:
            raise
        raise gate_error(error, {}) from error


async def _ask(client: BrokerClient, asked: object) -> str:
    account = ""
    async with aclosing(client.request(asked)) as events:
        async for event in events:
            match event:
                case HubRefused(code, detail, facts):
                    raise HubFailed(code, detail, facts)
                case RemoteRefused(fault, detail, facts):
                    raise ProviderError(fault, detail, dict(facts))
                case KeyWorks(name):
                    account = name
    return account


def _status(place: KeyPlace) -> KeyStatus:
    state = keychain.state()
    stored: bool | None = None
    if state in (KeychainState.READY, KeychainState.LOCKED):
        try:
            stored = keychain.has(place.service)
        except KeychainFault as fault:
            state = fault.state
    elif state in WITHOUT_A_KEYCHAIN:
        stored = False
    return KeyStatus(place, keychain_name(), state, stored)


def _kept(work: Callable[[], T]) -> T:
    try:
        return work()
    except KeychainFault as fault:
        raise KeyFailed(fault.state.value) from None
