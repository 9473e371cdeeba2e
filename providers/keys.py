"""Keys for services outside: whose they are, under which names the system's keychain has them, what one looks like.

Values only. The keychain itself is `providers.keychain`; the names are documented in docs/keys.md, so that an
administrator can put keys in place.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import urlsplit

ACCOUNT = "key"
"""The account, or user name, of every entry: each service has one."""

LONGEST = 1_000
"""Characters of a key. Windows keeps at most 1,280."""

_PREFIX = "alcove."
_PUBLIC = ("huggingface.co", "hf.co")
_USUAL_PORTS = {"https": 443, "http": 80}


HUB = "hub"
"""Whose key the hub's access token is, for models that are not open to everybody. Any other owner is a provider."""


class KeyProblem(StrEnum):
    """Why something is no key. Nothing of it is told: it could be one all the same."""

    EMPTY = "key_empty"
    SPACE = "key_space"  # a space, a line break or a control character in it
    LETTERS = "key_letters"  # something that is not ASCII: what came along when it was copied
    TOO_LONG = "key_too_long"


@dataclass(frozen=True, slots=True)
class KeyPlace:
    """Where a key is kept, and the only place it is sent to: `host`, with the port where it is not the usual."""

    owner: str  # `HUB`, or the id of a provider
    service: str  # of the entry in the keychain
    host: str


def hub_key(endpoint: str) -> KeyPlace:
    """The place of the token for a hub. The public hub's never goes to an organisation's own hub."""
    host = _host(endpoint)
    service = _PREFIX + HUB
    return KeyPlace(HUB, service if host in _PUBLIC else f"{service}.{host}", host)


def provider_key(provider: str, base_url: str, own: bool) -> KeyPlace:
    """The place of the key for a provider. That of a server of one's own belongs to its address, not to its name:

    another address is another place, so a key never goes to a host that it was not put in for.
    """
    host = _host(base_url)
    return KeyPlace(provider, f"{_PREFIX}own.{host}" if own else _PREFIX + provider, host)


def _host(url: str) -> str:
    """The host of a URL, with the port where it is not the usual one."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if parts.port is not None and parts.port != _USUAL_PORTS.get(parts.scheme):
        host = f"{host}:{parts.port}"
    return host


def key_problem(key: str) -> KeyProblem | None:
    """What is wrong with a key, or None. Asked before anything is stored or sent."""
    if not key:
        return KeyProblem.EMPTY
    if len(key) > LONGEST:
        return KeyProblem.TOO_LONG
    if re.search(r"[\x00-\x20\x7f-\xa0\s]", key):
        return KeyProblem.SPACE
    return None if key.isascii() else KeyProblem.LETTERS


class Secret:
    """A key in memory that no repr, traceback or log line shows."""

    __slots__ = ("_key",)

    def __init__(self, key: str) -> None:
        self._key = key

    def reveal(self) -> str:
        return self._key

    def __repr__(self) -> str:
        return "Secret(…)"

    def __reduce__(self) -> str | tuple[object, ...]:
        raise TypeError("a secret is not written down")
