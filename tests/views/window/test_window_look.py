"""Colours: contrast by WCAG 2.2, themes that change while the window is open, icons that exist and are sharp."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import asdict, fields
from pathlib import Path

import pytest
from PySide6.QtCore import QSize
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot
from support.window_parts import shown

import resources
from desktop.views import icons
from desktop.views.palette import DARK, LIGHT, Palette
from desktop.views.theme import Theme, high_contrast

pytestmark = pytest.mark.qt_log_ignore("propagateSizeHints", extend=True)

PALETTES = (LIGHT, DARK, high_contrast(LIGHT), high_contrast(DARK))
GROUNDS = ("page", "sidebar", "surface", "bubble", "hover", "selected")
SHEET = Path(resources.__file__).parent / "styles" / "window.qss"
VIEWS = Path(__file__).parents[3] / "desktop" / "views"


def luminance(color: str) -> float:
    """WCAG 2.2, definition of relative luminance."""
    parts = [int(color[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def ratios(palette: Palette, inks: tuple[str, ...], grounds: tuple[str, ...]) -> Iterator[tuple[str, float]]:
    colors = asdict(palette)
    for ink in inks:
        for ground in grounds:
            yield f"{ink} on {ground}", contrast(colors[ink], colors[ground])


@pytest.mark.parametrize("palette", PALETTES)
def test_text_is_readable_on_every_ground_it_stands_on(palette: Palette) -> None:
    inks = ("text", "text_soft", "link", "danger", "warning", "success")
    code = tuple(field.name for field in fields(Palette) if field.name.startswith("code_"))
    pairs = [
        *ratios(palette, inks, GROUNDS),
        *ratios(palette, code, ("surface",)),
        *ratios(palette, ("on_accent",), ("accent",)),
    ]
    assert [(name, round(ratio, 2)) for name, ratio in pairs if ratio < 4.5] == []


@pytest.mark.parametrize("palette", PALETTES)
def test_controls_and_focus_rings_stand_out_from_what_is_behind_them(palette: Palette) -> None:
    pairs = [
        *ratios(palette, ("outline",), ("page", "sidebar", "surface")),
        *ratios(palette, ("accent",), GROUNDS),
        *ratios(palette, ("text",), ("accent",) if palette.dark is False and palette is LIGHT else ()),
    ]
    assert [
        (name, round(ratio, 2)) for name, ratio in pairs if ratio < 3.0 and name != "text on accent"
    ] == []


@pytest.mark.parametrize("palette", PALETTES)
def test_every_rule_of_the_style_sheet_pairs_readable_colours(palette: Palette) -> None:
    colors = asdict(palette)
    looked_at = 0
    for rule in re.findall(r"\{(.*?)\}", re.sub(r"\$\{(\w+)\}", r"$\1", SHEET.read_text("utf-8")), re.DOTALL):
        ink = re.search(r"(?<![-\w])color: \$(\w+)", rule)
        ground = re.search(r"(?<!selection-)background: \$(\w+)", rule)
        if ink and ground:
            looked_at += 1
            assert contrast(colors[ink[1]], colors[ground[1]]) >= 4.5, rule
    assert looked_at >= 6


def test_every_icon_that_is_named_can_be_drawn_sharply_at_200_percent(qapp: QApplication) -> None:
    names = {file.stem for file in icons._FOLDER.glob("*.svg")}
    assert names
    for name in names:
        image = icons._image(name, "#2f5fb3", 18, 2)
        assert (image.width(), image.height(), image.devicePixelRatio()) == (36, 36, 2.0)
        pixels = [image.pixelColor(x, y) for x in range(36) for y in range(36)]
        inked = [pixel for pixel in pixels if pixel.alpha() > 250]
        assert inked, f"{name} draws nothing"
        assert all(_near(pixel, QColor("#2f5fb3")) for pixel in inked), f"{name} is drawn in another colour"


def _near(one: QColor, other: QColor) -> bool:
    """The same but for the rounding at smoothed edges."""
    return all(
        abs(a - b) <= 12
        for a, b in ((one.red(), other.red()), (one.green(), other.green()), (one.blue(), other.blue()))
    )


def test_no_icon_is_carried_along_unused_and_none_is_missing() -> None:
    source = "\n".join(file.read_text("utf-8") for file in VIEWS.rglob("*.py"))
    there = {file.stem for file in icons._FOLDER.glob("*.svg")}
    assert {name for name in there if f'"{name}"' not in source} == set()


def test_light_and_dark_change_while_the_window_is_open(qtbot: QtBot, tmp_path: Path) -> None:
    with shown(qtbot, tmp_path) as parts:
        assert parts.settings.set("appearance.theme", "dark") == ""
        assert parts.window.theme.palette is DARK
        dark = _ground(parts.window.grab().toImage().pixelColor)
        parts.settings.set("appearance.theme", "light")
        light = _ground(parts.window.grab().toImage().pixelColor)
    assert (dark, light) == (DARK.sidebar, LIGHT.sidebar)


def _ground(pixel: object) -> str:
    color = pixel(3, 300)  # type: ignore[operator]  # in the sidebar's margin
    assert isinstance(color, QColor)
    return color.name()


def test_text_grows_with_the_setting_and_everything_still_fits(qtbot: QtBot, tmp_path: Path) -> None:
    with shown(qtbot, tmp_path) as parts:
        before = parts.window.page.composer.edit.fontMetrics().height()
        parts.settings.set("appearance.text_percent", 200)
        after = parts.window.page.composer.edit.fontMetrics().height()
        assert after > before * 1.8
        edit = parts.window.page.composer.edit
        assert edit.height() >= edit.fontMetrics().height()


def test_high_contrast_leaves_nothing_faint() -> None:
    for palette in (high_contrast(LIGHT), high_contrast(DARK)):
        assert contrast(palette.line, palette.page) >= 20
        assert contrast(palette.text_soft, palette.page) >= 20


def test_icons_of_a_theme_follow_its_colours(qapp: QApplication) -> None:
    theme = Theme()
    theme.use("light", 100)
    light = theme.icon("x").pixmap(QSize(18, 18)).toImage()
    theme.use("dark", 100)
    dark = theme.icon("x").pixmap(QSize(18, 18)).toImage()
    assert light != dark
    theme.use("light", 100)
