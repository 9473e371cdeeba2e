"""Where things are kept."""

from __future__ import annotations

import sys
from pathlib import Path

import platformdirs
import pytest

from desktop.paths import find_paths


def test_alcove_home_moves_everything(tmp_path: Path) -> None:
    paths = find_paths({"ALCOVE_HOME": str(tmp_path), "XDG_DATA_HOME": "/elsewhere"})
    assert {
        paths.home,
        paths.database.parent,
        paths.settings.parent,
        paths.log.parent,
        paths.lock.parent,
    } == {tmp_path}


@pytest.mark.skipif(sys.platform != "linux", reason="the variable is Linux's")
@pytest.mark.parametrize("data_home", ["", "relative/is/ignored", "/data/of/anna"])
def test_without_it_the_place_is_the_one_of_the_system(
    data_home: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", data_home)
    expected = Path(platformdirs.user_data_dir("Alcove", appauthor=False))
    assert find_paths({"XDG_DATA_HOME": data_home}).home == expected
