"""`alcove remote`: providers from the terminal, in the same file that the window writes and the broker reads."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from providers.remote.chosen import FILE, FOLDER, read_chosen


def alcove(home: Path, *arguments: str) -> tuple[int, str, str]:
    done = subprocess.run(
        [sys.executable, "-m", "desktop", "remote", *arguments],
        env={"PATH": os.environ["PATH"], "HOME": str(home.parent), "ALCOVE_HOME": str(home)},
        capture_output=True,
        text=True,
        timeout=110,
    )
    return done.returncode, done.stdout, done.stderr


def test_every_provider_is_listed_and_off_at_first(tmp_path: Path) -> None:
    status, out, _ = alcove(tmp_path / "home", "--json")
    listed = {entry["name"]: entry for entry in json.loads(out)}
    assert status == 0 and len(listed) == 11
    assert not any(entry["enabled"] for entry in listed.values())
    assert listed["anthropic"]["url"] == "https://api.anthropic.com/v1"


def test_a_provider_is_switched_on_and_off(tmp_path: Path) -> None:
    home = tmp_path / "home"
    status, out, _ = alcove(home, "enable", "anthropic")
    assert status == 0 and "api.anthropic.com" in out
    assert read_chosen(str(home)).enabled == ("anthropic",)
    assert alcove(home, "disable", "anthropic")[0] == 0
    assert read_chosen(str(home)).enabled == ()
    status, _, err = alcove(home, "enable", "nobody")
    assert status == 1 and "no provider called nobody" in err


def test_a_server_of_ones_own_is_added_off_and_removed(tmp_path: Path) -> None:
    home = tmp_path / "home"
    status, _, err = alcove(home, "add", "ollama", "http://192.0.2.7:11434")
    assert status == 1 and "--plain-http" in err and not (home / FOLDER / FILE).exists()
    assert alcove(home, "add", "ollama", "http://192.0.2.7:11434", "--plain-http")[0] == 0
    assert alcove(home, "add", "vllm", "https://models.example.org/v1", "--key", "--name", "Office")[0] == 0
    chosen = read_chosen(str(home))
    assert [service.id for service in chosen.own] == ["own-1", "own-2"] and chosen.enabled == ()
    assert chosen.own[1].name == "Office" and chosen.own[1].auth.value == "bearer"
    assert alcove(home, "remove", "own-1")[0] == 0
    assert [service.id for service in read_chosen(str(home)).own] == ["own-2"]
    assert alcove(home, "remove", "openai")[0] == 1
    assert alcove(home, "remove", "own-2")[0] == 0
    assert "own-3" in alcove(home, "add", "vllm", "https://another.example.org/v1")[1]


def test_only_the_models_that_are_named_may_be_asked(tmp_path: Path) -> None:
    home = tmp_path / "home"
    assert alcove(home, "only", "openai", "gpt-5-mini", "gpt-5")[0] == 0
    assert read_chosen(str(home)).models == {"openai": ("gpt-5-mini", "gpt-5")}
    assert "Any model" in alcove(home, "only", "openai")[1]
    assert read_chosen(str(home)).models == {}


def test_a_list_that_can_not_be_read_is_said_and_kept_aside(tmp_path: Path) -> None:
    home = tmp_path / "home"
    (home / FOLDER).mkdir(parents=True)
    (home / FOLDER / FILE).write_text('{"own": [{"id": "own-4", ')
    status, _, err = alcove(home, "enable", "openai")
    assert status == 0 and "can't be read any more" in err
    assert (home / FOLDER / "providers.damaged-1.json").read_text().endswith('"own-4", ')
    assert "can't be read" not in alcove(home)[2]


def test_what_is_known_of_a_provider_has_its_sources(tmp_path: Path) -> None:
    status, out, _ = alcove(tmp_path / "home", "info", "anthropic")
    assert status == 0
    for topic in ("retention", "training", "region", "certifications"):
        assert f"{topic}: " in out
    assert "https://" in out


def test_offline_no_provider_is_asked_for_its_models(tmp_path: Path) -> None:
    status, out, err = alcove(tmp_path / "home", "models", "openai")
    assert status == 1 and out == "" and "alcove network remote" in err
