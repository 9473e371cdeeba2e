"""How a conversation is answered is chosen in the window, kept with the conversation, and goes with each question."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QCheckBox, QSlider
from pytestqt.qtbot import QtBot
from support.gguf_files import write_adapter
from support.window_parts import WindowParts, ask, shown

from desktop.views.answering_dialog import AnsweringDialog
from models.runtime.values import Adapter, Constraint, ConstraintKind
from providers.base import ChatRequest
from providers.echo import Echo
from providers.events import Event

pytestmark = pytest.mark.qt_log_ignore("propagateSizeHints", extend=True)

SHAPE = '{"type": "object", "properties": {"town": {"type": "string"}}, "required": ["town"]}'


class Listener(Echo):
    """Remembers what it was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[ChatRequest] = []

    async def stream(self, request: ChatRequest) -> AsyncGenerator[Event, None]:
        self.asked.append(request)
        async for event in super().stream(request):
            yield event


def open_dialog(qtbot: QtBot, parts: WindowParts) -> AnsweringDialog:
    parts.window.page.header.answers.click()
    dialogs = parts.window.findChildren(AnsweringDialog)
    qtbot.waitUntil(lambda: dialogs[-1].isVisible(), timeout=20_000)
    return dialogs[-1]


def press(box: QCheckBox) -> None:
    box.setFocus()
    QTest.keyClick(box, Qt.Key.Key_Space)


def test_json_of_a_shape_is_chosen_for_one_conversation_and_kept_with_it(
    qtbot: QtBot, tmp_path: Path
) -> None:
    listener = Listener()
    with shown(qtbot, tmp_path, echo=listener) as parts:
        ask(qtbot, parts, "Free, please.")
        dialog = open_dialog(qtbot, parts)
        assert not dialog.schema.isVisible()
        press(dialog.json)
        assert dialog.schema.isVisible() and not dialog.problem.isVisible()
        dialog.schema.setPlainText('{"type": "string", "pattern": "a+"}')
        assert dialog.problem.isVisible() and "pattern" in dialog.problem.text()
        dialog.schema.setPlainText(SHAPE)
        assert not dialog.problem.isVisible()
        dialog.accept()
        assert "JSON" in parts.window.page.header.answers.toolTip()
        ask(qtbot, parts, "As JSON, please.")
        kept = parts.conversations.current_id
        parts.conversations.new()
        ask(qtbot, parts, "Elsewhere freely.")
        assert kept is not None
    with shown(qtbot, tmp_path, echo=listener) as parts:  # and after a restart
        parts.conversations.open(kept)
        ask(qtbot, parts, "Still JSON?")
    shape = Constraint(ConstraintKind.SCHEMA, SHAPE)
    assert [request.constraint for request in listener.asked] == [None, shape, None, shape]


def test_what_is_chosen_before_the_first_question_goes_with_it_and_stays(
    qtbot: QtBot, tmp_path: Path
) -> None:
    listener = Listener()
    with shown(qtbot, tmp_path, echo=listener) as parts:
        qtbot.waitUntil(lambda: parts.chat.can_send, timeout=20_000)
        parts.chat.answering.answer_as_json(True)
        for text in ("First.", "Second."):
            ask(qtbot, parts, text)
        first = parts.conversations.current_id
        parts.conversations.new()
        qtbot.waitUntil(lambda: parts.chat.can_send, timeout=20_000)
        assert not parts.chat.answering.as_json
        assert first is not None
        parts.conversations.open(first)
        qtbot.waitUntil(lambda: parts.chat.answering.as_json, timeout=20_000)
    assert [request.constraint for request in listener.asked] == [Constraint(ConstraintKind.JSON)] * 2


def test_adapters_for_the_model_in_use_are_offered_with_their_strength(qtbot: QtBot, tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    fits = write_adapter(tmp_path / "models" / "style.gguf")
    write_adapter(tmp_path / "models" / "other.gguf", architecture="qwen2")
    model = tmp_path / "good.gguf"
    model.write_bytes(b"GGUF")
    listener = Listener()
    with shown(qtbot, tmp_path, echo=listener, finds_models=True) as parts:
        parts.models.open_file(str(model))  # of the llama kind
        qtbot.waitUntil(lambda: parts.models.current_path == model, timeout=20_000)
        dialog = open_dialog(qtbot, parts)
        qtbot.waitUntil(lambda: len(dialog.findChildren(QSlider)) == 1, timeout=20_000)
        (slider,) = dialog.findChildren(QSlider)
        (used,) = [box for box in dialog.findChildren(QCheckBox) if box is not dialog.json]
        assert not slider.isEnabled() and "Tiny adapter" in used.accessibleName()
        press(used)
        assert slider.isEnabled()
        slider.setFocus()
        QTest.keyClick(slider, Qt.Key.Key_Left)
        QTest.keyClick(slider, Qt.Key.Key_Left)
        dialog.accept()
        ask(qtbot, parts, "With style.")
        dialog = open_dialog(qtbot, parts)
        (used,) = [box for box in dialog.findChildren(QCheckBox) if box is not dialog.json]
        assert used.isChecked()
        press(used)
        dialog.accept()
        ask(qtbot, parts, "Without.")
    assert [request.adapters for request in listener.asked] == [(Adapter(str(fits), 0.8),), ()]
