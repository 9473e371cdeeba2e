"""Listings: coloured in known languages only, whatever their length, and never slower than the window."""

from __future__ import annotations

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtCore import QObject
from PySide6.QtGui import QTextCursor, QTextDocument
from pytestqt.qtbot import QtBot
from support.transcript_window import messages, open_transcript, settle, turn_wheel

from desktop.viewmodels.transcript import Entry
from desktop.views.palette import DARK, LIGHT
from desktop.views.transcript.code import CodeView
from desktop.views.transcript.heights import Heights
from desktop.views.transcript.highlight import Highlighter, language_name


def colors(document: QTextDocument, line: int) -> list[tuple[str, str]]:
    """The coloured pieces of a line."""
    block = document.findBlockByNumber(line)
    return [
        (block.text()[one.start : one.start + one.length], one.format.foreground().color().name())
        for one in block.layout().formats()
    ]


def listing(qtbot: QtBot, source: str, status: str = "complete") -> CodeView:
    view = open_transcript(qtbot, [Entry(1, "assistant", source, status=status)])
    return messages(view)[0].findChildren(CodeView)[0]


def coloured(qtbot: QtBot, code: CodeView, line: int) -> list[tuple[str, str]]:
    document = code.text.document()
    qtbot.waitUntil(lambda: bool(colors(document, line)))
    return colors(document, line)


def test_words_have_the_colours_of_what_they_are(qtbot: QtBot) -> None:
    code = listing(qtbot, '```python\ndef f(x):\n    return "é😀", 1  # note\n```')
    assert coloured(qtbot, code, 0)[:2] == [("def", LIGHT.code_keyword), ("f", LIGHT.code_name)]
    # The face takes two units in Qt's strings.
    block = code.text.document().findBlockByNumber(1)
    ranges = {one.format.foreground().color().name(): one for one in block.layout().formats()}
    note = ranges[LIGHT.code_comment]
    assert (
        block.text().encode("utf-16-le")[2 * note.start : 2 * (note.start + note.length)].decode("utf-16-le")
        == "# note"
    )


def test_a_streamed_listing_ends_with_the_colours_of_a_finished_one(qtbot: QtBot) -> None:
    source = '```python\n"""A text\nover lines."""\nx = 1\n\n\ndef f():\n    return x\n```\n'
    finished = listing(qtbot, source)
    view = open_transcript(qtbot, [Entry(1, "assistant", status="streaming")])
    for character in source:
        view.model.add_text(0, character)
    view.model.replace(0, Entry(1, "assistant", source))
    settle(qtbot, view)
    streamed = messages(view)[0].findChildren(CodeView)[0]
    for line in range(7):
        document = finished.text.document()
        qtbot.waitUntil(lambda: colors(streamed.text.document(), line) == colors(document, line))  # noqa: B023


def test_the_colours_follow_the_palette(qtbot: QtBot) -> None:
    view = open_transcript(qtbot, [Entry(1, "assistant", "```python\nimport os\n```")])
    view.set_appearance(DARK, 15)
    code = messages(view)[0].findChildren(CodeView)[0]
    assert coloured(qtbot, code, 0)[0] == ("import", DARK.code_keyword)


@pytest.mark.parametrize(
    "language", ["python", "js", "bash", "c++", "rust", "sql", "html", "json", "yaml", "tsx"]
)
def test_common_languages_are_known(language: str) -> None:
    assert language_name(language) != ""
    assert language_name(language) != language


@pytest.mark.parametrize(
    "language",
    ["../../etc/passwd", "os", "pygments.lexers", "__import__", "CustomLexer", "evil.so", "python\x00"],
)
def test_no_other_name_makes_anything_load(language: str) -> None:
    before = set(sys.modules)
    document = QTextDocument("x = 1")
    Highlighter(document, LIGHT).show("x = 1", language, final=True)
    assert colors(document, 0) == []
    assert {name for name in set(sys.modules) - before if not name.startswith("encodings")} == set()


def test_ten_thousand_lines_are_written_little_by_little(qtbot: QtBot) -> None:
    body = "".join(f"value_{number} = {number}\n" for number in range(10_000))
    code = listing(qtbot, f"```python\n{body}```")
    assert code.height() <= 640
    document = code.text.document()
    assert document.blockCount() < 10_000
    qtbot.waitUntil(lambda: document.blockCount() == 10_000, timeout=60_000)
    assert code.block.source == body


def test_a_line_of_a_megabyte_is_broken_on_screen_and_whole_in_the_copy(qtbot: QtBot) -> None:
    code = listing(qtbot, "```\n" + "x" * 1_000_000 + "\n```")
    code.copy()
    assert code.block.source == "x" * 1_000_000 + "\n"
    assert max(len(code.text.document().findBlockByNumber(line).text()) for line in range(20)) <= 2_000


def test_the_reading_place_in_a_listing_stays_while_it_grows(qtbot: QtBot) -> None:
    view = open_transcript(qtbot, [Entry(1, "assistant", "```\n" + "line\n" * 100, status="streaming")])
    code = messages(view)[0].findChildren(CodeView)[0]
    bar = code.text.verticalScrollBar()
    code.text.setFocus()
    qtbot.waitUntil(lambda: bar.maximum() > 0)
    view.model.add_text(0, "more\n")
    qtbot.waitUntil(lambda: bar.value() == bar.maximum())
    turn_wheel(code.text.viewport(), 360)
    place = bar.value()
    for _ in range(5):
        view.model.add_text(0, "more\n" * 10)
        settle(qtbot, view)
    assert 0 < place == bar.value()
    turn_wheel(code.text.viewport(), -12_000)
    view.model.add_text(0, "more\n" * 10)
    settle(qtbot, view)
    assert bar.value() == bar.maximum()


def test_a_selection_in_a_growing_listing_stays(qtbot: QtBot) -> None:
    view = open_transcript(qtbot, [Entry(1, "assistant", "```python\nfirst = 1\n", status="streaming")])
    code = messages(view)[0].findChildren(CodeView)[0]
    code.text.setTextCursor(code.text.document().find("first"))
    for _ in range(6):
        view.model.add_text(0, "second = 2\n")
        settle(qtbot, view)
    assert code.text.textCursor().selectedText() == "first"
    assert isinstance(code.text.textCursor(), QTextCursor) and isinstance(code, QObject)


# ---- the sums of heights


@given(st.lists(st.integers(0, 500), max_size=60), st.data())
def test_sums_and_places_agree_with_counting(heights: list[int], data: st.DataObject) -> None:
    tree = Heights(heights[: len(heights) // 2])
    for height in heights[len(heights) // 2 :]:
        tree.append(height)
    if heights:
        row = data.draw(st.integers(0, len(heights) - 1))
        heights[row] = tree_height = data.draw(st.integers(0, 500))
        tree[row] = tree_height
        keep = data.draw(st.integers(0, len(heights)))
        tree.truncate(keep)
        del heights[keep:]
        tree.append(7)
        heights.append(7)
    assert [tree[row] for row in range(len(tree))] == heights
    assert [tree.before(row) for row in range(len(tree) + 1)] == [
        sum(heights[:row]) for row in range(len(heights) + 1)
    ]
    assert tree.total == sum(heights)
    for position in range(0, sum(heights) + 20, 13):
        ends = [sum(heights[: row + 1]) for row in range(len(heights))]
        expected = next((row for row, end in enumerate(ends) if position < end), len(heights) - 1)
        assert tree.at(position) == max(0, expected)
