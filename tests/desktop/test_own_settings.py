"""A model's own settings go before those for all models, and presets carry them from one model to another."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from desktop.own_settings import (
    apply_preset,
    options_for,
    own_values,
    presets,
    remove_preset,
    reset_own,
    save_preset,
    set_own,
)
from desktop.settings import Settings
from models.runtime.values import CacheType, RopeScaling

ONE, OTHER = Path("/models/one.gguf"), Path("/models/other.gguf")


def settings(folder: Path, **managed: Any) -> Settings:
    found = Settings(
        folder / "settings.json", {name.replace("__", "."): value for name, value in managed.items()}
    )
    found.load()
    return found


def test_a_models_own_values_go_before_those_for_all_and_survive_a_restart(tmp_path: Path) -> None:
    first = settings(tmp_path)
    first.set("model.context_tokens", 4096)
    assert set_own(first, ONE, "model.context_tokens", 2048) == ""
    assert set_own(first, ONE, "model.cache_type", "q8_0") == ""
    again = settings(tmp_path)
    assert options_for(again, ONE).context_tokens == 2048
    assert options_for(again, ONE).cache_type is CacheType.Q8_0
    assert options_for(again, OTHER).context_tokens == 4096
    assert again.load_options() == options_for(again, OTHER)
    reset_own(again, ONE, "model.context_tokens")
    assert options_for(again, ONE).context_tokens == 4096
    reset_own(again, ONE)
    assert options_for(settings(tmp_path), ONE) == again.load_options()


def test_automatic_for_one_model_is_a_value_of_its_own(tmp_path: Path) -> None:
    found = settings(tmp_path)
    found.set("model.gpu_layers", 0)
    assert set_own(found, ONE, "model.gpu_layers", None) == ""
    assert options_for(found, ONE).gpu_layers is None and options_for(found, OTHER).gpu_layers == 0


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("model.context_tokens", 3),
        ("model.rope_type", "spiral"),
        ("model.rope_stretch", 0.5),
        ("model.rope_base", -1),
        ("model.map_file", "yes"),
    ],
)
def test_a_value_that_does_not_fit_is_refused_with_a_sentence(
    tmp_path: Path, key: str, value: object
) -> None:
    found = settings(tmp_path)
    assert set_own(found, ONE, key, value)
    assert own_values(found, ONE) == {}


def test_the_positions_can_be_stretched(tmp_path: Path) -> None:
    found = settings(tmp_path)
    for key, value in (("type", "yarn"), ("stretch", 2.0), ("base", 500_000)):
        assert set_own(found, ONE, f"model.rope_{key}", value) == ""
    options = options_for(found, ONE)
    assert (options.rope_scaling, options.rope_stretch, options.rope_base) == (RopeScaling.YARN, 2.0, 500_000)


def test_what_is_managed_goes_before_a_models_own_values(tmp_path: Path) -> None:
    free = settings(tmp_path)
    set_own(free, ONE, "model.gpu_layers", 12)
    managed = settings(tmp_path, model__gpu_layers=0)
    assert options_for(managed, ONE).gpu_layers == 0
    assert set_own(managed, ONE, "model.gpu_layers", 4)


def test_a_preset_carries_the_values_of_one_model_to_another(tmp_path: Path) -> None:
    found = settings(tmp_path)
    set_own(found, ONE, "model.context_tokens", 2048)
    assert save_preset(found, "  Small   memory ", ONE) == ""
    reset_own(found, ONE)
    set_own(found, OTHER, "model.threads", 2)
    again = settings(tmp_path)
    apply_preset(again, "Small memory", OTHER)
    assert own_values(again, OTHER) == {"model.context_tokens": 2048}
    assert own_values(again, ONE) == {}
    remove_preset(again, "Small memory")
    assert presets(settings(tmp_path)) == {} and own_values(again, OTHER)
    assert save_preset(again, " ", ONE) and save_preset(again, "x" * 99, ONE)


@pytest.mark.parametrize(
    "content",
    ['{"models": 3, "presets": []}', '{"models": {"/models/one.gguf": {"model.threads": "all", "x": 1}}}'],
)
def test_own_values_that_are_damaged_are_passed_over(tmp_path: Path, content: str) -> None:
    (tmp_path / "settings.json").write_text(content)
    found = settings(tmp_path)
    assert own_values(found, ONE) == {} and presets(found) == {}
    assert set_own(found, ONE, "model.threads", 2) == ""
    assert options_for(found, ONE).threads == 2
