"""“On this computer”, in the real window over a real library of real files, found by a real scanner."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLabel, QWidget
from pytestqt.qtbot import QtBot
from support.library_files import sha256_of, write_chat_model, write_gguf, write_split
from support.window_parts import WindowParts, shown

from desktop.library import Library
from desktop.paths import Paths
from desktop.processes.switch import Position, Switch
from desktop.viewmodels.quantize import QuantizeViewModel, Stage
from desktop.views.model_picker import ModelPicker
from desktop.views.model_settings_dialog import ModelSettingsDialog
from desktop.views.models_page.downloads_part import DownloadsPart
from desktop.views.models_page.find_part import FindPart
from desktop.views.models_page.library_part import LibraryPart
from desktop.views.models_page.page import ModelsPage
from desktop.views.quantize_dialog import QuantizeDialog
from models.library.entry import Kind
from models.starter import NAME

pytestmark = pytest.mark.qt_log_ignore("propagateSizeHints", extend=True)

EVIL = "<b>bold</b> \u202eעברית\nsecond line"


def downloaded(home: Path) -> Path:
    """Where a model lies that Alcove fetched."""
    return home / "models" / "somebody" / "Tiny-GGUF" / "tiny.gguf"


def write_models(home: Path) -> None:
    mine = home / "mine"
    write_chat_model(mine / "chat.gguf", name="Alpha chat")
    write_chat_model(mine / "evil.gguf", name=EVIL)
    write_gguf(
        mine / "embedding.gguf",
        "bert",
        texts={"general.name": "Beta embedding"},
        numbers={".block_count": 1, ".context_length": 512, ".embedding_length": 64, ".pooling_type": 1},
    )
    write_split(mine / "parts", "split", 3)
    (mine / "broken.gguf").write_bytes(b"GGUF" + b"\0" * 64)
    write_chat_model(downloaded(home), name="Tiny", salt=1)


@contextmanager
def models_page(qtbot: QtBot, home: Path) -> Iterator[tuple[WindowParts, ModelsPage, LibraryPart]]:
    """The window with its models page in front, once everything was found."""
    write_models(home)
    with shown(qtbot, home) as parts:
        parts.library.add_folder(str(home / "mine"))
        parts.window.run("models")
        qtbot.waitUntil(lambda: not parts.library.looking and parts.library.count == 7, timeout=30_000)
        page = parts.window.area.models
        assert page is not None
        part = page.part("library")
        assert isinstance(part, LibraryPart)
        qtbot.waitUntil(lambda: part.list.rows.rowCount() == 7, timeout=5_000)
        yield parts, page, part


def choose(part: LibraryPart, name: str) -> str:
    """Make the model of this name the current one. Its path."""
    rows = part.list.rows
    number = next(row for row in range(rows.rowCount()) if rows.index(row).data() == name)
    part.list.setCurrentIndex(rows.index(number))
    return part.list.current


def words_of(widget: QWidget) -> str:
    return "\n".join(label.text() for label in widget.findChildren(QLabel) if not label.isHidden())


def press_action(part: LibraryPart, name: str) -> None:
    button = part.details.buttons.button(name)
    assert button is not None, name
    button.click()


def test_every_model_is_listed_those_that_answer_first_and_the_broken_one_last_with_its_reason(
    qtbot: QtBot, tmp_path: Path
) -> None:
    with models_page(qtbot, tmp_path) as (_, _, part):
        rows = part.list.rows
        names = [rows.index(row).data() for row in range(rows.rowCount())]
        shown_evil = "<b>bold</b> עברית second line"
        assert names == [shown_evil, "Alpha chat", NAME, "Split model", "Tiny", "Beta embedding", "broken"]
        spoken = [
            rows.index(row).data(Qt.ItemDataRole.AccessibleDescriptionRole) for row in range(len(names))
        ]
        assert "in use" in spoken[2]
        assert "can't be used" in spoken[6]
        choose(part, "broken")
        assert "can't be used" in part.details.problem.text()
        assert part.details.buttons.button("use") is None
        choose(part, "Split model")
        assert "3 files" in words_of(part.details)
        choose(part, shown_evil)
        assert part.details.name.text() == shown_evil


def test_the_list_narrows_by_words_and_by_kind(qtbot: QtBot, tmp_path: Path) -> None:
    with models_page(qtbot, tmp_path) as (_, _, part):
        rows = part.list.rows
        QTest.keyClicks(part.field, "beta")
        assert [rows.index(row).data() for row in range(rows.rowCount())] == ["Beta embedding"]
        part.field.clear()
        part.kind.setCurrentIndex(part.kind.findData(Kind.EMBEDDING.value))
        assert [rows.index(row).data() for row in range(rows.rowCount())] == ["Beta embedding"]
        QTest.keyClicks(part.field, "nothing like this")
        assert rows.rowCount() == 0
        assert not part.empty.isHidden()


def test_a_model_is_chosen_with_the_keyboard_and_the_conversation_is_back(
    qtbot: QtBot, tmp_path: Path
) -> None:
    with models_page(qtbot, tmp_path) as (parts, page, part):
        path = choose(part, "Alpha chat")
        part.list.setFocus()
        QTest.keyClick(part.list, Qt.Key.Key_Return)
        focused = parts.window.focusWidget()
        assert focused is part.details.buttons.button("use")
        QTest.keyClick(focused, Qt.Key.Key_Space)
        assert str(parts.models.current_path) == path
        assert parts.window.area.models is None
        assert not page.isVisible()


def test_a_checked_file_shows_its_sha256(qtbot: QtBot, tmp_path: Path) -> None:
    with models_page(qtbot, tmp_path) as (parts, page, part):
        path = choose(part, "Alpha chat")
        assert "Not checked yet" in words_of(part.details)
        press_action(part, "check")
        qtbot.waitUntil(lambda: part.details.buttons.button("hash") is not None, timeout=20_000)
        assert parts.library.checking(path) is None
        press_action(part, "hash")
        assert QGuiApplication.clipboard().text() == sha256_of(Path(path))
        assert not page.remark.isHidden()
        press_action(part, "copy")
        assert QGuiApplication.clipboard().text() == path


def test_a_model_has_settings_of_its_own_and_smaller_versions_behind_its_actions(
    qtbot: QtBot, tmp_path: Path
) -> None:
    with models_page(qtbot, tmp_path) as (parts, _, part):
        maker = QuantizeViewModel(parts.bridge, Paths(tmp_path), Library(Paths(tmp_path), stores=()))
        parts.window.quantizer = lambda: maker
        starter = choose(part, NAME)
        assert parts.models.settings_of(starter).name.startswith(NAME)  # not what its header calls it
        choose(part, "Alpha chat")
        press_action(part, "settings")
        (own,) = parts.window.findChildren(ModelSettingsDialog)
        assert "Alpha chat" in words_of(own)
        own.reject()
        press_action(part, "smaller")
        (smaller,) = parts.window.findChildren(QuantizeDialog)
        qtbot.waitUntil(lambda: maker.stage is not Stage.LOOKING, timeout=60_000)
        assert "chat.gguf" in words_of(smaller)
        smaller.reject()
        choose(part, "broken")
        assert part.details.buttons.button("settings") is None
        assert part.details.buttons.button("smaller") is None


def test_only_what_alcove_downloaded_is_removed_and_undo_brings_it_back(qtbot: QtBot, tmp_path: Path) -> None:
    with models_page(qtbot, tmp_path) as (parts, page, part):
        choose(part, "Alpha chat")
        assert part.details.buttons.button("remove") is None
        part.list.setFocus()
        QTest.keyClick(part.list, Qt.Key.Key_Delete)
        choose(part, "Tiny")
        assert part.details.buttons.button("remove") is not None
        QTest.keyClick(part.list, Qt.Key.Key_Delete)
        qtbot.waitUntil(lambda: page.undo.isVisible(), timeout=20_000)
        qtbot.waitUntil(lambda: not parts.library.looking, timeout=20_000)
        assert not downloaded(tmp_path).exists()
        assert parts.library.count == 6
        page.undo.action.click()
        qtbot.waitUntil(lambda: parts.library.count == 7, timeout=20_000)
        assert downloaded(tmp_path).exists()
        assert (tmp_path / "mine" / "chat.gguf").exists()


def test_a_folder_is_looked_into_until_it_is_taken_away_and_its_files_stay(
    qtbot: QtBot, tmp_path: Path
) -> None:
    with models_page(qtbot, tmp_path) as (parts, _, part):
        part.folders.click()
        assert str(tmp_path / "mine") in words_of(part.places).replace("\u200b", "")
        parts.library.remove_folder(str(tmp_path / "mine"))
        qtbot.waitUntil(lambda: not parts.library.looking and parts.library.count == 2, timeout=20_000)
        parts.library.add_folder(str(tmp_path / "nowhere"))
        qtbot.waitUntil(lambda: bool(parts.library.unreadable), timeout=20_000)
        qtbot.waitUntil(lambda: "not there now" in words_of(part.places), timeout=5_000)
        assert (tmp_path / "mine" / "chat.gguf").exists()


def test_esc_closes_what_is_open_on_the_page_and_then_the_page(qtbot: QtBot, tmp_path: Path) -> None:
    with models_page(qtbot, tmp_path) as (parts, _, part):
        parts.window.resize(700, 700)
        choose(part, "Alpha chat")
        QTest.keyClick(part.list, Qt.Key.Key_Return)
        assert part.pair.hides_list
        QTest.keyClick(parts.window.focusWidget(), Qt.Key.Key_Escape)
        assert not part.pair.hides_list
        assert parts.window.area.models is not None
        QTest.keyClick(parts.window.focusWidget(), Qt.Key.Key_Escape)
        assert parts.window.area.models is None
        assert parts.window.focusWidget() is parts.window.page.composer.edit


def test_another_conversation_takes_the_place_of_the_page(qtbot: QtBot, tmp_path: Path) -> None:
    with shown(qtbot, tmp_path) as parts:
        for leave in ("new", "composer", "find"):
            parts.window.run("models")
            assert parts.window.area.models is not None
            parts.window.run(leave)
            assert parts.window.area.models is None


def test_offline_the_page_says_so_calmly_and_its_button_comes_back_to_the_same_part(
    qtbot: QtBot, tmp_path: Path
) -> None:
    turned: list[Switch] = []
    again: list[bool] = []
    with shown(qtbot, tmp_path, turn=turned.append) as parts:
        parts.network.restart_wanted.connect(lambda: again.append(True))
        parts.window.run("find_models")
        page = parts.window.area.models
        assert page is not None
        find = page.part("find")
        assert isinstance(find, FindPart)
        assert not find.field.isEnabled()
        assert "can't reach the model hub" in words_of(find.advice)
        assert "ledger" in words_of(find.advice)
        qtbot.waitUntil(lambda: find.list.rows.rowCount() > 5, timeout=20_000)
        find.list.setFocus()
        QTest.keyClick(find.list, Qt.Key.Key_Down)
        QTest.keyClick(find.list, Qt.Key.Key_Return)
        assert find.advice.facts.shown[0][0] == "Publisher"
        find.offline.button.click()
        assert [switch.position for switch in turned] == [Position.DOWNLOADS]
        assert again == [True]
    with shown(qtbot, tmp_path) as parts:
        page = parts.window.area.models
        assert page is not None
        assert page.current == "find"
    with shown(qtbot, tmp_path) as parts:  # once
        assert parts.window.area.models is None


def test_a_switch_that_cannot_be_stored_is_a_sentence_on_the_page(qtbot: QtBot, tmp_path: Path) -> None:
    def refuse(_: Switch) -> None:
        raise OSError(28, "No space left on device")

    with shown(qtbot, tmp_path, turn=refuse) as parts:
        parts.window.run("downloads")
        page = parts.window.area.models
        assert page is not None
        part = page.part("downloads")
        assert isinstance(part, DownloadsPart)
        part.offline.button.click()
        assert "No space left" in part.offline.problem.text()
        assert not part.offline.problem.isHidden()


def test_the_picker_the_sidebar_and_a_key_lead_to_the_page(qtbot: QtBot, tmp_path: Path) -> None:
    with shown(qtbot, tmp_path) as parts:
        parts.window.run("model")
        picker = parts.window.findChild(ModelPicker)
        assert picker is not None
        picker.find_more.click()
        page = parts.window.area.models
        assert page is not None
        assert page.current == "find"
        tab = page.tabs.buttons["find"]
        tab.setFocus()
        QTest.keyClick(tab, Qt.Key.Key_Right)
        assert page.current == "downloads"
        page.back.click()
        assert parts.window.area.models is None
        parts.window.sidebar.models.click()
        assert page.current == "library"
        page.back.click()
        held = Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier
        QTest.keyClick(parts.window.page.composer.edit, Qt.Key.Key_M, held)
        assert parts.window.area.models is page
