"""What a person who reads can rely on: the text stays where it is, the end is followed, everything is reachable."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QWidget
from pytestqt.qtbot import QtBot
from support.transcript_gallery import CODE, MATH, PROSE, TABLE
from support.transcript_window import messages, open_transcript, settle, text_with, texts, tops, turn_wheel

from desktop.viewmodels.transcript import Entry
from desktop.views.palette import DARK, LIGHT
from desktop.views.transcript.code import CodeView
from desktop.views.transcript.message import MessageView
from desktop.views.transcript.textview import TextView
from desktop.views.transcript.view import TranscriptView

ANSWERS = (PROSE, CODE, MATH, TABLE, "Short.", PROSE * 3)


def conversation(count: int) -> list[Entry]:
    return [
        Entry(number + 1, "assistant", ANSWERS[number // 2 % len(ANSWERS)], footnote="Model · 2 s")
        if number % 2
        else Entry(number + 1, "user", f"Question {number}")
        for number in range(count)
    ]


def begin_answer(view: TranscriptView) -> int:
    view.model.append(Entry(len(view.model.entries) + 1, "assistant", status="streaming"))
    return len(view.model.entries) - 1


def stream(qtbot: QtBot, view: TranscriptView, text: str, step: int = 23) -> None:
    row = len(view.model.entries) - 1
    for at in range(0, len(text), step):
        view.model.add_text(row, text[at : at + step])
        if at // step % 8 == 0:
            settle(qtbot, view)
    settle(qtbot, view)


def test_an_empty_conversation_shows_nothing(qtbot: QtBot) -> None:
    view = open_transcript(qtbot, [])
    assert messages(view) == []
    assert view.verticalScrollBar().maximum() == 0


def test_a_long_conversation_opens_at_its_end_with_few_widgets(qtbot: QtBot) -> None:
    view = open_transcript(qtbot, conversation(10_000))
    bar = view.verticalScrollBar()
    assert bar.value() == bar.maximum() > 100_000
    assert messages(view)[-1].entry.message_id == 10_000
    assert len(view.viewport().findChildren(MessageView)) < 60


def test_earlier_messages_that_come_later_move_nothing_that_is_read(qtbot: QtBot) -> None:
    whole = conversation(300)
    view = open_transcript(qtbot, whole[200:])
    bar = view.verticalScrollBar()
    bar.setValue(bar.maximum() - 1_500)
    settle(qtbot, view)
    before = tops(view)
    assert len(before) > 1
    view.model.prepend(whole[:200])
    settle(qtbot, view)
    after = tops(view)
    assert {text: after[text] for text in before} == before
    bar.setValue(0)
    settle(qtbot, view)
    assert [message.entry.message_id for message in messages(view)][:2] == [1, 2]
    assert messages(view)[0].y() >= 0


def test_earlier_messages_that_come_later_leave_the_end_at_the_end(qtbot: QtBot) -> None:
    whole = conversation(300)
    view = open_transcript(qtbot, whole[200:])
    begin_answer(view)
    view.model.add_text(100, "The answer goes on")
    view.model.prepend(whole[:200])
    view.model.add_text(300, " while they come.")
    settle(qtbot, view)
    bar = view.verticalScrollBar()
    assert bar.value() == bar.maximum()
    assert text_with(view, "The answer goes on while they come.").isVisible()


def test_the_end_is_followed_while_an_answer_streams_in(qtbot: QtBot) -> None:
    view = open_transcript(qtbot, conversation(20))
    begin_answer(view)
    stream(qtbot, view, PROSE + CODE)
    bar = view.verticalScrollBar()
    assert bar.value() == bar.maximum()
    live = messages(view)[-1]
    assert live.y() + live.height() == view.viewport().height()


def test_nothing_that_is_read_moves_while_an_answer_streams_in(qtbot: QtBot) -> None:
    view = open_transcript(qtbot, conversation(60))
    row = begin_answer(view)
    bar = view.verticalScrollBar()
    bar.setValue(bar.maximum() - 2_500)
    settle(qtbot, view)
    before = tops(view)
    assert len(before) > 1
    stream(qtbot, view, PROSE + TABLE + CODE)
    view.model.replace(row, Entry(row + 1, "assistant", PROSE + TABLE + CODE))
    settle(qtbot, view)
    assert tops(view) == before


def test_the_start_of_a_streaming_answer_can_be_read_while_it_grows(qtbot: QtBot) -> None:
    view = open_transcript(qtbot, conversation(6))
    begin_answer(view)
    stream(qtbot, view, PROSE * 4)
    bar = view.verticalScrollBar()
    bar.setValue(bar.maximum() - 900)
    settle(qtbot, view)
    before = tops(view)
    stream(qtbot, view, CODE + TABLE + PROSE)
    after = tops(view)
    assert before
    assert {line: after[line] for line in before} == before


def test_scrolling_up_through_guessed_heights_never_jumps(qtbot: QtBot) -> None:
    view = open_transcript(qtbot, conversation(80))
    bar = view.verticalScrollBar()
    for _ in range(150):
        before = tops(view)
        turn_wheel(view.viewport(), 120)
        settle(qtbot, view)
        after = tops(view)
        steps = {after[line] - before[line] for line in before if line in after}
        assert len(steps) == 1
        assert 0 <= steps.pop() <= 200
    assert bar.value() > 0


def test_scrolling_to_the_start_ends_at_the_first_message(qtbot: QtBot) -> None:
    view = open_transcript(qtbot, conversation(200))
    QTest.keyClick(view, Qt.Key.Key_Home)
    settle(qtbot, view)
    first = messages(view)[0]
    assert first.entry.message_id == 1
    assert first.y() == 0
    QTest.keyClick(view, Qt.Key.Key_End)
    settle(qtbot, view)
    assert view.verticalScrollBar().value() == view.verticalScrollBar().maximum()


def test_a_button_leads_back_to_the_newest_message(qtbot: QtBot) -> None:
    view = open_transcript(qtbot, conversation(50))
    button = next(child for child in view.findChildren(QWidget) if "newest" in child.accessibleName())
    assert not button.isVisible()
    view.verticalScrollBar().setValue(0)
    settle(qtbot, view)
    assert button.isVisible()
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)
    settle(qtbot, view)
    assert not button.isVisible()
    assert view.verticalScrollBar().value() == view.verticalScrollBar().maximum()


def test_ones_own_message_is_always_shown(qtbot: QtBot) -> None:
    view = open_transcript(qtbot, conversation(50))
    view.verticalScrollBar().setValue(0)
    view.model.append(Entry(51, "user", "And now?"))
    settle(qtbot, view)
    assert messages(view)[-1].entry.text == "And now?"
    assert view.verticalScrollBar().value() == view.verticalScrollBar().maximum()


def test_a_selection_in_a_streaming_answer_stays(qtbot: QtBot) -> None:
    view = open_transcript(qtbot, [])
    begin_answer(view)
    stream(qtbot, view, "First paragraph.\n\nThe second one is still being wri")
    text = text_with(view, "First")
    cursor = text.document().find("second one")
    text.setTextCursor(cursor)
    stream(qtbot, view, "tten, **and goes on**.\n\n- a\n- b\n\nAnd a third.", step=3)
    assert text.textCursor().selectedText() == "second one"
    assert text is text_with(view, "third")


def test_a_selection_up_to_the_end_does_not_grow_with_the_text(qtbot: QtBot) -> None:
    view = open_transcript(qtbot, [])
    begin_answer(view)
    stream(qtbot, view, "Some words")
    text = text_with(view, "Some")
    text.selectAll()
    stream(qtbot, view, " and more")
    assert text.toPlainText() == "Some words and more"
    assert text.textCursor().selectedText() == "Some words"


def test_the_wheel_scrolls_the_conversation_over_any_text(qtbot: QtBot) -> None:
    view = open_transcript(qtbot, conversation(40))
    bar = view.verticalScrollBar()
    for text in texts(view.viewport()):
        before = bar.value()
        turn_wheel(text.viewport(), 120)
        assert bar.value() < before


def long_code(view: TranscriptView) -> CodeView:
    return next(
        code for code in view.viewport().findChildren(CodeView) if code.text.verticalScrollBar().maximum()
    )


def test_long_code_scrolls_inside_itself_once_it_has_been_clicked(qtbot: QtBot) -> None:
    body = "".join(f"line {number}\n" for number in range(300))
    view = open_transcript(qtbot, [*conversation(4), Entry(9, "assistant", f"```\n{body}```\n\n{PROSE}")])
    code = long_code(view)
    assert code.height() <= 640
    inner, outer = code.text.verticalScrollBar(), view.verticalScrollBar()
    before = outer.value()
    turn_wheel(code.text.viewport(), 120)
    assert (inner.value(), outer.value() < before) == (0, True)
    outer.setValue(outer.maximum())
    code.text.setFocus()
    before = outer.value()
    turn_wheel(code.text.viewport(), -120)
    assert (inner.value() > 0, outer.value()) == (True, before)


def test_text_that_is_too_wide_scrolls_sideways_with_shift(qtbot: QtBot) -> None:
    view = open_transcript(qtbot, [Entry(1, "assistant", "```\n" + "x" * 500 + "\n```")])
    code = view.viewport().findChildren(CodeView)[0]
    turn_wheel(code.text.viewport(), -120, Qt.KeyboardModifier.ShiftModifier)
    assert code.text.horizontalScrollBar().value() > 0


def test_keys_scroll_from_anywhere_in_the_conversation(qtbot: QtBot) -> None:
    view = open_transcript(qtbot, conversation(60))
    bar = view.verticalScrollBar()
    focused = messages(view)[-1].findChildren(TextView)[0]
    for start in (view, focused):
        bar.setValue(bar.maximum() // 2)
        settle(qtbot, view)
        start.setFocus()
        for key, sign in (
            (Qt.Key.Key_Down, 1),
            (Qt.Key.Key_PageDown, 1),
            (Qt.Key.Key_Up, -1),
            (Qt.Key.Key_PageUp, -1),
        ):
            before = bar.value()
            QTest.keyClick(start, key)
            assert (bar.value() - before) * sign > 0


def test_tab_goes_through_a_message_in_reading_order(qtbot: QtBot) -> None:
    answer = "Text first.\n\n```python\nprint(1)\n```\n\nThen [a link](https://example.org)."
    view = open_transcript(
        qtbot,
        [Entry(1, "user", "Question"), Entry(2, "assistant", answer, reasoning="Hm.", reasoning_seconds=3)],
    )
    view.activateWindow()
    view.setFocus()
    names = []
    for _ in range(12):
        QTest.keyClick(QApplication.focusWidget() or view, Qt.Key.Key_Tab)
        focus = QApplication.focusWidget()
        if focus is None or not view.viewport().isAncestorOf(focus):
            break
        words = focus.toPlainText()[:9] if isinstance(focus, TextView) else ""
        names.append(words or focus.accessibleName())
    assert names[:8] == [
        "Question",
        "Copy message",
        "Edit message",
        "Thought for 3 s (folded)",
        "Text firs",
        "print(1)",
        "Copy Python code",
        "Then a li",
    ]


def test_the_keyboard_brings_what_it_reaches_into_the_window(qtbot: QtBot) -> None:
    view = open_transcript(qtbot, conversation(30))
    view.verticalScrollBar().setValue(0)
    settle(qtbot, view)
    view.activateWindow()
    view.setFocus()
    for _ in range(25):
        QTest.keyClick(QApplication.focusWidget() or view, Qt.Key.Key_Tab)
        settle(qtbot, view)
        focus = QApplication.focusWidget()
        assert focus is not None
        if view.viewport().isAncestorOf(focus):
            top = focus.mapTo(view.viewport(), QPoint(0, 0)).y()
            assert top < view.viewport().height() and top + focus.height() > 0
    assert view.verticalScrollBar().value() > 0


def test_ctrl_a_and_ctrl_c_copy_a_block(qtbot: QtBot) -> None:
    view = open_transcript(qtbot, [Entry(1, "assistant", "Words with $x^2$.\n\n- item")])
    text = text_with(view, "Words")
    text.setFocus()
    QTest.keyClick(text, Qt.Key.Key_A, Qt.KeyboardModifier.ControlModifier)
    QTest.keyClick(text, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    assert QGuiApplication.clipboard().text() == "Words with $x^2$.\n•\titem"


@pytest.mark.parametrize("text_px", [12, 15, 30])
def test_colours_and_text_size_change_in_place(qtbot: QtBot, text_px: int) -> None:
    view = open_transcript(qtbot, conversation(12))
    view.set_appearance(DARK, text_px)
    settle(qtbot, view)
    assert view.viewport().palette().color(view.viewport().backgroundRole()).name() == DARK.page
    for text in texts(view.viewport()):
        shape = text.document().firstBlock().begin()
        if not shape.atEnd() and not shape.fragment().charFormat().isAnchor():
            color = shape.fragment().charFormat().foreground().color().name()
            assert color in (DARK.text, DARK.text_soft)
    shown = [entry.entry.message_id for entry in messages(view)]
    assert shown[-1] == 12
    view.set_appearance(LIGHT, 15)
    settle(qtbot, view)
    assert view.verticalScrollBar().value() == view.verticalScrollBar().maximum()


def test_a_narrow_window_wraps_the_text_and_keeps_the_place(qtbot: QtBot) -> None:
    view = open_transcript(qtbot, conversation(40))
    view.verticalScrollBar().setValue(view.verticalScrollBar().maximum() // 2)
    settle(qtbot, view)
    first = next(message for message in messages(view) if message.y() + message.height() > 0)
    number = first.entry.message_id
    view.resize(420, 700)
    settle(qtbot, view)
    visible = [m.entry.message_id for m in messages(view) if m.y() < 700 and m.y() + m.height() > 0]
    assert number in visible
    assert all(text.width() < 420 for text, _ in tops(view))


def test_a_megabyte_of_answer_has_widgets_only_near_the_window(qtbot: QtBot) -> None:
    view = open_transcript(qtbot, [Entry(1, "user", "Much, please"), Entry(2, "assistant", PROSE * 900)])
    assert len(view.viewport().findChildren(TextView)) < 40
    bar = view.verticalScrollBar()
    for fraction in (0.7, 0.3, 0.0, 1.0):
        bar.setValue(int(bar.maximum() * fraction))
        settle(qtbot, view)
        assert tops(view)
    assert len(view.viewport().findChildren(TextView)) < 200


def test_what_a_conversation_loses_or_changes_is_gone_from_the_window(qtbot: QtBot) -> None:
    view = open_transcript(qtbot, conversation(10))
    view.model.truncate(4)
    settle(qtbot, view)
    assert messages(view)[-1].entry.message_id == 4
    view.model.replace(3, Entry(4, "assistant", "Something else."))
    settle(qtbot, view)
    assert texts(messages(view)[-1])[0].toPlainText() == "Something else."
    view.model.reset([])
    settle(qtbot, view)
    assert messages(view) == []
    assert view.verticalScrollBar().maximum() == 0
