"""Whether there can be a window is known, and said, before Qt is asked."""

from __future__ import annotations

import pytest

from desktop.display import display_problem


def test_a_terminal_without_a_display_is_offered_the_command_line() -> None:
    assert "alcove ask" in display_problem({}, "linux")


def test_a_display_nobody_listens_on_counts_as_none() -> None:
    assert "alcove ask" in display_problem({"DISPLAY": ":4711"}, "linux")


def test_a_display_over_the_network_is_explained() -> None:
    assert "over the network" in display_problem({"DISPLAY": "localhost:10.0"}, "linux")


@pytest.mark.parametrize(
    ("environ", "system"),
    [
        ({"QT_QPA_PLATFORM": "offscreen"}, "linux"),
        ({"WAYLAND_DISPLAY": "wayland-0"}, "linux"),
        ({}, "darwin"),
        ({}, "win32"),
    ],
)
def test_elsewhere_a_window_is_tried(environ: dict[str, str], system: str) -> None:
    assert display_problem(environ, system) == ""
