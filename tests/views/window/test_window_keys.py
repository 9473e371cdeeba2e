"""Real key presses into the real window: what each key of the list does, wherever the keyboard is."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication, QInputMethodEvent, QKeySequence
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QDialog, QWidget
from pytestqt.qtbot import QtBot
from support.window_parts import EndlessReader, WindowParts, ask, shown

from desktop.viewmodels.chat import ChatState
from desktop.views.commands import commands, local_keys, readable
from desktop.views.message_edit import MessageEdit
from providers.echo import Echo

pytestmark = pytest.mark.qt_log_ignore("propagateSizeHints", extend=True)

CTRL = Qt.KeyboardModifier.ControlModifier
SHIFT = Qt.KeyboardModifier.ShiftModifier
ALT = Qt.KeyboardModifier.AltModifier


def press(
    parts: WindowParts, key: Qt.Key, held: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier
) -> None:
    """As a keyboard does: to whatever has the focus."""
    target = QApplication.focusWidget() or parts.window
    QTest.keyClick(target, key, held)


def type_on(text: str) -> None:
    """Into whatever has the focus."""
    target = QApplication.focusWidget()
    assert target is not None
    QTest.keyClicks(target, text)


def field(parts: WindowParts) -> MessageEdit:
    return parts.window.page.composer.edit


def dialog(parts: WindowParts, qtbot: QtBot) -> QDialog:
    qtbot.waitUntil(lambda: isinstance(QApplication.activeModalWidget(), QDialog), timeout=5_000)
    found = QApplication.activeModalWidget()
    assert isinstance(found, QDialog)
    return found


def test_the_window_opens_ready_to_be_typed_into(qtbot: QtBot, tmp_path: Path) -> None:
    with shown(qtbot, tmp_path) as parts:
        assert QApplication.focusWidget() is field(parts)
        type_on("hello")
        assert field(parts).toPlainText() == "hello"


def test_enter_sends_and_the_field_is_empty_for_the_next_message(qtbot: QtBot, tmp_path: Path) -> None:
    with shown(qtbot, tmp_path) as parts:
        QTest.keyClicks(field(parts), "one two")
        press(parts, Qt.Key.Key_Return)
        qtbot.waitUntil(lambda: parts.chat.last_answer() == "one two", timeout=10_000)
        assert field(parts).toPlainText() == ""
        assert [entry.text for entry in parts.chat.transcript.entries] == ["one two", "one two"]
        assert parts.conversations.items[0].title


def test_shift_enter_breaks_the_line_and_ctrl_enter_always_sends(qtbot: QtBot, tmp_path: Path) -> None:
    with shown(qtbot, tmp_path) as parts:
        QTest.keyClicks(field(parts), "a")
        press(parts, Qt.Key.Key_Return, SHIFT)
        QTest.keyClicks(field(parts), "b")
        assert field(parts).toPlainText() == "a\nb"
        press(parts, Qt.Key.Key_Return, CTRL)
        qtbot.waitUntil(lambda: len(parts.chat.transcript.entries) == 2, timeout=10_000)
        assert parts.chat.transcript.entries[0].text == "a\nb"


def test_enter_can_be_made_to_break_lines_and_then_ctrl_enter_sends(qtbot: QtBot, tmp_path: Path) -> None:
    with shown(qtbot, tmp_path) as parts:
        parts.settings.set("composer.enter_sends", False)
        QTest.keyClicks(field(parts), "a")
        press(parts, Qt.Key.Key_Return)
        assert field(parts).toPlainText() == "a\n"
        press(parts, Qt.Key.Key_Return, CTRL)
        qtbot.waitUntil(lambda: len(parts.chat.transcript.entries) == 2, timeout=10_000)


def test_enter_takes_the_candidate_of_an_input_method_and_does_not_send(qtbot: QtBot, tmp_path: Path) -> None:
    with shown(qtbot, tmp_path) as parts:
        QApplication.sendEvent(field(parts), QInputMethodEvent("にほ", []))
        press(parts, Qt.Key.Key_Return)
        assert parts.chat.transcript.entries == []
        done = QInputMethodEvent("", [])
        done.setCommitString("日本")
        QApplication.sendEvent(field(parts), done)
        assert field(parts).toPlainText() == "日本"
        press(parts, Qt.Key.Key_Return)
        qtbot.waitUntil(lambda: len(parts.chat.transcript.entries) == 2, timeout=10_000)


def test_the_next_message_can_be_written_while_an_answer_comes_and_is_kept(
    qtbot: QtBot, tmp_path: Path
) -> None:
    with shown(qtbot, tmp_path, echo=EndlessReader()) as parts:
        QTest.keyClicks(field(parts), "first")
        press(parts, Qt.Key.Key_Return)
        qtbot.waitUntil(lambda: len(parts.chat.transcript.entries) == 2, timeout=10_000)
        QTest.keyClicks(field(parts), "second")
        press(parts, Qt.Key.Key_Return)
        assert field(parts).toPlainText() == "second"


def test_esc_stops_an_answer_and_the_button_says_so(qtbot: QtBot, tmp_path: Path) -> None:
    with shown(qtbot, tmp_path, echo=EndlessReader()) as parts:
        button = parts.window.page.composer.button
        assert not button.isEnabled()
        QTest.keyClicks(field(parts), "endless")
        assert button.isEnabled() and button.accessibleName() == "Send"
        press(parts, Qt.Key.Key_Return)
        qtbot.waitUntil(lambda: len(parts.chat.transcript.entries) == 2, timeout=10_000)
        assert button.accessibleName() == "Stop"
        press(parts, Qt.Key.Key_Escape)
        qtbot.waitUntil(lambda: parts.chat.state is ChatState.IDLE, timeout=10_000)
        assert button.accessibleName() == "Send"


def test_ctrl_n_opens_an_empty_conversation_and_alt_arrows_go_between_them(
    qtbot: QtBot, tmp_path: Path
) -> None:
    with shown(qtbot, tmp_path) as parts:
        ask(qtbot, parts, "first")
        press(parts, Qt.Key.Key_N, CTRL)
        assert parts.conversations.current_id is None
        qtbot.waitUntil(lambda: parts.chat.transcript.entries == [], timeout=10_000)
        ask(qtbot, parts, "second")
        second = parts.conversations.current_id
        qtbot.waitUntil(lambda: len(parts.conversations.items) == 2, timeout=10_000)
        press(parts, Qt.Key.Key_Down, ALT)
        assert parts.conversations.current_id not in (None, second)
        press(parts, Qt.Key.Key_Up, ALT)
        assert parts.conversations.current_id == second


def test_ctrl_k_finds_a_conversation_by_its_title_even_from_the_message_field(
    qtbot: QtBot, tmp_path: Path
) -> None:
    with shown(qtbot, tmp_path) as parts:
        ask(qtbot, parts, "tax questions")
        first = parts.conversations.current_id
        parts.conversations.new()
        qtbot.waitUntil(lambda: parts.chat.transcript.entries == [], timeout=10_000)
        ask(qtbot, parts, "holiday")
        field(parts).setFocus()
        QTest.keyClicks(field(parts), "keep me")
        field(parts).moveCursor(field(parts).textCursor().MoveOperation.Start)
        press(parts, Qt.Key.Key_K, CTRL)
        assert field(parts).toPlainText() == "keep me", "Ctrl+K must not delete the line"
        type_on("TAX")
        press(parts, Qt.Key.Key_Return)
        assert parts.conversations.current_id == first


def test_ctrl_k_runs_a_command_by_its_name_and_esc_closes_it(qtbot: QtBot, tmp_path: Path) -> None:
    with shown(qtbot, tmp_path) as parts:
        press(parts, Qt.Key.Key_K, CTRL)
        type_on("hide list")
        press(parts, Qt.Key.Key_Return)
        assert parts.window.sidebar.isHidden()
        press(parts, Qt.Key.Key_K, CTRL)
        press(parts, Qt.Key.Key_Escape)
        assert QApplication.focusWidget() is field(parts)


def test_ctrl_f_finds_in_the_conversation_and_says_when_there_is_nothing(
    qtbot: QtBot, tmp_path: Path
) -> None:
    with shown(qtbot, tmp_path) as parts:
        ask(qtbot, parts, "a needle in a haystack")
        press(parts, Qt.Key.Key_F, CTRL)
        type_on("needle")
        assert parts.window.page.find_bar.result.text() == ""
        type_on("zzz")
        assert parts.window.page.find_bar.result.text() == "Not found"
        press(parts, Qt.Key.Key_Escape)
        assert QApplication.focusWidget() is field(parts)


def test_ctrl_shift_c_copies_the_last_answer_as_markdown(qtbot: QtBot, tmp_path: Path) -> None:
    with shown(qtbot, tmp_path, echo=Echo(markdown=True)) as parts:
        ask(qtbot, parts, "words")
        press(parts, Qt.Key.Key_C, CTRL | SHIFT)
        assert QGuiApplication.clipboard().text() == parts.chat.last_answer()
        assert "## What you said" in QGuiApplication.clipboard().text()


def test_ctrl_b_hides_the_sidebar_and_ctrl_l_goes_to_the_message_field(qtbot: QtBot, tmp_path: Path) -> None:
    with shown(qtbot, tmp_path) as parts:
        parts.window.sidebar.list.setFocus()
        press(parts, Qt.Key.Key_L, CTRL)
        assert QApplication.focusWidget() is field(parts)
        press(parts, Qt.Key.Key_B, CTRL)
        assert parts.window.sidebar.isHidden()
        press(parts, Qt.Key.Key_B, CTRL)
        assert parts.window.sidebar.isVisible()


def test_f1_lists_every_key_there_is(qtbot: QtBot, tmp_path: Path) -> None:
    with shown(qtbot, tmp_path) as parts:
        press(parts, Qt.Key.Key_F1)
        shown_words = {
            label.text() for label in dialog(parts, qtbot).findChildren(QWidget) if hasattr(label, "text")
        }
        for command in commands():
            for keys in command.keys:
                assert {command.label, readable(keys)} <= shown_words
        for what, keys_here in local_keys():
            assert {what, *map(readable, keys_here)} <= shown_words
        press(parts, Qt.Key.Key_Escape)


def test_every_key_means_one_thing(qapp: QApplication) -> None:
    keys = [QKeySequence(key).toString() for command in commands() for key in command.keys]
    assert len(keys) == len(set(keys))
    assert all(keys)


def test_ctrl_z_undoes_a_deletion_but_first_what_was_typed(qtbot: QtBot, tmp_path: Path) -> None:
    with shown(qtbot, tmp_path) as parts:
        ask(qtbot, parts, "keep this")
        parts.window.sidebar.list.setFocus()
        press(parts, Qt.Key.Key_Delete)
        qtbot.waitUntil(lambda: parts.conversations.items == (), timeout=10_000)
        field(parts).setFocus()
        QTest.keyClicks(field(parts), "x")
        press(parts, Qt.Key.Key_Z, CTRL)
        assert field(parts).toPlainText() == ""
        assert parts.conversations.items == ()
        press(parts, Qt.Key.Key_Z, CTRL)
        qtbot.waitUntil(lambda: len(parts.conversations.items) == 1, timeout=10_000)


def test_del_in_the_list_deletes_with_an_undo_bar_and_esc_closes_the_bar(
    qtbot: QtBot, tmp_path: Path
) -> None:
    with shown(qtbot, tmp_path) as parts:
        ask(qtbot, parts, "keep this")
        parts.window.sidebar.list.setFocus()
        press(parts, Qt.Key.Key_Delete)
        bar = parts.window.page.undo
        assert bar.isVisible() and "trash" in bar.text.text()
        press(parts, Qt.Key.Key_Escape)
        assert not bar.isVisible()


def test_f2_renames_in_the_list_and_enter_opens(qtbot: QtBot, tmp_path: Path) -> None:
    with shown(qtbot, tmp_path) as parts:
        ask(qtbot, parts, "old title")
        parts.conversations.new()
        parts.window.sidebar.list.setFocus()
        press(parts, Qt.Key.Key_Home)
        press(parts, Qt.Key.Key_F2)
        editor = QApplication.focusWidget()
        assert editor is not None and editor.accessibleName() == "New title"
        press(parts, Qt.Key.Key_A, CTRL)
        QTest.keyClicks(editor, "A better title")
        press(parts, Qt.Key.Key_Return)
        qtbot.waitUntil(lambda: parts.conversations.items[0].title == "A better title", timeout=10_000)
        parts.window.sidebar.list.setFocus()
        press(parts, Qt.Key.Key_Return)
        assert parts.conversations.current_id == parts.conversations.items[0].id


def test_tab_goes_through_everything_and_comes_back(qtbot: QtBot, tmp_path: Path) -> None:
    with shown(qtbot, tmp_path) as parts:
        field(parts).setFocus()
        visited: list[QWidget] = []
        for _ in range(40):
            press(parts, Qt.Key.Key_Tab)
            now = QApplication.focusWidget()
            assert now is not None
            if now is field(parts):
                break
            visited.append(now)
        names = [widget.accessibleName() for widget in visited]
        assert QApplication.focusWidget() is field(parts), names
        assert names.index("New conversation") < names.index("Conversations") < names.index("Settings")
        assert names.index("Settings") < names.index("List of conversations")
        assert names.index("List of conversations") < names.index("What can this computer run?")
        assert any(name.startswith("On this device") for name in names)
        assert any(name.startswith("Offline") for name in names)


@pytest.mark.parametrize("command", [c.name for c in commands() if c.name not in ("quit", "open_model")])
def test_every_command_can_be_run_in_an_empty_window_without_harm(
    qtbot: QtBot, tmp_path: Path, command: str
) -> None:
    with shown(qtbot, tmp_path) as parts:
        parts.window.run(command)
        QApplication.processEvents()
        top = QApplication.activeModalWidget()
        if top is not None:
            top.close()
        assert parts.window.isVisible()
