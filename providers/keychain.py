"""The operating system's keychain: Secret Service, macOS Keychain, Windows Credential Manager.

The only file that imports keyring. It takes the system's own class, never keyring's choice: that could be a plain
file, or nothing at all without saying so. A locked keychain would ask the person and wait for the answer, so it is
looked at first, and nobody waits longer than a few seconds for any of it.
"""

from __future__ import annotations

import queue
import sys
import threading
from collections.abc import Callable
from contextlib import closing
from enum import StrEnum
from typing import TYPE_CHECKING, Any, TypeVar, cast

from providers.keys import ACCOUNT, Secret

if TYPE_CHECKING:
    from keyring.backend import KeyringBackend

PATIENCE = 8.0
"""Seconds for an answer. A service that has to be started for it takes one or two."""

T = TypeVar("T")


class KeychainState(StrEnum):
    """What the keychain can do now."""

    READY = "keychain_ready"
    LOCKED = "keychain_locked"  # until the person unlocks it
    ABSENT = "keychain_absent"  # this system has none, or none that this process can reach
    NONE_MADE = "keychain_none_made"  # there is a service, and nobody has made a keychain in it yet
    SILENT = "keychain_silent"  # it did not answer in time
    REFUSED = "keychain_refused"  # it answered with an error


class KeychainFault(Exception):
    """The keychain could not do it, and why. `detail`: the name of the error's class, nothing that it said."""

    def __init__(self, state: KeychainState, detail: str = "") -> None:
        super().__init__(state.value)
        self.state = state
        self.detail = detail


def keychain_name() -> str:
    """What people call the keychain of this system. A name, not translated."""
    return {"darwin": "macOS Keychain", "win32": "Windows Credential Manager"}.get(
        sys.platform, "Secret Service"
    )


def state(patience: float = PATIENCE) -> KeychainState:
    """Look at it. Never raises, asks nobody, takes at most so many seconds."""
    try:
        return _in_time(_state, patience)
    except KeychainFault as fault:
        return fault.state


def has(service: str) -> bool:
    """Whether there is a key. Raises `KeychainFault`."""
    return _in_time(lambda: _has(service))


def read(service: str) -> Secret | None:
    """The key, for the process that sends it. None when there is none. Raises `KeychainFault`."""

    def work() -> Secret | None:
        found = _ready().get_password(service, ACCOUNT)
        return Secret(found) if found else None

    return _in_time(work)


def store(service: str, key: Secret) -> None:
    """Keep a key, instead of the one that was there. Raises `KeychainFault`; returns only once it is kept."""

    def work() -> None:
        _ready().set_password(service, ACCOUNT, key.reveal())
        if not _has(service):
            raise KeychainFault(KeychainState.REFUSED, "not kept")

    _in_time(work)


def remove(service: str) -> bool:
    """Remove a key. Returns whether there was one. Raises `KeychainFault`."""

    def work() -> bool:
        backend = _ready()
        there = _has(service)
        if there:
            backend.delete_password(service, ACCOUNT)
        return there

    return _in_time(work)


def _in_time(work: Callable[[], T], patience: float = PATIENCE) -> T:
    """Do it in a thread of its own that is left behind when it hangs. Every error becomes a `KeychainFault`."""
    answer: queue.SimpleQueue[tuple[T | None, KeychainFault | None]] = queue.SimpleQueue()

    def run() -> None:
        try:
            answer.put((work(), None))
        except KeychainFault as fault:
            answer.put((None, fault))
        except (
            BaseException
        ) as error:  # bindings of another system's library: whatever it says could quote a key
            answer.put((None, KeychainFault(_state_of(error), type(error).__name__)))

    threading.Thread(target=run, name="keychain", daemon=True).start()
    try:
        result, fault = answer.get(timeout=patience)
    except queue.Empty:
        raise KeychainFault(KeychainState.SILENT) from None
    if fault is not None:
        raise fault from None
    return result  # type: ignore[return-value]  # None only where T has it


def _state_of(error: BaseException) -> KeychainState:
    name = type(error).__name__
    if name in ("KeyringLocked", "LockedException", "PromptDismissedException"):
        return KeychainState.LOCKED
    if name in ("NoKeyringError", "InitError", "SecretServiceNotAvailableException", "ModuleNotFoundError"):
        return KeychainState.ABSENT
    return KeychainState.REFUSED


def _ready() -> KeyringBackend:
    """The system's own backend, once the keychain is open."""
    found = _state()
    if found is not KeychainState.READY:
        raise KeychainFault(found)
    return _backend()


if sys.platform == "darwin":

    def _backend() -> KeyringBackend:
        from keyring.backends.macOS import Keyring

        return Keyring()

    def _state() -> KeychainState:
        _backend()
        return KeychainState.READY

    def _has(service: str) -> bool:
        return _backend().get_password(service, ACCOUNT) is not None

elif sys.platform == "win32":

    def _backend() -> KeyringBackend:
        from keyring.backends.Windows import WinVaultKeyring

        return WinVaultKeyring()

    def _state() -> KeychainState:
        _backend()
        return KeychainState.READY

    def _has(service: str) -> bool:
        return _backend().get_password(service, ACCOUNT) is not None

else:

    def _backend() -> KeyringBackend:
        from keyring.backends.SecretService import Keyring
        from secretstorage.collection import DEFAULT_COLLECTION

        backend = cast(Any, Keyring)()
        # Whatever KEYRING_PROPERTY_… says: the keychain that was looked at, and the attributes of docs/keys.md.
        backend.preferred_collection = DEFAULT_COLLECTION
        backend.scheme = "default"
        return backend  # type: ignore[no-any-return]

    def _state() -> KeychainState:
        import secretstorage
        from secretstorage.exceptions import ItemNotFoundException, SecretServiceNotAvailableException

        try:
            connection = secretstorage.dbus_init()
        except (SecretServiceNotAvailableException, OSError):  # no bus, or one behind this process's lock
            return KeychainState.ABSENT
        with closing(connection):
            try:
                if not secretstorage.check_service_availability(connection):
                    return KeychainState.ABSENT
                # Not `get_default_collection`, which would ask the person to make one.
                collection = secretstorage.Collection(connection)
            except SecretServiceNotAvailableException:
                return KeychainState.ABSENT
            except ItemNotFoundException:
                return KeychainState.NONE_MADE
            return KeychainState.LOCKED if collection.is_locked() else KeychainState.READY

    def _has(service: str) -> bool:
        """By its attributes alone: the key stays where it is."""
        import secretstorage

        with closing(secretstorage.dbus_init()) as connection:
            wanted = {"service": service, "username": ACCOUNT}
            return any(True for _ in secretstorage.Collection(connection).search_items(wanted))
