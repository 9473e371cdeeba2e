"""A model's own settings in the window, and what changing the model leaves as it was."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot
from support.window_parts import PLACEMENT, WindowParts, ask, shown

from desktop.own_settings import own_values
from desktop.viewmodels.notice import Notice
from desktop.views.model_picker import ModelPicker
from desktop.views.model_settings_dialog import ModelSettingsDialog
from desktop.views.setting_editors import ChoiceEditor
from models.runtime.placement import GPU_FAILED
from providers.events import ModelReady

pytestmark = pytest.mark.qt_log_ignore("propagateSizeHints", extend=True)

CACHE = "model.cache_type"


def _dialog(parts: WindowParts) -> ModelSettingsDialog:
    parts.window.run("model")
    picker = parts.window.findChild(ModelPicker)
    assert isinstance(picker, ModelPicker)
    QTest.mouseClick(picker.own_settings, Qt.MouseButton.LeftButton)
    found = parts.window.findChild(ModelSettingsDialog)
    assert isinstance(found, ModelSettingsDialog) and picker.isHidden()
    return found


def test_a_value_of_one_model_is_set_given_back_and_kept_as_a_preset(qtbot: QtBot, tmp_path: Path) -> None:
    with shown(qtbot, tmp_path) as parts:
        path = parts.models.current_path
        assert path is not None
        dialog = _dialog(parts)
        row = dialog.rows[CACHE]
        assert isinstance(row.editor, ChoiceEditor) and row.reset.isHidden()
        row.editor.edited.emit("q8_0")
        assert own_values(parts.plain_settings, path) == {CACHE: "q8_0"}
        assert parts.plain_settings.get(CACHE) == "f16"
        QTest.keyClicks(dialog.name, "Small memory")
        QTest.mouseClick(dialog.save, Qt.MouseButton.LeftButton)
        QTest.mouseClick(row.reset, Qt.MouseButton.LeftButton)
        assert own_values(parts.plain_settings, path) == {} and row.reset.isHidden()
        assert dialog.presets.currentText() == "Small memory"
        with qtbot.waitSignal(parts.models.changed, timeout=10_000):  # it is loaded anew
            QTest.mouseClick(dialog.use, Qt.MouseButton.LeftButton)
        assert own_values(parts.plain_settings, path) == {CACHE: "q8_0"} and row.reset.isVisible()
        QTest.mouseClick(dialog.remove, Qt.MouseButton.LeftButton)
        assert not dialog.use.isEnabled()
        dialog.close()
        qtbot.waitUntil(lambda: parts.models.loading is None, timeout=10_000)


def test_a_driver_that_failed_is_told_once_and_the_gpu_can_be_tried_again(
    qtbot: QtBot, tmp_path: Path
) -> None:
    with shown(qtbot, tmp_path) as parts:
        told: list[Notice] = []
        parts.models.notice.connect(told.append)
        without = replace(PLACEMENT, on_gpu=False, reason=GPU_FAILED, gpu_failed=True)
        for _ in range(2):
            parts.models.take(ModelReady(without))
        assert [(notice.text, notice.action_text) for notice in told] == [(GPU_FAILED, "Try the GPU again")]
        assert GPU_FAILED in parts.models.chip_tooltip
        parts.window.run("model")
        picker = parts.window.findChild(ModelPicker)
        assert isinstance(picker, ModelPicker) and picker.try_gpu.isVisible()
        QTest.mouseClick(picker.try_gpu, Qt.MouseButton.LeftButton)
        qtbot.waitUntil(lambda: not parts.models.gpu_failed and parts.models.loading is None, timeout=20_000)
        assert not picker.try_gpu.isVisible()
        picker.dismiss()


def test_changing_the_model_in_a_conversation_keeps_the_conversation(qtbot: QtBot, tmp_path: Path) -> None:
    model = tmp_path / "good.gguf"
    model.write_bytes(b"GGUF")
    with shown(qtbot, tmp_path) as parts:
        ask(qtbot, parts, "The first question")
        before = parts.models.current_path
        parts.models.open_file(str(model))
        qtbot.waitUntil(lambda: parts.models.current_path == model, timeout=10_000)
        ask(qtbot, parts, "The second question")
        texts = [entry.text for entry in parts.chat.transcript.entries]
        assert len(texts) == 4 and "first" in texts[0] and "second" in texts[2]
        assert len(parts.conversations.items) == 1
        names = {item.path: item.remark for item in parts.models.items}
        assert before is not None and set(names) == {str(before), str(model)}
