"""Which providers are switched on: a file that says nothing unless it is exactly what Alcove writes."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.remote.catalogue import catalogue, kinds_of_own_servers
from providers.remote.chosen import FILE, FOLDER, Chosen, own_service, read_chosen, write_chosen
from providers.remote.values import Auth

OWN = {
    "id": "own-1", "kind": "ollama", "name": "At home", "base_url": "http://localhost:11434", "auth": "none",
    "plain_http": True,
}  # fmt: skip


def written(home: Path, record: Any) -> Chosen:
    (home / FOLDER).mkdir(exist_ok=True)
    (home / FOLDER / FILE).write_text(record if isinstance(record, str) else json.dumps(record))
    return read_chosen(str(home))


def is_nothing(chosen: Chosen) -> bool:
    """Whether it is what a damaged file says. Numbers that can be made out in it are kept."""
    return chosen.damaged and replace(chosen, made=0) == Chosen()


def test_nothing_is_enabled_at_first(tmp_path: Path) -> None:
    assert read_chosen(str(tmp_path)) == Chosen()
    assert read_chosen(str(tmp_path)).services == {}


def test_what_was_chosen_is_there_again(tmp_path: Path) -> None:
    own = own_service(1, "llama-server", "The office's", "https://models.example:8443/v1/", Auth.BEARER)
    chosen = Chosen(("openai", "own-1"), (own,), {"openai": ("gpt-5-mini",)})
    write_chosen(str(tmp_path), chosen)
    assert read_chosen(str(tmp_path)) == chosen
    assert list(read_chosen(str(tmp_path)).services) == ["openai", "own-1"]
    assert own.base_url == "https://models.example:8443/v1"
    assert chosen.allows("openai", "gpt-5-mini") and not chosen.allows("openai", "gpt-5")
    assert chosen.allows("anthropic", "anything")
    assert "openai" not in chosen.switched("openai", False).services


def test_a_server_never_gets_the_id_of_one_that_is_gone(tmp_path: Path) -> None:
    """A conversation that was let go to the one would else go to the other, unasked."""
    first = own_service(1, "ollama", "The office's", "https://first.example", Auth.NONE)
    with_one = replace(Chosen(), own=(first,))  # as written before numbers were remembered
    write_chosen(str(tmp_path), with_one.without_own("own-1"))
    again = read_chosen(str(tmp_path))
    assert again.own == () and again.last_number == 1
    second = own_service(again.last_number + 1, "ollama", "Other", "https://second.example", Auth.NONE)
    write_chosen(str(tmp_path), again.with_own(second).without_own("own-2"))
    assert read_chosen(str(tmp_path)).last_number == 2


def test_a_damaged_file_is_kept_aside_and_its_numbers_are_not_given_again(tmp_path: Path) -> None:
    damaged = '{"own": [{"id": "own-7", "kind": "oll'
    assert written(tmp_path, damaged).damaged and written(tmp_path, damaged).last_number == 7
    write_chosen(str(tmp_path), read_chosen(str(tmp_path)).switched("openai", True))
    again = read_chosen(str(tmp_path))
    assert (again.damaged, again.enabled, again.last_number) == (False, ("openai",), 7)
    written(tmp_path, "no JSON")
    write_chosen(str(tmp_path), Chosen())
    kept = [tmp_path / FOLDER / f"providers.damaged-{number}.json" for number in (1, 2)]
    assert [file.read_text() for file in kept] == [damaged, "no JSON"]


@pytest.mark.parametrize("made", [-1, 1.0, True, "1", None, 10**9])
def test_a_damaged_number_of_servers_enables_nothing_at_all(made: object, tmp_path: Path) -> None:
    assert is_nothing(written(tmp_path, {"enabled": ["anthropic"], "made": made}))


@pytest.mark.parametrize(
    "own",
    [
        OWN | {"base_url": "http://user:secret@localhost:1"},
        OWN | {"base_url": "ftp://localhost"},
        OWN | {"base_url": "http://localhost:port"},
        OWN | {"base_url": "http://localhost", "plain_http": False},
        OWN | {"base_url": "https://"},
        OWN | {"kind": "no such kind"},
        OWN | {"id": "openai"},
        OWN | {"id": "Own 1"},
        OWN | {"name": ""},
        OWN | {"more": 1},
        OWN | {"plain_http": 1},
        {name: value for name, value in OWN.items() if name != "auth"},
    ],
)
def test_a_server_that_is_not_described_exactly_enables_nothing_at_all(
    own: dict[str, Any], tmp_path: Path
) -> None:
    assert written(tmp_path, {"enabled": ["anthropic"], "own": [OWN]}).enabled == ("anthropic",)
    assert is_nothing(written(tmp_path, {"enabled": ["anthropic"], "own": [own]}))


NAMES = st.sampled_from(["enabled", "own", "models", "id"])
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(NAMES, inner),
)


@given(ANYTHING)
def test_any_other_file_is_read_without_a_fault(
    tmp_path_factory: pytest.TempPathFactory, record: Any
) -> None:
    chosen = written(tmp_path_factory.mktemp("home"), record)
    assert set(chosen.services) <= set(chosen.enabled)


def test_a_file_that_is_a_folder_or_far_too_long_enables_nothing(tmp_path: Path) -> None:
    assert is_nothing(written(tmp_path, json.dumps({"enabled": ["openai"]}) + " " * 300_000))
    (tmp_path / FOLDER / FILE).unlink()
    (tmp_path / FOLDER / FILE).mkdir()
    assert read_chosen(str(tmp_path)) == Chosen()


def test_every_provider_of_the_catalogue_is_reached_over_tls_with_a_key() -> None:
    assert len(catalogue()) == 11
    for service in catalogue().values():
        assert service.base_url.startswith("https://") and service.auth is not Auth.NONE and not service.own
    assert set(kinds_of_own_servers()) >= {"ollama", "vllm", "lm-studio", "llama-server", "openai-compatible"}
