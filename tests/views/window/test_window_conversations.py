"""Conversations in the window: a long one opens at once, and words are found wherever they were written."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot
from support.store_files import fill
from support.window_parts import shown

from desktop.store.database import Database
from desktop.viewmodels.chat import ChatState
from desktop.views.command_palette import CommandPalette
from desktop.views.transcript.message import MessageView

pytestmark = pytest.mark.qt_log_ignore("propagateSizeHints", extend=True)


def test_a_long_conversation_shows_its_newest_messages_first_and_soon_all_of_it(
    qtbot: QtBot, tmp_path: Path
) -> None:
    database = Database(tmp_path / "conversations.db", repair=True)
    fill(database, conversations=1, turns=130)
    database.close()
    with shown(qtbot, tmp_path) as parts:
        transcript = parts.chat.transcript
        sizes: list[int] = []
        transcript.was_reset.connect(lambda: sizes.append(len(transcript.entries)))
        parts.conversations.open(parts.conversations.items[0].id)
        qtbot.waitUntil(lambda: len(transcript.entries) == 260, timeout=20_000)
        assert sizes == [100]
        numbers = [entry.text.split()[1] for entry in transcript.entries]
        assert numbers == [f"0.{turn}" for turn in range(130) for _ in range(2)]
        parts.chat.edit(transcript.entries[0].message_id, "another first question")
        qtbot.waitUntil(lambda: parts.chat.state is ChatState.IDLE and len(transcript.entries) == 2)
        assert transcript.entries[0].branches == 2


def test_an_opened_conversation_offers_to_send_and_not_to_stop(qtbot: QtBot, tmp_path: Path) -> None:
    database = Database(tmp_path / "conversations.db", repair=True)
    fill(database, conversations=2, turns=1)
    database.close()
    with shown(qtbot, tmp_path) as parts:
        button = parts.window.page.composer.button
        for item in parts.conversations.items:
            parts.conversations.open(item.id)
            assert button.accessibleName() == "Send"
            qtbot.waitUntil(lambda: parts.chat.can_send, timeout=20_000)
            parts.window.page.composer.edit.setPlainText("a thought")
            assert button.isEnabled()
            assert button.accessibleName() == "Send"


def test_a_question_may_be_asked_while_earlier_messages_are_still_read(qtbot: QtBot, tmp_path: Path) -> None:
    database = Database(tmp_path / "conversations.db", repair=True)
    fill(database, conversations=1, turns=130)
    database.close()
    with shown(qtbot, tmp_path) as parts:
        transcript = parts.chat.transcript

        def ask_at_once() -> None:
            assert not parts.chat.is_whole
            assert parts.chat.send("and now?")

        transcript.was_reset.connect(ask_at_once)
        parts.conversations.open(parts.conversations.items[0].id)
        qtbot.waitUntil(lambda: parts.chat.is_whole and parts.chat.state is ChatState.IDLE, timeout=20_000)
        qtbot.waitUntil(lambda: len(transcript.entries) == 262)
        assert [entry.text for entry in transcript.entries][-2] == "and now?"
        ids = [entry.message_id for entry in transcript.entries]
        assert ids == sorted(set(ids))


def test_words_of_a_message_are_found_and_the_conversation_opens_at_it(qtbot: QtBot, tmp_path: Path) -> None:
    database = Database(tmp_path / "conversations.db", repair=True)
    fill(database, conversations=2, turns=130)
    database.close()
    with shown(qtbot, tmp_path) as parts:
        parts.window.run("palette")
        panel = parts.window.findChild(CommandPalette)
        assert panel is not None
        QTest.keyClicks(panel.field, "answer 1.7")
        model = panel.list.model()

        def found() -> list[str]:
            return [model.index(row, 0).data() for row in range(model.rowCount())]

        qtbot.waitUntil(lambda: any("answer 1.7" in text for text in found()), timeout=20_000)
        row = next(row for row, text in enumerate(found()) if "answer 1.7" in text)
        panel.list.setCurrentIndex(model.index(row, 0))
        QTest.keyClick(panel.field, Qt.Key.Key_Return)
        qtbot.waitUntil(lambda: len(parts.chat.transcript.entries) == 260, timeout=20_000)
        entries = parts.chat.transcript.entries
        assert entries[15].text.startswith("answer 1.7")

        def in_sight() -> list[str]:
            views = parts.window.page.transcript.viewport().findChildren(MessageView)
            return [view.entry.text for view in views if view.isVisible() and 0 <= view.y() < 100]

        qtbot.waitUntil(lambda: any(text.startswith("answer 1.7") for text in in_sight()), timeout=20_000)
