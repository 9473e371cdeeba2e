"""The dialog that makes a smaller version: what it offers, how it goes on without being looked at, how it ends."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot
from support.gguf_files import write_model
from support.library_files import write_projector
from support.window_parts import WindowParts, shown

from desktop.library import Library
from desktop.paths import Paths
from desktop.viewmodels.notice import Notice
from desktop.viewmodels.quantize import QuantizeViewModel, Stage
from desktop.views.quantize_dialog import QuantizeDialog

pytestmark = pytest.mark.qt_log_ignore("propagateSizeHints", extend=True)


@contextmanager
def opened(qtbot: QtBot, home: Path) -> Iterator[tuple[WindowParts, QuantizeViewModel]]:
    with shown(qtbot, home) as parts:
        paths = Paths(home)
        model = QuantizeViewModel(parts.bridge, paths, Library(paths, stores=()))
        parts.window.quantizer = lambda: model
        yield parts, model


def dialog_for(qtbot: QtBot, parts: WindowParts, model: QuantizeViewModel, path: Path) -> QuantizeDialog:
    """The dialog, once the model was looked at."""
    parts.window.make_smaller(str(path))
    (dialog,) = parts.window.findChildren(QuantizeDialog)
    qtbot.waitUntil(lambda: model.stage is not Stage.LOOKING, timeout=60_000)
    return dialog


def test_a_type_is_chosen_by_its_size_and_its_price_and_the_new_model_can_be_used(
    qtbot: QtBot, tmp_path: Path
) -> None:
    source = write_model(tmp_path / "tiny-F16.gguf", half=True)
    with opened(qtbot, tmp_path / "home") as (parts, model):
        dialog = dialog_for(qtbot, parts, model, source)
        assert "tiny-F16.gguf takes" in dialog.summary.text() and "free" in dialog.summary.text()
        assert not dialog.warning.isVisible() and dialog.chosen == "Q4_K_M"
        offered = {button.text().split(" · ")[0] for button in dialog.types.buttons()}
        assert {"Q8_0", "Q4_K_M", "Q2_K"} <= offered and not offered & {"F32", "F16", "IQ1_S"}
        dialog.more.click()
        qtbot.waitUntil(lambda: len(dialog.types.buttons()) > len(offered), timeout=60_000)
        every = {button.text().split(" · ")[0] for button in dialog.types.buttons()}
        assert offered < every and "Q5_1" in every and dialog.chosen == "Q4_K_M"
        row = next(row for row in model.rows if row.name == "Q4_K_M")
        assert "A model as small as this one loses more." in row.words
        next(button for button in dialog.types.buttons() if button.text().startswith("Q8_0")).click()
        dialog.make.click()
        assert dialog.stop.isVisible() and not dialog.make.isVisible()
        qtbot.waitUntil(lambda: model.stage is Stage.DONE, timeout=60_000)
        made = tmp_path / "home" / "models" / "tiny" / "tiny-Q8_0.gguf"
        assert model.result == str(made) and made.exists() and "is ready" in dialog.summary.text()
        dialog.use.click()
        assert parts.models.current_path == made


def test_it_goes_on_when_the_dialog_is_closed_and_its_end_is_told(qtbot: QtBot, tmp_path: Path) -> None:
    source = write_model(tmp_path / "tiny-F16.gguf", half=True)
    notices: list[Notice] = []
    with opened(qtbot, tmp_path / "home") as (parts, model):
        model.notice.connect(notices.append)
        dialog = dialog_for(qtbot, parts, model, source)
        dialog.make.click()
        dialog.leave.click()
        qtbot.waitUntil(lambda: model.stage is Stage.DONE, timeout=60_000)
        assert [notice.text for notice in notices] == [model.end_words]
        assert (tmp_path / "home" / "models" / "tiny" / "tiny-Q4_K_M.gguf").exists()


def test_it_can_be_stopped_and_asked_for_again(qtbot: QtBot, tmp_path: Path) -> None:
    source = write_model(tmp_path / "tiny-F16.gguf", half=True)
    with opened(qtbot, tmp_path / "home") as (parts, model):
        dialog = dialog_for(qtbot, parts, model, source)
        dialog.make.click()
        dialog.stop.click()
        assert model.stage is Stage.CHOOSING and "Nothing was made" in dialog.problem.text()
        dialog.make.click()
        qtbot.waitUntil(lambda: model.stage is Stage.DONE, timeout=60_000)
        assert not dialog.problem.isVisible()


def test_what_is_quantized_already_is_warned_of_and_what_is_no_model_refused(
    qtbot: QtBot, tmp_path: Path
) -> None:
    with opened(qtbot, tmp_path / "home") as (parts, model):
        QTest.qWait(0)
        parts.window.run("make_smaller")
        (dialog,) = parts.window.findChildren(QuantizeDialog)
        qtbot.waitUntil(lambda: model.stage is Stage.CHOOSING, timeout=60_000)
        assert "quantized already (Q4_1)" in dialog.warning.text()
        assert dialog.make.text() == "Make it all the same"
        dialog.leave.click()
        QApplication.processEvents()
        projector = write_projector(tmp_path / "mmproj.gguf", 64)
        qtbot.waitUntil(lambda: not parts.window.findChildren(QuantizeDialog), timeout=10_000)
        dialog = dialog_for(qtbot, parts, model, projector)
        assert model.stage is Stage.REFUSED and "not a model of its own" in dialog.problem.text()
        assert not dialog.make.isVisible() and dialog.leave.isVisible()
