"""What the desktop asks of the broker about keys: part of `providers.gate.protocol`.

A key crosses the pipe in one case alone: where this system has no keychain, for this run (`KeyHold`). Otherwise the
broker reads it from the keychain at the moment it sends.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from providers.gate.rules import Purpose
from providers.keys import HUB

# ---- desktop -> broker


@dataclass(frozen=True, slots=True)
class KeyHold:
    """Keep a key in memory until the broker ends. Answered by `KeyHeld`, or by `HubRefused` with a `KeyProblem`."""

    owner: str
    key: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class KeyDrop:
    """Forget the key that was held. Answered by `KeyHeld`."""

    owner: str


@dataclass(frozen=True, slots=True)
class KeyTest:
    """Ask the service whether it takes the key that would be sent. Answered by `KeyWorks`, or by `HubRefused`:
    with a `HubKind`, "no_key", or a `KeychainState` where the keychain stands in the way; for a provider, which is
    asked for its models, by `RemoteRefused`.
    """

    owner: str
    purpose: Purpose = Purpose.SEARCH

    @property
    def provider(self) -> str:
        return "" if self.owner == HUB else self.owner

    @classmethod
    def of(cls, owner: str) -> KeyTest:
        """The test for this owner: a provider's is for the sake of its models."""
        return cls(owner, Purpose.SEARCH if owner == HUB else Purpose.MODELS)


# ---- broker -> desktop


@dataclass(frozen=True, slots=True)
class KeyHeld:
    """Done. `held`: whether a key is now held for this run."""

    held: bool


@dataclass(frozen=True, slots=True)
class KeyWorks:
    """The service takes the key. `account`: what it calls its owner, as a stranger wrote it; "" if it does not say."""

    account: str


KEY_REQUESTS: tuple[type, ...] = (KeyHold, KeyDrop, KeyTest)
KEY_EVENTS: tuple[type, ...] = (KeyHeld, KeyWorks)
KeyEvent = KeyHeld | KeyWorks
