"""The tests' own screenshot run: it makes the README's pictures, and what can be seen in them is checked here.

`ALCOVE_SCREENSHOTS=docs` keeps them; otherwise they go where pytest keeps its files.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from PySide6.QtGui import QColor, QImage
from support.screenshots import SIZE, THEMES

from desktop.views.palette import DARK, LIGHT

TESTS = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = Path(os.environ.get("ALCOVE_SCREENSHOTS") or tmp_path_factory.mktemp("pictures")).absolute()
    subprocess.run(
        [sys.executable, "-m", "support.screenshots", str(folder)],
        cwd=TESTS,
        env={**os.environ, "PYTHONPATH": os.pathsep.join((str(TESTS), str(TESTS.parent)))},
        check=True,
        timeout=110,
        stdout=subprocess.DEVNULL,
    )
    return folder


@pytest.mark.parametrize("theme", THEMES)
def test_the_window_is_drawn_in_both_themes_and_twice_as_sharp(pictures: Path, theme: str) -> None:
    palette = LIGHT if theme == "light" else DARK
    image = QImage(str(pictures / f"alcove-{theme}.png"))
    assert (image.width(), image.height()) == (SIZE[0] * 2, SIZE[1] * 2)
    assert image.pixelColor(6, 1000) == QColor(palette.sidebar)
    assert image.pixelColor(2 * 600, 2 * 4) == QColor(palette.page)
    text = QColor(palette.text)
    column = range(2 * 352, 2 * 1112, 2)
    inked = sum(image.pixelColor(x, y) == text for x in column for y in range(2 * 60, 2 * 700, 4))
    assert inked > 200, "there is hardly any text where the conversation should be"


@pytest.mark.parametrize("theme", THEMES)
def test_the_welcome_page_and_the_settings_are_not_blank(pictures: Path, theme: str) -> None:
    for name in (f"alcove-welcome-{theme}.png", f"alcove-settings-{theme}.png"):
        image = QImage(str(pictures / name))
        colours = {image.pixel(x, y) for x in range(0, image.width(), 5) for y in range(0, image.height(), 5)}
        assert len(colours) > 20, name
