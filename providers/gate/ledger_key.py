"""The key that the rows of the ledger are made with: in the system's keychain, made when the first row is written.

With it nobody who can write the file alone can make rows that follow each other. It is asked for where a row is
written, and kept in memory from then on. Where there is no keychain the rows have no key, and say so ("alg").
"""

from __future__ import annotations

import re
import secrets
import time

from providers import keychain
from providers.keychain import KeychainFault
from providers.keys import Secret

SERVICE = "alcove.ledger"
"""Its name in the keychain; the account is that of every key (docs/keys.md)."""
_BYTES = 32
_AGAIN_AFTER = 60.0
"""Seconds until a keychain that was not there is asked again: each try may take long."""


def read_key() -> bytes | None:
    """The key, for who writes or checks a ledger. None when there is none. Raises `KeychainFault`."""
    secret = keychain.read(SERVICE)
    return None if secret is None else _from_text(secret.reveal())


class LedgerKey:
    """Where a ledger gets its key from. Called under the ledger's lock."""

    def __init__(self) -> None:
        self._not_before = 0.0  # of time.monotonic()

    def __call__(self, make: bool) -> bytes | None:
        """The key; a new one where there is none yet and `make`. None while the keychain does not give it."""
        if time.monotonic() < self._not_before:
            return None
        try:
            key = read_key()
            if key is None and make:
                keychain.store(SERVICE, Secret(secrets.token_hex(_BYTES)))
                key = read_key()
        except KeychainFault:
            key = None
        if key is None:
            self._not_before = time.monotonic() + _AGAIN_AFTER
        return key


def _from_text(text: str) -> bytes | None:
    return bytes.fromhex(text) if re.fullmatch(r"[0-9a-f]{64}", text) else None
