"""The lock files and pyproject.toml say the same, and everything installed is checked by its hash."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from launcher.environment import LOCKS, SERVERS_LOCK

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
GROUPS = PROJECT["dependency-groups"]
WANTED = {
    "requirements.lock": PROJECT["project"]["dependencies"],
    "requirements-dev.lock": PROJECT["project"]["dependencies"] + GROUPS["dev"],
    "requirements-build.lock": GROUPS["build"] + PROJECT["build-system"]["requires"],
    "requirements-uv.lock": GROUPS["uv"],
}


def _pins(lock: str) -> dict[str, set[str]]:
    """Package → its pinned versions (one for each range of Python versions)."""
    pins: dict[str, set[str]] = {}
    for line in (ROOT / lock).read_text(encoding="utf-8").splitlines():
        if found := re.match(r"([\w.-]+)==([\w.+!]+)", line):
            pins.setdefault(canonicalize_name(found[1]), set()).add(found[2])
    return pins


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_has_what_the_project_asks_for(lock: str) -> None:
    pins = _pins(lock)
    for text in WANTED[lock]:
        wanted = Requirement(text)
        versions = pins[canonicalize_name(wanted.name)]
        assert all(wanted.specifier.contains(version) for version in versions), f"{text}: {versions}"


@pytest.mark.parametrize("lock", LOCKS)
def test_every_package_in_a_lock_has_hashes_and_no_server(lock: str) -> None:
    text = (ROOT / lock).read_text(encoding="utf-8")
    for entry in re.split(r"\n(?=\S)", text.strip()):
        assert "==" in entry.splitlines()[0]
        assert "--hash=sha256:" in entry
    assert "://" not in text


def test_the_servers_of_the_tests_are_checked_by_hash_and_name_no_server_of_packages() -> None:
    text = (ROOT / SERVERS_LOCK).read_text(encoding="utf-8")
    packages = json.loads(text)["packages"]
    wanted = json.loads((ROOT / SERVERS_LOCK).with_name("package.json").read_text(encoding="utf-8"))
    assert packages[""]["dependencies"] == wanted["dependencies"]
    assert all(entry["integrity"].startswith("sha512-") for name, entry in packages.items() if name)
    assert "://" not in text


def test_the_tests_run_with_the_versions_that_people_get() -> None:
    people, tests = _pins("requirements.lock"), _pins("requirements-dev.lock")
    assert people.items() <= tests.items()


def test_only_one_library_that_speaks_http_is_installed_for_people() -> None:
    """httpx, which the broker uses and the hub's client is given. Any other would bring a way out of its own."""
    others = {"aiohttp", "curl-cffi", "hf-transfer", "httpx2", "requests", "urllib3", "websockets"}
    assert not others & _pins("requirements.lock").keys()
    native = [
        line for line in (ROOT / "requirements.lock").read_text().splitlines() if line.startswith("hf-xet")
    ]
    assert [line.split(";")[1].strip(" \\") for line in native] == ["sys_platform == 'none'"]
