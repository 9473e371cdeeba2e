"""Every colour of the window, once: two palettes of named tokens. `theme` turns them into Qt's palette and style sheet.

Text tokens reach 4.5:1 on the surfaces they are used on, control outlines 3:1 (WCAG 2.2, 1.4.3 and 1.4.11);
a test computes it.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Palette:
    """Colours as "#rrggbb"."""

    dark: bool
    page: str  # behind the conversation
    sidebar: str
    surface: str  # cards, code, fields
    bubble: str  # the user's message
    hover: str
    selected: str
    line: str  # hairlines between areas; decoration only
    outline: str  # borders of controls: 3:1 on page
    text: str
    text_soft: str  # secondary text, still 4.5:1
    accent: str  # fills of the primary button, focus ring: 3:1 on page
    on_accent: str
    link: str
    danger: str
    warning: str
    success: str
    code_keyword: str
    code_string: str
    code_comment: str
    code_number: str
    code_name: str


LIGHT = Palette(
    dark=False,
    page="#ffffff",
    sidebar="#f5f5f3",
    surface="#f5f5f3",
    bubble="#eceef2",
    hover="#ebebe8",
    selected="#e1e5ee",
    line="#e3e3df",
    outline="#8a8a86",
    text="#1d1d1b",
    text_soft="#5c5c58",
    accent="#2f5fb3",
    on_accent="#ffffff",
    link="#2552a0",
    danger="#b3261e",
    warning="#8a5300",
    success="#1c6b3c",
    code_keyword="#7a3e9d",
    code_string="#2b6a30",
    code_comment="#666a6f",
    code_number="#9a4a00",
    code_name="#2552a0",
)

DARK = Palette(
    dark=True,
    page="#1c1d1f",
    sidebar="#151617",
    surface="#26282b",
    bubble="#2c3038",
    hover="#2b2d30",
    selected="#323846",
    line="#303235",
    outline="#84888e",
    text="#e9e9e6",
    text_soft="#a9adb3",
    accent="#86aef0",
    on_accent="#10192b",
    link="#96b9f4",
    danger="#f2938b",
    warning="#e3b261",
    success="#84cf9f",
    code_keyword="#cfa3ea",
    code_string="#9bd08f",
    code_comment="#989ca3",
    code_number="#e8b077",
    code_name="#96b9f4",
)
