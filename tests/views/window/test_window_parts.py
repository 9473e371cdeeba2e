"""The parts of the window: composer, list of conversations, model picker, settings, notices, and what is remembered."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent, QGuiApplication
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QComboBox, QLabel, QLineEdit, QPlainTextEdit, QSpinBox, QWidget
from pytestqt.qtbot import QtBot
from support.window_parts import EndlessReader, WindowParts, ask, shown

from desktop.viewmodels.chat import ChatState
from desktop.viewmodels.conversations import ConversationItem
from desktop.viewmodels.notice import Notice
from desktop.views.conversation_rows import ID, ConversationRows, grouped
from desktop.views.message_edit import MessageEdit
from desktop.views.model_picker import ModelPicker
from desktop.views.setting_editors import Switch
from desktop.views.settings_dialog import SettingsDialog

pytestmark = pytest.mark.qt_log_ignore("propagateSizeHints", extend=True)


def field(parts: WindowParts) -> MessageEdit:
    return parts.window.page.composer.edit


# ---- composer


def test_the_message_field_grows_with_the_text_to_two_fifths_of_the_window(
    qtbot: QtBot, tmp_path: Path
) -> None:
    with shown(qtbot, tmp_path) as parts:
        one = field(parts).height()
        field(parts).setPlainText("a\nb\nc")
        three = field(parts).height()
        field(parts).setPlainText("line\n" * 500)
        most = field(parts).height()
        field(parts).clear()
        assert one < three < most <= parts.window.height() * 0.4
        assert field(parts).height() == one


def test_a_pasted_book_does_not_hold_up_the_window_and_styles_are_left_behind(
    qtbot: QtBot, tmp_path: Path
) -> None:
    with shown(qtbot, tmp_path) as parts:
        rich = QMimeData()
        rich.setHtml("<b>bold</b><img src='file:///etc/passwd'>")
        rich.setText("bold\n" * 50_000)
        field(parts).insertFromMimeData(rich)
        assert field(parts).toPlainText() == "bold\n" * 50_000
        only_html = QMimeData()
        only_html.setHtml("<b>bold</b>")
        assert not field(parts).canInsertFromMimeData(only_html)


def test_a_draft_is_there_again_when_its_conversation_is_opened_again(qtbot: QtBot, tmp_path: Path) -> None:
    with shown(qtbot, tmp_path) as parts:
        ask(qtbot, parts, "first")
        first = parts.conversations.current_id
        assert first is not None
        QTest.keyClicks(field(parts), "half a thought")
        parts.conversations.new()
        qtbot.waitUntil(lambda: field(parts).toPlainText() == "", timeout=10_000)
        parts.conversations.open(first)
        qtbot.waitUntil(lambda: field(parts).toPlainText() == "half a thought", timeout=10_000)


def test_a_sent_message_does_not_come_back_as_a_draft(qtbot: QtBot, tmp_path: Path) -> None:
    with shown(qtbot, tmp_path) as parts:
        QTest.keyClicks(field(parts), "to be sent")
        parts.chat.store_draft()
        QTest.keyClick(field(parts), Qt.Key.Key_Return)
        qtbot.waitUntil(lambda: parts.conversations.current_id is not None, timeout=10_000)
        qtbot.waitUntil(lambda: parts.chat.state is ChatState.IDLE, timeout=10_000)
        parts.conversations.new()
        qtbot.waitUntil(lambda: parts.chat.transcript.entries == [], timeout=10_000)
        assert field(parts).toPlainText() == ""


def test_editing_a_message_makes_a_branch_and_the_draft_waits(qtbot: QtBot, tmp_path: Path) -> None:
    with shown(qtbot, tmp_path) as parts:
        ask(qtbot, parts, "first wording")
        QTest.keyClicks(field(parts), "draft")
        question = parts.chat.transcript.entries[0].message_id
        parts.window.page.transcript.edit_requested.emit(question)
        assert field(parts).toPlainText() == "first wording"
        QTest.keyClick(field(parts), Qt.Key.Key_Escape)
        assert field(parts).toPlainText() == "draft"
        parts.window.page.transcript.edit_requested.emit(question)
        field(parts).setPlainText("second wording")
        QTest.keyClick(field(parts), Qt.Key.Key_Return)
        qtbot.waitUntil(lambda: parts.chat.last_answer() == "second wording", timeout=10_000)
        assert field(parts).toPlainText() == "draft"
        assert parts.chat.transcript.entries[0].branches == 2


def test_only_a_finished_answer_makes_room_for_an_edit_and_nothing_is_lost(
    qtbot: QtBot, tmp_path: Path
) -> None:
    with shown(qtbot, tmp_path, echo=EndlessReader()) as parts:
        assert parts.chat.send("endless")
        qtbot.waitUntil(lambda: len(parts.chat.transcript.entries) == 2, timeout=10_000)
        parts.window.page.transcript.edit_requested.emit(parts.chat.transcript.entries[0].message_id)
        field(parts).setPlainText("changed")
        QTest.keyClick(field(parts), Qt.Key.Key_Return)
        assert field(parts).toPlainText() == "changed"
        assert parts.window.page.composer.is_editing


# ---- dropping files


def _dropped(window: QWidget, mime: QMimeData) -> bool:
    """Drag over the window and let go. Whether it was taken."""
    at = QPoint(600, 300)
    buttons, held = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    enter = QDragEnterEvent(at, Qt.DropAction.CopyAction, mime, buttons, held)
    enter.ignore()
    QApplication.sendEvent(window, enter)
    if enter.isAccepted():
        QApplication.sendEvent(window, QDropEvent(QPointF(at), Qt.DropAction.CopyAction, mime, buttons, held))
    return enter.isAccepted()


def test_a_model_file_dropped_on_the_window_is_opened_and_other_files_are_not(
    qtbot: QtBot, tmp_path: Path
) -> None:
    model = tmp_path / "good.gguf"
    model.write_bytes(b"GGUF")
    with shown(qtbot, tmp_path) as parts:
        wanted = QMimeData()
        wanted.setUrls([QUrl.fromLocalFile(str(model))])
        assert _dropped(parts.window, wanted)
        qtbot.waitUntil(lambda: any(item.path == str(model) for item in parts.models.items), timeout=10_000)
        for url in (QUrl.fromLocalFile("/etc/passwd"), QUrl("https://example.org/evil.gguf")):
            other = QMimeData()
            other.setUrls([url])
            assert not _dropped(parts.window, other)


def test_dropped_text_goes_into_the_message_field(qtbot: QtBot, tmp_path: Path) -> None:
    with shown(qtbot, tmp_path) as parts:
        words = QMimeData()
        words.setText("some words")
        assert _dropped(parts.window, words)
        assert field(parts).toPlainText() == "some words"


# ---- the list of conversations


def test_conversations_are_grouped_by_day_in_local_time() -> None:
    from datetime import date, datetime

    today = date(2026, 3, 10)

    def item(number: int, *when: int) -> ConversationItem:
        return ConversationItem(number, f"c{number}", datetime(*when).timestamp())  # type: ignore[arg-type]

    items = (
        item(1, 2026, 3, 10, 0, 0, 1),
        item(2, 2026, 3, 9, 23, 59, 59),
        item(3, 2026, 3, 9, 0, 0, 0),
        item(4, 2026, 3, 4, 12, 0, 0),
        item(5, 2025, 1, 1, 0, 0, 0),
    )
    rows = [row if isinstance(row, str) else row.id for row in grouped(items, today)]
    assert rows == ["Today", 1, "Yesterday", 2, 3, "Last 7 days", 4, "Older", 5]


def test_five_thousand_conversations_open_the_row_that_is_clicked(qtbot: QtBot, tmp_path: Path) -> None:
    with shown(qtbot, tmp_path) as parts:
        parts.conversations.items = tuple(
            ConversationItem(n, f"Conversation {n}", 1e9 - n) for n in range(1, 5001)
        )
        parts.conversations.changed.emit()
        view = parts.window.sidebar.list
        assert view.model().rowCount() == 5001
        view.reveal(5000)
        opened: list[int] = []
        view.opened.disconnect()
        view.opened.connect(opened.append)
        place = view.visualRect(view.currentIndex()).center()
        QTest.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, pos=place)
        assert opened == [5000]


def test_a_new_title_does_not_move_the_list_or_close_an_editor(qtbot: QtBot) -> None:
    rows = ConversationRows()
    items = tuple(ConversationItem(n, f"c{n}", 1e9 - n) for n in range(100))
    rows.show(items, None)
    resets: list[None] = []
    rows.modelReset.connect(lambda: resets.append(None))
    renamed = (*items[:50], ConversationItem(50, "another", items[50].updated_at), *items[51:])
    rows.show(renamed, 50)
    assert resets == []
    place = rows.row_of(50)
    assert place is not None and rows.index(place).data() == "another"
    assert rows.index(place).data(ID) == 50


def test_headings_can_not_be_chosen(qtbot: QtBot) -> None:
    rows = ConversationRows()
    rows.show((ConversationItem(1, "c", 1e9),), None)
    assert not rows.flags(rows.index(0)) & Qt.ItemFlag.ItemIsSelectable
    assert rows.flags(rows.index(1)) & Qt.ItemFlag.ItemIsSelectable


def test_deleting_two_conversations_of_one_title_offers_undo_each_time(qtbot: QtBot, tmp_path: Path) -> None:
    with shown(qtbot, tmp_path) as parts:
        for _ in range(2):
            ask(qtbot, parts, "same")
            parts.conversations.new()
            qtbot.waitUntil(lambda: parts.chat.transcript.entries == [], timeout=10_000)
        qtbot.waitUntil(lambda: len(parts.conversations.items) == 2, timeout=10_000)
        for left in (1, 0):
            parts.conversations.delete(parts.conversations.items[0].id)
            qtbot.waitUntil(lambda left=left: len(parts.conversations.items) == left, timeout=10_000)  # type: ignore[misc]
            qtbot.waitUntil(parts.window.page.undo.isVisible, timeout=10_000)
            if left:
                parts.window.page.undo.dismiss()
        QTest.mouseClick(parts.window.page.undo.action, Qt.MouseButton.LeftButton)
        qtbot.waitUntil(lambda: len(parts.conversations.items) == 1, timeout=10_000)


# ---- models


def _picker(parts: WindowParts) -> ModelPicker:
    parts.window.run("model")
    found = parts.window.findChild(ModelPicker)
    assert isinstance(found, ModelPicker)
    return found


def test_a_model_is_chosen_by_key_and_a_missing_one_can_not_be(qtbot: QtBot, tmp_path: Path) -> None:
    model = tmp_path / "good.gguf"
    model.write_bytes(b"GGUF")
    with shown(qtbot, tmp_path) as parts:
        parts.models.open_file(str(model))
        qtbot.waitUntil(lambda: len(parts.models.items) == 2, timeout=10_000)
        parts.models.choose(parts.models.items[0].path)
        picker = _picker(parts)
        QTest.keyClicks(picker.field, "good")
        QTest.keyClick(picker.field, Qt.Key.Key_Return)
        assert parts.models.current is not None and parts.models.current.path == str(model)
        model.unlink()
        parts.models.choose(parts.models.items[0].path)
        picker = _picker(parts)
        QTest.keyClicks(picker.field, "good")
        QTest.keyClick(picker.field, Qt.Key.Key_Return)
        assert parts.models.current.path != str(model)
        picker.dismiss()


def test_a_model_can_be_taken_off_the_list_and_its_file_stays(qtbot: QtBot, tmp_path: Path) -> None:
    model = tmp_path / "good.gguf"
    model.write_bytes(b"GGUF")
    with shown(qtbot, tmp_path) as parts:
        parts.models.open_file(str(model))
        qtbot.waitUntil(lambda: len(parts.models.items) == 2, timeout=10_000)
        picker = _picker(parts)
        picker.list.setFocus()
        QTest.keyClick(picker.list, Qt.Key.Key_End)
        QTest.keyClick(picker.list, Qt.Key.Key_Delete)
        assert len(parts.models.items) == 1
        assert model.exists()
        picker.dismiss()


def test_a_click_beside_a_panel_closes_it_and_the_keyboard_goes_back(qtbot: QtBot, tmp_path: Path) -> None:
    with shown(qtbot, tmp_path) as parts:
        picker = _picker(parts)
        assert picker.isVisible()
        QTest.mouseClick(parts.window.page.welcome.viewport(), Qt.MouseButton.LeftButton, pos=QPoint(20, 400))
        assert picker.isHidden()
        assert QApplication.focusWidget() is field(parts)


def test_a_file_that_is_no_model_becomes_a_sentence_above_the_composer(qtbot: QtBot, tmp_path: Path) -> None:
    with shown(qtbot, tmp_path) as parts:
        parts.models.open_file(str(tmp_path / "song.gguf"))
        qtbot.waitUntil(lambda: parts.window.page.notices.isVisible(), timeout=10_000)
        assert "song.gguf" in parts.window.page.notices.text.text()


@pytest.mark.skipif(sys.platform != "linux", reason="other systems use their own dialog")
def test_the_dialog_for_a_model_file_offers_gguf_and_opens_what_was_picked(
    qtbot: QtBot, tmp_path: Path
) -> None:
    from PySide6.QtCore import QTimer
    from PySide6.QtWidgets import QFileDialog

    model = tmp_path / "good.gguf"
    model.write_bytes(b"GGUF")
    with shown(qtbot, tmp_path) as parts:

        def pick() -> None:
            dialog = QApplication.activeModalWidget()
            assert isinstance(dialog, QFileDialog)
            assert "*.gguf" in dialog.nameFilters()[0]
            dialog.selectFile(str(model))
            name = dialog.findChild(QLineEdit)
            assert name is not None
            name.setText(str(model))
            dialog.accept()

        QTimer.singleShot(300, pick)
        parts.window.run("open_model")
        qtbot.waitUntil(lambda: len(parts.models.items) == 2, timeout=10_000)


# ---- settings


def _settings(parts: WindowParts) -> SettingsDialog:
    parts.window.run("settings")
    QApplication.processEvents()
    found = QApplication.activeModalWidget()
    assert isinstance(found, SettingsDialog)
    return found


def test_every_declared_setting_has_a_row_with_its_words(qtbot: QtBot, tmp_path: Path) -> None:
    with shown(qtbot, tmp_path) as parts:
        dialog = _settings(parts)
        words = {label.text() for label in dialog.findChildren(QLabel)}
        for setting in parts.settings.declarations:
            assert {setting.label, setting.explanation} <= words
            assert setting.key in dialog.rows
        dialog.close()


def test_settings_are_in_force_at_once_and_can_be_reset(qtbot: QtBot, tmp_path: Path) -> None:
    with shown(qtbot, tmp_path) as parts:
        dialog = _settings(parts)
        row = dialog.rows["sampling.top_k"]
        box = row.findChild(QSpinBox)
        assert box is not None and row.reset.isHidden()
        box.stepUp()
        assert parts.settings.value("sampling.top_k") == 41
        assert not row.reset.isHidden()
        QTest.mouseClick(row.reset, Qt.MouseButton.LeftButton)
        assert parts.settings.value("sampling.top_k") == 40 == box.value()
        dialog.close()


def test_automatic_can_be_switched_off_to_enter_a_number(qtbot: QtBot, tmp_path: Path) -> None:
    with shown(qtbot, tmp_path) as parts:
        dialog = _settings(parts)
        row = dialog.rows["model.context_tokens"]
        dialog.sections.setCurrentRow(1)
        switch, box = row.findChild(Switch), row.findChild(QSpinBox)
        assert switch is not None and box is not None and box.isHidden()
        switch.click()
        assert parts.settings.value("model.context_tokens") == 4096 == box.value()
        switch.click()
        assert parts.settings.value("model.context_tokens") is None
        dialog.close()


def test_what_was_typed_last_is_saved_when_the_dialog_closes(qtbot: QtBot, tmp_path: Path) -> None:
    with shown(qtbot, tmp_path) as parts:
        dialog = _settings(parts)
        text = dialog.rows["chat.system_prompt"].findChild(QPlainTextEdit)
        assert text is not None
        text.selectAll()
        QTest.keyClicks(text, "Answer in one sentence.")
        QTest.keyClick(text, Qt.Key.Key_Escape)
        assert parts.settings.value("chat.system_prompt") == "Answer in one sentence."


def test_the_theme_changes_while_the_dialog_is_open(qtbot: QtBot, tmp_path: Path) -> None:
    with shown(qtbot, tmp_path) as parts:
        dialog = _settings(parts)
        box = dialog.rows["appearance.theme"].findChild(QComboBox)
        assert box is not None
        box.setCurrentIndex(box.findData("dark"))
        box.activated.emit(box.currentIndex())
        assert parts.window.theme.palette.dark
        assert dialog.grab().toImage().pixelColor(400, 20).lightness() < 60
        dialog.close()


def test_managed_settings_are_shown_and_can_not_be_changed(qtbot: QtBot, tmp_path: Path) -> None:
    with shown(qtbot, tmp_path, managed={"sampling.top_k": 7}) as parts:
        dialog = _settings(parts)
        row = dialog.rows["sampling.top_k"]
        assert not row.managed.isHidden() and row.managed.text() == "Managed by your organisation"
        assert not row.editor.isEnabled() and row.reset.isHidden()
        dialog.close()


def test_a_wheel_over_the_page_scrolls_it_and_changes_no_number(qtbot: QtBot, tmp_path: Path) -> None:
    from PySide6.QtGui import QWheelEvent

    with shown(qtbot, tmp_path) as parts:
        dialog = _settings(parts)
        box = dialog.rows["sampling.top_k"].findChild(QSpinBox)
        assert box is not None
        turn = QWheelEvent(
            QPointF(5, 5), QPointF(box.mapToGlobal(QPoint(5, 5))), QPoint(0, 0), QPoint(0, 120),
            Qt.MouseButton.NoButton, Qt.KeyboardModifier.NoModifier, Qt.ScrollPhase.NoScrollPhase, False,
        )  # fmt: skip
        QApplication.sendEvent(box, turn)
        assert box.value() == 40
        dialog.close()


# ---- notices


def test_notices_wait_for_each_other_and_details_can_be_copied(qtbot: QtBot, tmp_path: Path) -> None:
    with shown(qtbot, tmp_path) as parts:
        done: list[str] = []
        parts.chat.notice.emit(Notice("First.", "code 6"))
        parts.chat.notice.emit(Notice("First.", "code 6"))
        parts.chat.notice.emit(Notice("Second.", "", "Try again", lambda: done.append("again")))
        bar = parts.window.page.notices
        assert bar.text.text() == "First." and bar.detail_text.isHidden()
        bar.details.click()
        assert bar.detail_text.toPlainText() == "code 6"
        bar.copy.click()
        assert QGuiApplication.clipboard().text() == "code 6"
        bar.close_button.click()
        assert bar.text.text() == "Second." and bar.details.isHidden()
        bar.action.click()
        assert done == ["again"] and bar.isHidden()


# ---- what is remembered


def test_the_window_comes_back_with_its_size_and_its_sidebar(qtbot: QtBot, tmp_path: Path) -> None:
    with shown(qtbot, tmp_path) as parts:
        assert (parts.window.width(), parts.window.height()) != (700, 640)
        parts.window.resize(700, 640)
        parts.window.run("sidebar")
    with shown(qtbot, tmp_path) as parts:
        assert (parts.window.width(), parts.window.height()) == (700, 640)
        assert parts.window.sidebar.isHidden()


def test_garbage_in_the_remembered_place_is_ignored(qtbot: QtBot, tmp_path: Path) -> None:
    (tmp_path / "window.json").write_text('{"geometry": "not a geometry ☃", "sidebar": "?"}', "utf-8")
    with shown(qtbot, tmp_path) as parts:
        assert parts.window.width() > 400 and parts.window.sidebar.isVisible()
