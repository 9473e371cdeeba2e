"""From a search to a model that answers: the whole program, a real broker, a real hub on loopback."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from support.gguf_files import write_model
from support.hub_server import HubServer, Misbehaviour

from desktop.processes.switch import Position, Switch, read_switch, write_switch

pytestmark = pytest.mark.timeout(300)
REPOSITORY = "somebody/Tiny-GGUF"


def alcove(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "desktop", *arguments],
        env={"PATH": os.environ["PATH"], "HOME": str(home), "ALCOVE_HOME": str(home / "alcove")},
        capture_output=True,
        text=True,
        timeout=280,
    )


def downloads_from(home: Path, hub: HubServer) -> None:
    switch = Switch(Position.DOWNLOADS, hub.url, plain_http=True)
    (home / "alcove").mkdir(exist_ok=True)
    write_switch(str(home / "alcove"), switch)


def model_bytes(folder: Path) -> bytes:
    return write_model(folder / "made.gguf", context=512).read_bytes()


def test_a_model_is_found_fetched_checked_listed_and_removed(tmp_path: Path) -> None:
    data = model_bytes(tmp_path)
    with HubServer(redirect=False) as hub:
        hub.add(
            REPOSITORY, {"tiny-Q4_K_M.gguf": data, "tiny-Q8_0.gguf": data + b"", "README.md": b"# Tiny\n"}
        )
        downloads_from(tmp_path, hub)
        found = json.loads(alcove(tmp_path, "models", "search", "Tiny", "--json").stdout)
        assert [row["repo"] for row in found] == [REPOSITORY]
        pulled = alcove(tmp_path, "models", "pull", REPOSITORY)
        assert pulled.returncode == 0, pulled.stderr
        place = tmp_path / "alcove" / "models" / "somebody" / "Tiny-GGUF" / "tiny-Q4_K_M.gguf"
        assert pulled.stdout.split() == [hashlib.sha256(data).hexdigest(), str(place)]
        assert place.read_bytes() == data
        again = alcove(tmp_path, "models", "pull", REPOSITORY)
        assert again.returncode == 1
        assert "on the disk already" in again.stderr
    listed = json.loads(alcove(tmp_path, "models", "list", "--json").stdout)
    (model,) = [entry for entry in listed if entry["path"] == str(place)]
    assert model["problem"] == ""
    verified = alcove(tmp_path, "models", "verify", str(place))
    assert verified.stdout.split() == [hashlib.sha256(data).hexdigest(), str(place)]
    answered = alcove(tmp_path, "ask", "Hello", "--model", str(place), "--max-tokens", "3")
    assert answered.returncode == 0, answered.stderr
    removed = alcove(tmp_path, "models", "remove", str(place))
    assert removed.returncode == 0, removed.stderr
    assert not place.exists()
    kept = alcove(tmp_path, "models", "remove", "SmolLM2")
    assert kept.returncode == 1
    assert "was not downloaded by Alcove" in kept.stderr


def test_every_request_has_its_row_and_nothing_else_left(tmp_path: Path) -> None:
    with HubServer(redirect=False) as hub:
        hub.add(REPOSITORY, {"tiny-Q4_K_M.gguf": model_bytes(tmp_path)})
        downloads_from(tmp_path, hub)
        assert alcove(tmp_path, "models", "pull", REPOSITORY).returncode == 0
        asked = [(request.method, request.path.partition("?")[0]) for request in hub.requests()]
    assert asked
    rows = json.loads(alcove(tmp_path, "ledger", "list", "--json").stdout)
    noted = [(row["method"], row["path"].partition("?")[0]) for row in rows if row["verdict"] == "allowed"]
    assert sorted(noted) == sorted(asked)
    assert {row["host"] for row in rows if row["verdict"] == "allowed"} == {"127.0.0.1"}
    assert alcove(tmp_path, "ledger", "verify").returncode == 0


def test_a_file_that_is_not_what_the_hub_announced_is_never_ready(tmp_path: Path) -> None:
    data = model_bytes(tmp_path)
    with HubServer(redirect=False) as hub:
        hub.add(REPOSITORY, {"tiny-Q4_K_M.gguf": data})
        hub.misbehave("tiny-Q4_K_M.gguf", *[Misbehaviour(body=b"x" * len(data))] * 4)
        downloads_from(tmp_path, hub)
        pulled = alcove(tmp_path, "models", "pull", REPOSITORY)
    assert pulled.returncode == 1
    assert "not what the model hub announced" in pulled.stderr
    assert not list((tmp_path / "alcove" / "models").rglob("*.gguf"))


def test_offline_nothing_is_asked_and_the_way_is_named(tmp_path: Path) -> None:
    with HubServer(redirect=False) as hub:
        refused = alcove(tmp_path, "models", "search", "anything")
        assert refused.returncode == 1
        assert "alcove network downloads" in refused.stderr
        assert hub.requests() == []
    assert alcove(tmp_path, "network").stdout.strip() == "offline"
    assert alcove(tmp_path, "network", "downloads").returncode == 0
    assert alcove(tmp_path, "network").stdout.strip() == "downloads"
    assert alcove(tmp_path, "network", "offline").returncode == 0
    assert alcove(tmp_path, "network").stdout.strip() == "offline"


def test_a_storage_on_another_host_than_the_mirror_is_refused_and_recorded(tmp_path: Path) -> None:
    with HubServer(redirect=True) as hub:  # to another port, which nobody allowed
        hub.add(REPOSITORY, {"tiny-Q4_K_M.gguf": model_bytes(tmp_path)})
        downloads_from(tmp_path, hub)
        pulled = alcove(tmp_path, "models", "pull", REPOSITORY)
        assert pulled.returncode == 1
        assert "gate" in pulled.stderr
        assert hub.requests(server="store") == []
    rows = json.loads(alcove(tmp_path, "ledger", "list", "--json").stdout)
    assert any(row["verdict"] == "refused" for row in rows)


def test_what_runs_best_here_is_told_and_fetched_with_what_it_sees_with(tmp_path: Path) -> None:
    data = model_bytes(tmp_path)
    names = ("see-Q4_K_M.gguf", "see-Q8_0.gguf", "see-F16.gguf", "mmproj-Q8_0.gguf", "mmproj-F16.gguf")
    with HubServer(redirect=False) as hub:
        files = {name: data + bytes(number) for number, name in enumerate(names)}
        hub.add("ann/See-GGUF", files, licence="mit", downloads=5)
        hub.add("bob/See-GGUF", {"see-Q4_0.gguf": data}, gated="auto")
        named = alcove(tmp_path, "network", "downloads", "--hub", hub.url)
        assert named.returncode == 0 and hub.url in named.stdout
        arguments = ("--licence", "apache-2.0", "--author", "bob", "--sort", "likes")
        assert "bob/See-GGUF" in alcove(tmp_path, "models", "search", *arguments).stdout
        told = json.loads(
            alcove(tmp_path, "models", "info", "ann/See-GGUF", "--json", "--context", "256").stdout
        )
        assert (told["licence"], told["gate"], told["speeds_from"]["memory"]) == ("mit", "open", "copied")
        assert [model["quantization"] for model in told["models"]] == ["Q4_K_M", "Q8_0", "F16"]
        assert [model["recommended"] for model in told["models"]] == [False, True, False]
        assert all(model["fit"]["verdict"] == "cpu" for model in told["models"])
        assert all(model["fit"]["context_tokens"] == 256 for model in told["models"])
        pulled = alcove(tmp_path, "models", "pull", "ann/See-GGUF")
        assert "Q8_0" in pulled.stderr
        assert [Path(path).name for path in pulled.stdout.split()[1::2]] == [
            "see-Q8_0.gguf",
            "mmproj-F16.gguf",
        ]
        refused = alcove(tmp_path, "models", "pull", "bob/See-GGUF")
        assert refused.returncode == 1
        (waiting,) = json.loads(alcove(tmp_path, "models", "downloads", "--json").stdout)
        assert (waiting["repo"], waiting["state"], bool(waiting["problem"])) == (
            "bob/See-GGUF",
            "failed",
            True,
        )
        hub.repositories["bob/See-GGUF"].gated = False
        resumed = alcove(tmp_path, "models", "downloads", "--resume", waiting["id"])
        assert resumed.returncode == 0, resumed.stderr
        fetched = alcove(tmp_path, "models", "downloads", "--fetch")
        assert fetched.returncode == 0, fetched.stderr
    place = tmp_path / "alcove" / "models" / "bob" / "See-GGUF" / "see-Q4_0.gguf"
    assert place.read_bytes() == data
    assert "Nothing is waiting" in alcove(tmp_path, "models", "downloads").stderr


def test_an_organisations_hub_stays_named_while_offline_and_is_encrypted_unless_it_is_here(
    tmp_path: Path,
) -> None:
    assert alcove(tmp_path, "network", "downloads", "--hub", "https://hub.example/models/").returncode == 0
    assert alcove(tmp_path, "network", "offline").returncode == 0
    assert alcove(tmp_path, "network", "downloads").returncode == 0
    for wrong in ("http://hub.example", "ftp://hub.example", "https://me:key@hub.example", "hub"):
        assert alcove(tmp_path, "network", "--hub", wrong).returncode == 1
    assert read_switch(str(tmp_path / "alcove")).mirror == "https://hub.example/models"
    assert alcove(tmp_path, "network", "--hub", "public").returncode == 0
    assert read_switch(str(tmp_path / "alcove")) == Switch(Position.DOWNLOADS)
