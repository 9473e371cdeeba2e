"""Formulas are drawn by a locked child, or stay the source they were; nothing waits for them."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QImage, QPainter
from pytestqt.qtbot import QtBot
from support.transcript_window import messages, open_transcript, settle, text_with, texts

from desktop.processes.framing import BadRecord
from desktop.viewmodels.transcript import Entry
from desktop.views.transcript import mathematics
from desktop.views.transcript.formula import FormulaView
from desktop.views.transcript.inline_formula import OBJECT
from desktop.views.transcript.mathematics import Drawing, Mathematics
from desktop.views.transcript.typeset import Refused, answer, draw

WRITTEN = [
    r"x^2 + y^2 = z^2",
    r"\frac{-b \pm \sqrt{b^2 - 4ac}}{2a}",
    r"\sum_{n=1}^{\infty} \frac{1}{n^2} = \frac{\pi^2}{6}",
    r"\int_0^\infty e^{-x^2}\,dx",
    r"\begin{pmatrix} a & b \\ c & d \end{pmatrix}",
    r"\begin{align} a &= b \\ c &< d \end{align}",
    r"\begin{cases} x & y < 1 \\ z & w \end{cases}",
    r"\lim_{x \to 0} \frac{\sin x}{x}",
    r"a < b > c",
    r"\text{if } x < 0 \text{ & so on}",
    r"E = mc^2 \tag{1}",
    r"\hat{H}\psi = i\hbar\frac{\partial \psi}{\partial t}",
    r"\mathbb{R} \to \mathcal{L}(V)",
    r"\binom{n}{k} \leq \left\lfloor x \right\rfloor",
]
REFUSED = [
    r"\includegraphics{/etc/passwd}",
    r"\input{/etc/passwd}",
    r"\href{file:///etc/passwd}{x}",
    r"\newcommand{\a}{\b\b}\a",
    r"\def\a{\a\a}\a",
    r"\colorbox{red}{x}",
    r"\unknowncommand{x}",
    r"\frac{1",
    r"\rule{9999em}{9999em}",
    r"",
    "x" * 5_000,
    "{" * 900 + "}" * 900,
]


@pytest.fixture
def shelf(qtbot: QtBot) -> Iterator[Mathematics]:
    made = Mathematics()
    yield made
    made.close()


def wait(qtbot: QtBot, shelf: Mathematics) -> None:
    qtbot.waitUntil(lambda: not shelf.busy, timeout=30_000)


@pytest.mark.parametrize("latex", WRITTEN)
def test_what_models_write_can_be_drawn(latex: str) -> None:
    drawing = draw(latex, True)
    assert drawing["shapes"]


@pytest.mark.parametrize("latex", REFUSED)
def test_what_cannot_or_must_not_be_drawn_is_refused(latex: str) -> None:
    assert "problem" in answer(latex, True)


def test_refusing_says_why() -> None:
    with pytest.raises(Refused):
        draw(r"\input{x}", True)


def test_a_formula_is_asked_for_once_and_comes_later(qtbot: QtBot, shelf: Mathematics) -> None:
    assert shelf.drawing("x^2") is None
    with qtbot.waitSignal(shelf.drawn, timeout=30_000):
        pass
    drawing = shelf.drawing("x^2")
    assert drawing is not None
    assert 0.5 < drawing.width < 3
    assert 0.5 < drawing.ascent < 1.5


def test_a_formula_that_takes_for_ever_is_given_up_and_the_next_is_drawn(
    qtbot: QtBot, shelf: Mathematics
) -> None:
    endless = r"\sqrt{" * 30 + "x" + "}" * 30
    shelf.drawing(endless)
    wait(qtbot, shelf)
    assert shelf.drawing(endless) is None and not shelf.busy
    shelf.drawing("y")
    wait(qtbot, shelf)
    assert shelf.drawing("y") is not None


@pytest.mark.skipif(sys.platform != "linux", reason="the lock is read from /proc")
def test_the_child_that_draws_is_locked(qtbot: QtBot, shelf: Mathematics) -> None:
    shelf.drawing("z")
    wait(qtbot, shelf)
    children = [
        entry
        for entry in Path("/proc").iterdir()
        if entry.name.isdigit() and b"transcript.typeset" in _read(entry / "cmdline") and _is_child(entry)
    ]
    assert children
    for child in children:
        status = _read(child / "status").decode()
        assert "Seccomp:\t2" in status
        assert "NoNewPrivs:\t1" in status


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:  # it ended meanwhile
        return b""


def _is_child(process: Path) -> bool:
    return f"PPid:\t{os.getpid()}" in _read(process / "status").decode()


def test_a_drawing_has_the_colour_it_is_asked_for(qtbot: QtBot, shelf: Mathematics) -> None:
    shelf.drawing(r"\color{white} \blacksquare")
    shelf.drawing(r"\Sigma")
    wait(qtbot, shelf)
    image = QImage(80, 80, QImage.Format.Format_ARGB32)
    image.fill(Qt.GlobalColor.white)
    painter = QPainter(image)
    shelf.paint(painter, QRectF(0, 0, 80, 80), r"\Sigma", False, "#ff0000")
    painter.end()
    colors = {image.pixelColor(x, y).name() for x in range(80) for y in range(80)}
    assert "#ff0000" in colors
    assert "#000000" not in colors


@pytest.mark.parametrize(
    "record",
    [
        {},
        {"left": 0, "top": -1, "width": 1, "height": 1, "shapes": "x"},
        {"left": 0, "top": -1, "width": 1e9, "height": 1, "shapes": []},
        {"left": 0, "top": -1, "width": float("nan"), "height": 1, "shapes": []},
        {"left": 0, "top": -1, "width": 1, "height": 1, "shapes": [{"d": '"/><image href="file:///x"/>'}]},
        {"left": 0, "top": -1, "width": 1, "height": 1, "shapes": [{"rect": ["0", 0, 1, 1]}]},
        {"left": 0, "top": -1, "width": 1, "height": 1, "shapes": [{"line": "url(file:///x)", "d": "M 0 0"}]},
    ],
)
def test_only_numbers_of_a_childs_answer_are_believed(record: dict[str, object]) -> None:
    with pytest.raises((BadRecord, KeyError)):
        mathematics.drawing_of(record)


def test_a_childs_answer_becomes_a_drawing() -> None:
    shapes = [{"d": "M 0 0 L 1 1 Z"}, {"rect": [0, 0, 1, 0.5], "line": 0.1}]
    drawing = mathematics.drawing_of({"left": 0, "top": -10, "width": 20, "height": 15, "shapes": shapes})
    assert isinstance(drawing, Drawing)
    assert (drawing.width, drawing.ascent, drawing.descent) == (1.0, 0.5, 0.25)
    assert b"<image" not in drawing.svg


# ---- in the window


def test_a_formula_in_a_line_replaces_its_source_when_it_is_drawn(qtbot: QtBot) -> None:
    view = open_transcript(qtbot, [Entry(1, "assistant", r"So $\alpha_{17} + 1$ it is.")])
    settle(qtbot, view)
    assert text_with(view, "it is").toPlainText() == f"So {OBJECT} it is."


def test_a_formula_nobody_can_draw_stays_its_source(qtbot: QtBot) -> None:
    source = "So $\\nosuch{x}$ it is.\n\n$$\\nosuch{y}$$"
    view = open_transcript(qtbot, [Entry(1, "assistant", source)])
    settle(qtbot, view)
    assert text_with(view, "it is").toPlainText() == r"So \nosuch{x} it is."
    assert any(text.toPlainText() == r"\nosuch{y}" for text in texts(view.viewport()))


def test_a_drawn_formula_on_a_line_of_its_own_has_no_source_under_it(qtbot: QtBot) -> None:
    view = open_transcript(qtbot, [Entry(1, "assistant", "$$\n\\sum_{i=1}^n i^3\n$$")])
    settle(qtbot, view)
    (formula,) = messages(view)[0].findChildren(FormulaView)
    assert formula.height() > 30
    assert not texts(formula)


def test_formulas_in_tables_are_drawn(qtbot: QtBot) -> None:
    view = open_transcript(qtbot, [Entry(1, "assistant", "| a | b |\n|---|---|\n| $x^{23}$ | y |\n")])
    settle(qtbot, view)
    assert OBJECT in text_with(view, "y").toPlainText()
