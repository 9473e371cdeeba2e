"""What a person can do with a message, by mouse and by keyboard, and what a screen reader is told."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QEnterEvent, QGuiApplication, QHelpEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLabel, QToolTip, QWidget
from pytestqt.qtbot import QtBot
from support.transcript_window import messages, open_transcript, settle, text_with, texts

from desktop.viewmodels.transcript import Entry
from desktop.views.transcript.buttons import QuietButton
from desktop.views.transcript.code import CodeView
from desktop.views.transcript.formula import FormulaView
from desktop.views.transcript.table import TableView
from desktop.views.transcript.view import TranscriptView
from desktop.views.transcript.waiting import WaitingDots

QUESTION = Entry(7, "user", "A question", branch=2, branches=3)
ANSWER = Entry(8, "assistant", "An **answer**.", footnote="Model · 2 s", author="Qwen3 4B")


def point_at(widget: QWidget) -> None:
    """Bring the pointer into a widget, as the window system reports it."""
    at = QPointF(5, 5)
    QApplication.sendEvent(widget, QEnterEvent(at, at, QPointF(widget.mapToGlobal(at.toPoint()))))


def button(view: QWidget, name: str) -> QuietButton:
    return next(
        made for made in view.findChildren(QuietButton) if made.accessibleName() == name and made.isVisible()
    )


def press(qtbot: QtBot, view: QWidget, name: str) -> None:
    QTest.mouseClick(button(view, name), Qt.MouseButton.LeftButton)


def names(view: QWidget) -> set[str]:
    return {made.accessibleName() for made in view.findChildren(QuietButton) if made.isVisible()}


def clipboard() -> str:
    return QGuiApplication.clipboard().text()


def test_the_actions_come_with_the_pointer_and_move_nothing(qtbot: QtBot) -> None:
    view = open_transcript(qtbot, [QUESTION, ANSWER])
    question, answer = messages(view)
    view.setFocus()
    QApplication.sendEvent(question, QEvent(QEvent.Type.Leave))
    assert "Edit message" not in names(question)
    places = [message.geometry() for message in (question, answer)]
    point_at(question)
    assert names(question) >= {"Copy message", "Edit message"}
    point_at(answer)
    assert names(answer) >= {"Copy message", "Answer again"}
    assert [message.geometry() for message in (question, answer)] == places


def test_the_actions_come_with_the_keyboard_too(qtbot: QtBot) -> None:
    view = open_transcript(qtbot, [QUESTION, ANSWER])
    view.activateWindow()
    text_with(view, "answer").setFocus()
    qtbot.waitUntil(lambda: "Answer again" in names(messages(view)[1]))
    view.setFocus()
    qtbot.waitUntil(lambda: "Answer again" not in names(messages(view)[1]))


def test_each_action_says_which_message_it_is_about(qtbot: QtBot) -> None:
    view = open_transcript(qtbot, [QUESTION, ANSWER])
    question, answer = messages(view)
    point_at(question)
    point_at(answer)
    with qtbot.waitSignal(view.edit_requested) as edited:
        press(qtbot, question, "Edit message")
    with qtbot.waitSignal(view.regenerate_requested) as regenerated:
        press(qtbot, answer, "Answer again")
    with qtbot.waitSignal(view.branch_requested) as before:
        press(qtbot, question, "Previous version")
    with qtbot.waitSignal(view.branch_requested) as after:
        press(qtbot, question, "Next version")
    assert (edited.args, regenerated.args) == ([7], [8])
    assert (before.args, after.args) == ([7, 1], [7, 3])


def test_there_is_no_way_beyond_the_last_version(qtbot: QtBot) -> None:
    view = open_transcript(qtbot, [Entry(1, "user", "Q", branch=1, branches=2)])
    assert not button(view, "Previous version").isEnabled()
    assert button(view, "Next version").isEnabled()
    assert any(label.text() == "1/2" for label in view.viewport().findChildren(QLabel))


def test_a_message_is_copied_as_it_was_written(qtbot: QtBot) -> None:
    view = open_transcript(qtbot, [QUESTION, ANSWER])
    point_at(messages(view)[1])
    with qtbot.waitSignal(view.notice):
        press(qtbot, messages(view)[1], "Copy message")
    assert clipboard() == "An **answer**."


def test_code_is_copied_whole_from_its_header_in_a_list_too(qtbot: QtBot) -> None:
    source = "1. Do:\n\n   ```bash\n   ls\n   ```\n\n```\n" + "x" * 5_000 + "\n\u202eend\n```\n"
    view = open_transcript(qtbot, [Entry(1, "assistant", source)])
    press(qtbot, view, "Copy Bash code")
    assert clipboard() == "ls\n"
    press(qtbot, view, "Copy code")
    assert clipboard().startswith("x" * 5_000 + "\n")


def test_a_streaming_answer_offers_nothing_yet_and_a_finished_one_does(qtbot: QtBot) -> None:
    view = open_transcript(qtbot, [Entry(1, "assistant", "Half", status="streaming")])
    point_at(messages(view)[0])
    assert names(messages(view)[0]) == set()
    view.model.replace(0, Entry(1, "assistant", "Half and half"))
    settle(qtbot, view)
    assert names(messages(view)[0]) >= {"Copy message", "Answer again"}


def test_a_clicked_link_is_copied_and_nothing_is_opened(qtbot: QtBot) -> None:
    view = open_transcript(qtbot, [Entry(1, "assistant", "[https://example.org/x](https://example.org/x)")])
    text = text_with(view, "example")
    with qtbot.waitSignals([view.link_copied, view.notice]):
        QTest.mouseClick(text.viewport(), Qt.MouseButton.LeftButton, pos=QPoint(20, 10))
    assert clipboard() == "https://example.org/x"


def test_a_link_is_reached_and_copied_with_the_keyboard(qtbot: QtBot) -> None:
    view = open_transcript(qtbot, [Entry(1, "assistant", "See <https://example.org/y>.")])
    view.activateWindow()
    text = text_with(view, "example")
    text.setFocus(Qt.FocusReason.TabFocusReason)
    with qtbot.waitSignal(view.link_copied) as copied:
        if not text.textCursor().hasSelection():
            QTest.keyClick(text, Qt.Key.Key_Tab)
        QTest.keyClick(text, Qt.Key.Key_Return)
    assert copied.args == ["https://example.org/y"]


@pytest.mark.qt_log_ignore("does not support raise", extend=True)  # the offscreen platform
def test_the_pointer_on_a_link_shows_its_whole_address(qtbot: QtBot) -> None:
    address = "https://example.org/" + "a/" * 200
    view = open_transcript(qtbot, [Entry(1, "assistant", f"[here]({address})")])
    viewport = text_with(view, "here").viewport()
    at = QPoint(10, 10)
    QApplication.sendEvent(viewport, QHelpEvent(QEvent.Type.ToolTip, at, viewport.mapToGlobal(at)))
    assert QToolTip.text() == address
    assert "<" not in QToolTip.text()  # by which Qt would take it for HTML
    QToolTip.hideText()


def test_reasoning_is_folded_until_it_is_opened(qtbot: QtBot) -> None:
    entry = Entry(1, "assistant", "Answer.", reasoning="First **this**.\n\n- then", reasoning_seconds=64)
    view = open_transcript(qtbot, [entry])
    assert not any("First" in text.toPlainText() for text in texts(view.viewport()))
    fold = button(view, "Thought for 1 min 4 s (folded)")
    fold.setFocus()
    QTest.keyClick(fold, Qt.Key.Key_Space)
    settle(qtbot, view)
    assert text_with(view, "First this.").isVisible()
    assert fold.accessibleName() == "Thought for 1 min 4 s (open)"
    QTest.keyClick(fold, Qt.Key.Key_Space)
    settle(qtbot, view)
    assert not any("First" in text.toPlainText() for text in texts(view.viewport()))


def test_reasoning_can_be_watched_while_it_streams_in(qtbot: QtBot) -> None:
    view = open_transcript(qtbot, [Entry(1, "assistant", status="streaming")])
    view.model.add_reasoning(0, "Let me think")
    settle(qtbot, view)
    press(qtbot, view, "Thinking… (folded)")
    view.model.add_reasoning(0, " about it.")
    settle(qtbot, view)
    assert text_with(view, "Let me think about it.").isVisible()


def test_three_dots_wait_for_the_first_word(qtbot: QtBot) -> None:
    view = open_transcript(qtbot, [Entry(1, "user", "Hi"), Entry(2, "assistant", status="streaming")])
    (dots,) = view.viewport().findChildren(WaitingDots)
    assert dots.isVisible()
    view.model.add_text(1, "Hello")
    settle(qtbot, view)
    assert not dots.isVisible()


def test_a_problem_is_a_sentence_with_details_to_copy(qtbot: QtBot) -> None:
    entry = Entry(
        1, "assistant", "Half an", status="failed", problem="It <b>stopped</b>.", problem_detail="signal 6"
    )
    view = open_transcript(qtbot, [entry])
    sentence = next(label for label in view.viewport().findChildren(QLabel) if "stopped" in label.text())
    assert sentence.textFormat() is Qt.TextFormat.PlainText
    before = messages(view)[0].height()
    press(qtbot, view, "Show details")
    settle(qtbot, view)
    assert text_with(view, "signal 6").isVisible()
    assert messages(view)[0].height() > before
    press(qtbot, view, "Copy details")
    assert clipboard() == "signal 6"


def test_no_label_takes_its_text_for_html(qtbot: QtBot) -> None:
    entries = [
        Entry(1, "user", "<b>Q</b>", branch=1, branches=2),
        Entry(2, "assistant", "A", footnote="<img src='file:///x'>", problem="<i>p</i>", problem_detail="d"),
    ]
    view = open_transcript(qtbot, entries)
    labels = view.viewport().findChildren(QLabel)
    assert len(labels) >= 3
    assert all(label.textFormat() is Qt.TextFormat.PlainText for label in labels)


def test_a_screen_reader_is_told_what_everything_is(qtbot: QtBot) -> None:
    text = "Words\n\n```python\nx\n```\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n$$x^2$$\n"
    view = open_transcript(qtbot, [QUESTION, Entry(2, "assistant", text, author="Qwen3 4B")])
    assert view.accessibleName() == "Conversation"
    assert [message.accessibleName() for message in messages(view)] == [
        "Message from you",
        "Answer from Qwen3 4B",
    ]
    for kind, name in ((TableView, "Table: a, b"), (FormulaView, "Formula: x^2")):
        assert view.viewport().findChildren(kind)[0].accessibleName() == name
    code = view.viewport().findChildren(CodeView)[0]
    assert (code.text.accessibleName(), code.copy_button.accessibleName()) == (
        "Code in Python",
        "Copy Python code",
    )
    for made in view.findChildren(QuietButton):
        assert made.accessibleName()


def test_nothing_can_be_dropped_into_the_conversation(qtbot: QtBot) -> None:
    view = open_transcript(qtbot, [QUESTION, ANSWER])
    for text in texts(view.viewport()):
        assert not text.acceptDrops() and not text.viewport().acceptDrops()
        assert text.isReadOnly()


def test_dragging_out_gives_plain_text(qtbot: QtBot) -> None:
    view = open_transcript(qtbot, [ANSWER])
    text = text_with(view, "answer")
    text.selectAll()
    data = text.createMimeDataFromSelection()
    assert (data.text(), data.hasHtml()) == ("An answer.", False)


def test_a_persons_message_stands_at_the_end_of_the_line_in_either_direction(qtbot: QtBot) -> None:
    for direction, at_right in (
        (Qt.LayoutDirection.LeftToRight, True),
        (Qt.LayoutDirection.RightToLeft, False),
    ):
        QApplication.setLayoutDirection(direction)
        try:
            view: TranscriptView = open_transcript(qtbot, [Entry(1, "user", "Hi")])
            text = text_with(view, "Hi")
            left = text.mapTo(view.viewport(), QPoint(0, 0)).x()
            assert (left > view.viewport().width() / 2) is at_right
        finally:
            QApplication.setLayoutDirection(Qt.LayoutDirection.LeftToRight)
