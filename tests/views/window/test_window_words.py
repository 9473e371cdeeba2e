"""What a person or a screen reader is told: names on every control, and plain text everywhere."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import Qt as GuiQt
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QAbstractSpinBox,
    QApplication,
    QComboBox,
    QLabel,
    QLineEdit,
    QPlainTextEdit,
    QWidget,
)
from pytestqt.qtbot import QtBot
from support.window_parts import LOCKED, WindowParts, ask, shown

from desktop.processes.report import Gap, LockReport
from desktop.processes.roles import Role
from desktop.viewmodels.notice import Notice
from desktop.views.setting_editors import Switch
from desktop.views.widgets import plain

pytestmark = pytest.mark.qt_log_ignore("propagateSizeHints", extend=True)

CONTROLS = (QAbstractButton, QLineEdit, QPlainTextEdit, QAbstractSpinBox, QComboBox, QAbstractItemView)
PAGES = ("models", "find_models", "downloads")
EVIL = "<img src='file:///etc/passwd'> & <b>bold</b>"


def everything(parts: WindowParts) -> Iterator[QWidget]:
    """Every widget of the window, with all its bars, panels and dialogs made."""
    window = parts.window
    window.page.start_find()
    window.page.composer.edit_message(1, "text")
    parts.chat.notice.emit(Notice(EVIL, EVIL, "Do it", lambda: None))
    parts.conversations.delete(parts.conversations.items[0].id)
    for command in ("palette", "model", *PAGES, "settings", "network", "keys"):
        window.run(command)
    window.page.computer_asked.emit()
    QApplication.processEvents()
    for top in QApplication.topLevelWidgets():
        yield top
        yield from top.findChildren(QWidget)


def words_of_dialog() -> str:
    dialog = QApplication.activeModalWidget()
    assert dialog is not None
    return " ".join(label.text() for label in dialog.findChildren(QLabel))


def close_dialogs() -> None:
    while (top := QApplication.activeModalWidget()) is not None:
        top.close()
        QApplication.processEvents()


def test_every_control_has_a_name_for_a_screen_reader_and_says_what_it_does(
    qtbot: QtBot, tmp_path: Path
) -> None:
    with shown(qtbot, tmp_path) as parts:
        ask(qtbot, parts, "hello")
        ask(qtbot, parts, "again")
        nameless = []
        undescribed = []
        for widget in everything(parts):
            reachable = widget.focusPolicy() & Qt.FocusPolicy.TabFocus and not _inner(widget)
            if isinstance(widget, CONTROLS) and reachable:
                if not widget.accessibleName():
                    nameless.append(repr(widget))
                elif not widget.accessibleDescription() and not _says_itself(widget):
                    undescribed.append(f"{widget.accessibleName()!r} {type(widget).__name__}")
        close_dialogs()
        assert nameless == []
        assert undescribed == []


def _inner(widget: QWidget) -> bool:
    """Parts of Qt's own controls, and the transcript, which has tests of its own."""
    above: QWidget | None = widget.parentWidget()
    while above is not None:
        if isinstance(above, QAbstractSpinBox | QComboBox) or "transcript" in type(above).__module__:
            return True
        above = above.parentWidget()
    return "transcript" in type(widget).__module__


def _says_itself(widget: QWidget) -> bool:
    """Fields and lists whose name is all there is to say."""
    return isinstance(widget, QLineEdit | QAbstractItemView | Switch)


def test_no_label_and_no_tooltip_is_ever_taken_for_html(qtbot: QtBot, tmp_path: Path) -> None:
    with shown(qtbot, tmp_path) as parts:
        ask(qtbot, parts, EVIL)
        parts.conversations.rename(parts.conversations.items[0].id, EVIL)
        qtbot.waitUntil(lambda: parts.conversations.items[0].title == EVIL, timeout=10_000)
        labels = 0
        for widget in everything(parts):
            assert not GuiQt.mightBeRichText(widget.toolTip()), widget.toolTip()
            if isinstance(widget, QLabel):
                labels += 1
                assert widget.textFormat() == Qt.TextFormat.PlainText, widget.text()
                assert not widget.openExternalLinks()
        close_dialogs()
        assert labels > 30


@pytest.mark.parametrize(
    "text", ["<b>x</b>", "a <img src=x> b", "&lt;b&gt;", "<?xml version='1.0'?>", "1 < 2"]
)
def test_a_tooltip_shows_strange_words_as_words(qapp: QApplication, text: str) -> None:
    assert not GuiQt.mightBeRichText(plain(text))


def test_the_two_chips_say_where_it_runs_and_what_can_leave(qtbot: QtBot, tmp_path: Path) -> None:
    with shown(qtbot, tmp_path) as parts:
        parts.models.load()
        qtbot.waitUntil(lambda: "CPU" in parts.window.page.header.model_chip.text(), timeout=10_000)
        assert parts.window.page.header.model_chip.text().startswith("On this device · ")
        assert parts.window.page.header.network_chip.text() == parts.network.text
        assert parts.window.page.header.network_chip.accessibleDescription()


def test_an_unlocked_machine_is_shown_as_such_in_word_shape_and_icon(qtbot: QtBot, tmp_path: Path) -> None:
    open_report = LockReport.unlocked(Role.DESKTOP, Gap.SYSTEM)
    with shown(qtbot, tmp_path / "a", report=LOCKED) as parts:
        locked = parts.window.page.header.network_chip.grab().toImage()
        assert "nothing can leave" in parts.window.page.header.network_chip.text()
    with shown(qtbot, tmp_path / "b", report=open_report) as parts:
        chip = parts.window.page.header.network_chip
        assert "nothing can leave" not in chip.text()
        assert chip.grab().toImage() != locked
        parts.window.run("network")
        QApplication.processEvents()
        words = words_of_dialog()
        assert "can't be opened again" not in words
        close_dialogs()


def test_the_first_start_says_what_alcove_is_where_data_lives_and_that_the_model_is_small(
    qtbot: QtBot, alcove_home: Path
) -> None:
    with shown(qtbot, alcove_home, first_run=True) as parts:
        words = " ".join(label.text() for label in parts.window.page.welcome.findChildren(QLabel))
        assert str(alcove_home) in words
        assert "Nothing is sent anywhere unless you choose" in words
        assert "small, for trying things out" in words


def test_what_can_this_computer_run_is_answered_from_facts(qtbot: QtBot, tmp_path: Path) -> None:
    with shown(qtbot, tmp_path) as parts:
        parts.window.page.computer_asked.emit()
        QApplication.processEvents()
        words = words_of_dialog()
        close_dialogs()
        assert "GB" in words and "cores" in words
