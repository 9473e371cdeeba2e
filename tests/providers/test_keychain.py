"""The system's keychain keeps a key, gives it back, and never keeps anybody waiting: a real Secret Service."""

from __future__ import annotations

import pickle
import sys
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.secret_service import SecretService, secret_service

from providers import keychain
from providers.keychain import KeychainFault, KeychainState
from providers.keys import LONGEST, KeyProblem, Secret, hub_key, key_problem

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="the Secret Service is Linux's")
CANARY = "hf_CanaryThatNobodyMaySee"


def use(service: SecretService, patch: pytest.MonkeyPatch) -> SecretService:
    for name, value in service.environ.items():
        patch.setenv(name, value)
    return service


@pytest.fixture
def keyring(monkeypatch: pytest.MonkeyPatch) -> Iterator[SecretService]:
    with secret_service() as service:
        yield use(service, monkeypatch)


def fault(work: Callable[[], object]) -> KeychainState:
    with pytest.raises(KeychainFault) as caught:
        work()
    assert CANARY not in f"{caught.value!r} {caught.value.detail}"
    return caught.value.state


@linux_only
def test_a_key_is_kept_replaced_found_read_and_removed(keyring: SecretService) -> None:
    assert keychain.state() is KeychainState.READY
    assert not keychain.has("alcove.hub") and keychain.read("alcove.hub") is None
    keychain.store("alcove.hub", Secret("first"))
    keychain.store("alcove.hub", Secret(CANARY))
    assert keychain.has("alcove.hub") and keyring.kept() == {"alcove.hub": CANARY}
    found = keychain.read("alcove.hub")
    assert found is not None and found.reveal() == CANARY
    assert keychain.remove("alcove.hub") and not keychain.remove("alcove.hub")
    assert keyring.kept() == {}


@linux_only
def test_a_key_that_an_administrator_put_in_place_is_found(keyring: SecretService) -> None:
    keyring.keep("alcove.hub.models.example.org", CANARY)
    found = keychain.read(hub_key("https://models.example.org/").service)
    assert found is not None and found.reveal() == CANARY


@linux_only
def test_no_other_store_is_taken_whatever_keyring_is_told(
    keyring: SecretService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.null.Keyring")
    monkeypatch.setenv("KEYRING_PROPERTY_SCHEME", "KeePassXC")
    monkeypatch.setenv("KEYRING_PROPERTY_PREFERRED_COLLECTION", "/org/freedesktop/secrets/collection/session")
    keychain.store("alcove.hub", Secret(CANARY))
    assert keyring.kept() == {"alcove.hub": CANARY}


@linux_only
def test_a_locked_keychain_says_so_and_asks_nobody(keyring: SecretService) -> None:
    keychain.store("alcove.hub", Secret(CANARY))
    keyring.lock()
    assert keychain.state() is KeychainState.LOCKED
    assert keychain.has("alcove.hub")  # that there is one is no secret
    assert fault(lambda: keychain.read("alcove.hub")) is KeychainState.LOCKED
    assert fault(lambda: keychain.store("alcove.hub", Secret(CANARY))) is KeychainState.LOCKED
    assert fault(lambda: keychain.remove("alcove.hub")) is KeychainState.LOCKED


@linux_only
def test_no_bus_no_service_and_no_keychain_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DBUS_SESSION_BUS_ADDRESS", raising=False)
    assert keychain.state() is KeychainState.ABSENT
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nowhere/bus")
    assert keychain.state() is KeychainState.ABSENT
    with secret_service(keyring=False) as service:
        use(service, monkeypatch)
        assert keychain.state() is KeychainState.ABSENT
        assert fault(lambda: keychain.store("alcove.hub", Secret(CANARY))) is KeychainState.ABSENT
    with secret_service(password=None) as service:
        use(service, monkeypatch)
        assert keychain.state() is KeychainState.NONE_MADE
        assert fault(lambda: keychain.store("alcove.hub", Secret(CANARY))) is KeychainState.NONE_MADE


@linux_only
def test_a_keychain_that_hangs_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    with secret_service(keyring=False) as service, closing(service.take_the_name_and_say_nothing()):
        use(service, monkeypatch)
        assert keychain.state(patience=0.3) is KeychainState.SILENT


@given(st.text(st.characters(max_codepoint=0x2100), max_size=20))
def test_what_is_no_key_is_refused_before_it_is_stored(text: str) -> None:
    fits = text.isascii() and 0 < len(text) <= LONGEST and all("!" <= letter <= "~" for letter in text)
    assert (key_problem(text) is None) == fits


@pytest.mark.parametrize(
    ("key", "problem"),
    [
        ("", KeyProblem.EMPTY),
        ("hf_a\nb", KeyProblem.SPACE),
        ("hf_a b", KeyProblem.SPACE),
        (" hf_a", KeyProblem.SPACE),
        ("hf_a\x00", KeyProblem.SPACE),
        ("hf_\u200ba", KeyProblem.LETTERS),
        ("x" * (LONGEST + 1), KeyProblem.TOO_LONG),
    ],
)
def test_the_problem_with_a_key_is_named(key: str, problem: KeyProblem) -> None:
    assert key_problem(key) is problem


def test_a_secret_shows_itself_nowhere() -> None:
    secret = Secret(CANARY)
    assert CANARY not in f"{secret} {secret!r} {[secret]}"
    with pytest.raises(TypeError):
        pickle.dumps(secret)


def test_each_hub_has_a_key_of_its_own() -> None:
    assert hub_key("https://huggingface.co").service == "alcove.hub"
    assert hub_key("https://hub.example.org:8443/x").service == "alcove.hub.hub.example.org:8443"
    assert hub_key("https://hub.example.org:443").service == "alcove.hub.hub.example.org"
    assert hub_key("https://huggingface.co.example.org").service != "alcove.hub"
