"""Settings: declared once, checked, kept whole on disk."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from desktop.settings import DECLARED, SETTINGS, Settings
from models.runtime.values import Speculation

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=True) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.key)
def test_every_default_fits_its_own_declaration(setting: Any) -> None:
    assert setting.problem(setting.default) == ""


@pytest.mark.parametrize("setting", [s for s in SETTINGS if s.section], ids=lambda setting: setting.key)
def test_every_setting_in_the_dialog_is_named_and_explained_in_a_sentence(setting: Any) -> None:
    assert setting.label
    assert setting.explanation.endswith(".")


def test_a_value_is_there_again_after_a_restart(tmp_path: Path) -> None:
    file = tmp_path / "settings.json"
    assert Settings(file).set("sampling.temperature", 0.2) == ""
    again = Settings(file)
    again.load()
    assert again.get("sampling.temperature") == 0.2


def test_a_value_out_of_range_is_refused_with_a_sentence_and_changes_nothing(tmp_path: Path) -> None:
    settings = Settings(tmp_path / "settings.json")
    assert settings.set("sampling.temperature", 7) == "The largest value is 2."
    assert settings.get("sampling.temperature") == 0.7
    assert not (tmp_path / "settings.json").exists()


@pytest.mark.parametrize("content", ["{", "[]", '"text"', "\x00\x01", ""])
def test_an_unreadable_file_is_kept_aside_and_the_defaults_apply(tmp_path: Path, content: str) -> None:
    file = tmp_path / "settings.json"
    file.write_text(content)
    settings = Settings(file)
    settings.load()
    assert settings.get("chat.system_prompt") == DECLARED["chat.system_prompt"].default
    assert settings.put_aside is not None
    assert settings.put_aside.read_text() == content


@given(content=st.dictionaries(st.sampled_from(sorted(DECLARED)) | st.text(), JSON))
def test_whatever_stands_in_the_file_every_value_in_force_fits(
    tmp_path_factory: pytest.TempPathFactory, content: dict[str, Any]
) -> None:
    file = tmp_path_factory.mktemp("settings") / "settings.json"
    file.write_text(json.dumps(content))
    settings = Settings(file)
    settings.load()
    for key, setting in DECLARED.items():
        assert setting.problem(settings.get(key)) == ""
    settings.sampling()
    settings.load_options()


def test_a_draft_model_guesses_once_it_is_named_and_never_when_guessing_is_off(tmp_path: Path) -> None:
    settings = Settings(tmp_path / "settings.json")
    settings.set("model.speculation", "draft")
    assert settings.load_options().speculation is Speculation.OFF
    settings.set("model.draft", " ~/small.gguf ")
    options = settings.load_options()
    assert options.speculation is Speculation.DRAFT
    assert options.draft == str(Path.home() / "small.gguf")
    settings.set("model.speculation", "lookup")
    assert settings.load_options().draft == ""


def test_keys_of_a_newer_version_survive_a_change(tmp_path: Path) -> None:
    file = tmp_path / "settings.json"
    file.write_text('{"from.tomorrow": 1}')
    settings = Settings(file)
    settings.load()
    settings.set("appearance.theme", "dark")
    assert json.loads(file.read_text()) == {"from.tomorrow": 1, "appearance.theme": "dark"}


def test_a_managed_value_wins_and_can_not_be_changed(tmp_path: Path) -> None:
    settings = Settings(tmp_path / "settings.json", managed={"appearance.theme": "light"})
    assert settings.set("appearance.theme", "dark") == "This setting is managed by your organisation."
    assert settings.get("appearance.theme") == "light"
