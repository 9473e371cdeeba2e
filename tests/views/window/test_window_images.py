"""Images in the window: pasted, dropped, kept, sent, looked at; and never decoded by the window's own process."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from PySide6.QtCore import QByteArray, QMimeData, Qt, QUrl
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QPushButton
from pytestqt.qtbot import QtBot
from support.vision_files import png
from support.window_parts import WindowParts, shown

from desktop.viewmodels.chat import ChatState
from desktop.views.image_view import LargeImage, Thumbnail

pytestmark = pytest.mark.qt_log_ignore("propagateSizeHints", extend=True)


def paste(parts: WindowParts, data: bytes, form: str = "image/png") -> None:
    mime = QMimeData()
    mime.setData(form, QByteArray(data))
    QGuiApplication.clipboard().setMimeData(mime)
    parts.window.page.composer.edit.setFocus()
    QTest.keyClick(parts.window.page.composer.edit, Qt.Key.Key_V, Qt.KeyboardModifier.ControlModifier)


def wait_for_draft(qtbot: QtBot, parts: WindowParts, count: int) -> None:
    images = parts.chat.images
    qtbot.waitUntil(lambda: len(images.draft) == count and not images.busy, timeout=20_000)


def wait_for_answer(qtbot: QtBot, parts: WindowParts, entries: int) -> None:
    transcript = parts.chat.transcript
    qtbot.waitUntil(
        lambda: parts.chat.state is ChatState.IDLE and len(transcript.entries) == entries, timeout=20_000
    )


def thumbnails(parts: WindowParts) -> list[Thumbnail]:
    return parts.window.page.transcript.findChildren(Thumbnail)


def test_a_pasted_image_is_sent_with_its_question_shown_with_it_and_opens_larger(
    qtbot: QtBot, tmp_path: Path
) -> None:
    with shown(qtbot, tmp_path) as parts:
        composer = parts.window.page.composer
        assert not composer.button.isEnabled()
        paste(parts, png(300, 200))
        wait_for_draft(qtbot, parts, 1)
        assert composer.strip is not None and composer.strip.isVisible()
        assert [one.accessibleName() for one in composer.strip.thumbnails] == ["Pasted image"]
        assert composer.edit.toPlainText() == ""
        assert composer.button.isEnabled()  # an image alone is a question, too
        composer.edit.setPlainText("What is this?")
        QTest.keyClick(composer.edit, Qt.Key.Key_Return)
        wait_for_answer(qtbot, parts, 2)
        assert parts.chat.images.draft == () and not composer.strip.isVisible()
        (thumbnail,) = thumbnails(parts)
        assert thumbnail.accessibleName() == "Image 1 of 1"
        qtbot.waitUntil(lambda: thumbnail.is_drawn, timeout=20_000)
        thumbnail.click()
        (large,) = parts.window.findChildren(LargeImage)
        assert large.geometry() == parts.window.rect()
        QTest.keyClick(large, Qt.Key.Key_Escape)
        assert not large.isVisible()


def test_images_and_words_that_were_not_sent_are_there_after_a_restart(qtbot: QtBot, tmp_path: Path) -> None:
    picture = tmp_path / "holiday.png"
    picture.write_bytes(png())
    with shown(qtbot, tmp_path / "home") as parts:
        mime = QMimeData()
        mime.setUrls([QUrl.fromLocalFile(str(picture)), QUrl.fromLocalFile(str(picture))])
        parts.window.page.composer.edit.insertFromMimeData(mime)  # as a drop does
        wait_for_draft(qtbot, parts, 2)
    picture.unlink()
    with shown(qtbot, tmp_path / "home") as parts:
        wait_for_draft(qtbot, parts, 2)
        strip = parts.window.page.composer.strip
        assert strip is not None
        assert [one.accessibleName() for one in strip.thumbnails] == ["holiday.png", "holiday.png"]
        parts.chat.images.remove(parts.chat.images.draft[0].id)
        wait_for_draft(qtbot, parts, 1)
        assert parts.chat.send("What was this?")
        wait_for_answer(qtbot, parts, 2)
        assert len(parts.chat.transcript.entries[0].images) == 1


def test_asking_differently_keeps_the_images_and_each_conversation_has_its_own_draft(
    qtbot: QtBot, tmp_path: Path
) -> None:
    with shown(qtbot, tmp_path) as parts:
        paste(parts, png())
        wait_for_draft(qtbot, parts, 1)
        assert parts.chat.send("What is this?")
        wait_for_answer(qtbot, parts, 2)
        question = parts.chat.transcript.entries[0]
        paste(parts, png(colour=(0, 255, 0)))
        wait_for_draft(qtbot, parts, 1)
        parts.window.page.composer.edit_message(question.message_id, question.text)
        assert parts.window.page.composer.strip is not None
        assert not parts.window.page.composer.strip.isVisible()  # the draft waits
        parts.chat.edit(question.message_id, "And what is this?")
        wait_for_answer(qtbot, parts, 2)
        assert len(parts.chat.transcript.entries[0].images) == 1
        assert parts.chat.transcript.entries[0].branches == 2
        wait_for_draft(qtbot, parts, 1)
        first = parts.conversations.current_id
        assert first is not None
        parts.conversations.new()
        wait_for_draft(qtbot, parts, 0)
        parts.conversations.open(first)
        wait_for_draft(qtbot, parts, 1)


def test_a_model_that_can_not_see_says_so_before_anything_is_sent(qtbot: QtBot, tmp_path: Path) -> None:
    with shown(qtbot, tmp_path) as parts:
        parts.models.load()
        qtbot.waitUntil(lambda: parts.models.sees is False, timeout=20_000)
        paste(parts, png())
        wait_for_draft(qtbot, parts, 1)
        strip = parts.window.page.composer.strip
        assert strip is not None
        assert strip.hint.text() == "SmolLM2 135M Instruct can't see images."
        (choose,) = strip.findChildren(QPushButton)
        choose.click()
        assert parts.window._model_panel is not None and parts.window._model_panel.isVisible()


def test_many_images_do_not_push_the_window_apart_and_no_more_than_eight_are_taken(
    qtbot: QtBot, tmp_path: Path
) -> None:
    with shown(qtbot, tmp_path) as parts:
        narrowest = parts.window.minimumSizeHint().width()
        for _ in range(9):
            parts.chat.images.add_data(png())
        wait_for_draft(qtbot, parts, 8)
        assert "8 images at most" in parts.window.page.notices.text.text()
        assert parts.window.minimumSizeHint().width() == narrowest
        parts.window.resize(narrowest, 700)
        strip = parts.window.page.composer.strip
        assert strip is not None
        qtbot.waitUntil(lambda: len({one.mapTo(strip, one.pos()).y() for one in strip.thumbnails}) > 1)
        for thumbnail in strip.thumbnails:
            assert strip.rect().contains(thumbnail.mapTo(strip, thumbnail.rect().bottomRight()))


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="the system's own bitmap is taken there")
def test_a_format_that_nobody_asked_for_is_not_decoded_by_the_window(qtbot: QtBot, tmp_path: Path) -> None:
    with shown(qtbot, tmp_path) as parts:
        mime = QMimeData()
        mime.setData("image/x-xpixmap", QByteArray(b"! XPM2\n1 1 1 1\na c #ff0000\na"))
        assert not parts.window.page.composer.edit.canInsertFromMimeData(mime)
        parts.window.page.composer.edit.insertFromMimeData(mime)
        assert parts.chat.images.draft == () and not parts.chat.images.busy


def test_what_is_no_image_is_a_sentence_and_the_words_stay(qtbot: QtBot, tmp_path: Path) -> None:
    with shown(qtbot, tmp_path) as parts:
        composer = parts.window.page.composer
        composer.edit.setPlainText("half a question")
        paste(parts, b"no image at all")
        notices = parts.window.page.notices
        qtbot.waitUntil(lambda: notices.isVisible(), timeout=20_000)
        assert "no image" in notices.text.text()
        assert composer.edit.toPlainText() == "half a question"
        assert parts.chat.images.draft == ()
