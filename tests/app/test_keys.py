"""A key from the terminal to the hub, and nowhere else: the whole program, a real keychain, a real hub on loopback."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from support.hub_server import HubServer, Misbehaviour
from support.secret_service import SecretService, secret_service

from desktop.processes.switch import Position, Switch, write_switch
from providers.keys import hub_key

pytestmark = [
    pytest.mark.timeout(300),
    pytest.mark.skipif(sys.platform != "linux", reason="the Secret Service is Linux's"),
]
CANARY = "hf_CanaryThatNobodyMaySee"
WRONG = "hf_AnotherCanaryThatIsWrong"
GATED = "maker/Gated-GGUF"
FILE = "tiny-Q4_K_M.gguf"


@pytest.fixture
def hub() -> Iterator[HubServer]:
    with HubServer(redirect=False) as server:
        server.add(GATED, {FILE: b"GGUF weights", "tiny-Q8_0.gguf": b"more weights"}, gated="auto")
        server.tokens = server.accepted = {CANARY}
        yield server


@pytest.fixture
def home(tmp_path: Path, hub: HubServer) -> Path:
    folder = tmp_path / "alcove"
    folder.mkdir()
    write_switch(str(folder), Switch(Position.DOWNLOADS, hub.url, plain_http=True))
    return folder


def start(home: Path, environ: Mapping[str, str], *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "desktop", *arguments],
        env={"PATH": os.environ["PATH"], "HOME": str(home.parent), **environ, "ALCOVE_HOME": str(home)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def alcove(home: Path, environ: Mapping[str, str], *arguments: str, typed: str = "") -> tuple[int, str]:
    """The exit status and everything that was said, none of which is a key."""
    process = start(home, environ, *arguments)
    out, err = process.communicate(typed, timeout=280)
    assert CANARY not in out + err and WRONG not in out + err
    return process.returncode, out + err


def nowhere(home: Path, service: SecretService) -> None:
    """No file of Alcove or of the keychain shows a key."""
    for folder in (home, service.folder):
        for path in folder.rglob("*"):
            if path.is_file():
                content = path.read_bytes()
                assert CANARY.encode() not in content and WRONG.encode() not in content, path


def processes_that_show(key: bytes) -> list[str]:
    """Every process of this machine whose arguments or environment hold it."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        for name in ("cmdline", "environ"):
            try:
                if key in (folder / name).read_bytes():
                    found.append(f"{folder.name}/{name}")
            except OSError:  # somebody else's, or gone by now
                continue
    return found


def test_a_key_opens_a_gated_model_and_is_seen_by_the_hub_alone(home: Path, hub: HubServer) -> None:
    with secret_service() as service:
        environ = service.environ
        assert alcove(home, environ, "keys", "set", "hub", "-", typed=f"{CANARY}\n")[0] == 0
        assert service.kept() == {hub_key(hub.url).service: CANARY}
        status, said = alcove(home, environ, "keys", "--json")
        assert status == 0
        listed = json.loads(said)["keys"]
        assert listed[0] == {"owner": "hub", "service": hub_key(hub.url).service, "stored": True}
        assert {"owner": "anthropic", "service": "alcove.anthropic", "stored": False} in listed
        status, said = alcove(home, environ, "keys", "test", "hub")
        assert (status, "belongs to somebody" in said) == (0, True), said
        held = threading.Event()
        hub.misbehave(f"resolve/{hub.repositories[GATED].sha}/{FILE}", Misbehaviour(wait=held))
        pulling = start(home, environ, "models", "pull", GATED)
        while not hub.requests(FILE) and pulling.poll() is None:
            threading.Event().wait(0.02)
        shown = processes_that_show(CANARY.encode())
        held.set()
        pulling.communicate(timeout=200)
        assert (pulling.returncode, shown) == (0, [])
        nowhere(home, service)
        assert f"Bearer {CANARY}" in {one.headers.get("authorization") for one in hub.requests(FILE)}
        assert alcove(home, environ, "keys", "remove", "hub")[0] == 0
        assert service.kept() == {}
        status, said = alcove(home, environ, "models", "pull", GATED, "--quantization", "Q8_0")
        assert (status, "Accept its conditions" in said) == (1, True), said


def test_after_every_refusal_the_key_is_nowhere_and_the_next_step_is_named(
    home: Path, hub: HubServer
) -> None:
    with secret_service() as service:
        environ = service.environ
        status, said = alcove(home, environ, "keys", "set", "hub", "-", typed=f"{CANARY}\n{CANARY}\n")
        assert (status, "no line breaks" in said) == (1, True), said
        assert service.kept() == {}
        service.keep(hub_key(hub.url).service, WRONG)
        status, said = alcove(home, environ, "models", "pull", GATED)
        assert (status, "does not take your token" in said) == (1, True)
        service.keep(hub_key(hub.url).service, CANARY)
        hub.accepted = set()
        status, said = alcove(home, environ, "models", "pull", GATED)
        assert (status, "may not have it yet" in said) == (1, True)
        service.lock()
        status, said = alcove(home, environ, "models", "pull", GATED)
        assert (status, "keychain is locked" in said and "nothing was sent" in said) == (1, True), said
        status, said = alcove(home, environ, "keys")
        assert (status, "a key is stored" in said and "keychain is locked" in said) == (0, True), said
        nowhere(home, service)


def test_without_a_keychain_the_command_line_keeps_nothing_and_says_so(home: Path) -> None:
    status, said = alcove(home, {}, "keys", "set", "hub", "-", typed=CANARY)
    assert (status, "no keychain" in said and "nothing was stored" in said) == (1, True)
    assert alcove(home, {}, "keys", "set", "hub")[0] == 2  # nobody to ask
    write_switch(str(home), Switch())
    status, said = alcove(home, {}, "keys", "test", "hub")
    assert (status, "offline" in said) == (1, True)
