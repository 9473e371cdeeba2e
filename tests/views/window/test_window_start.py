"""What the window does before it can be typed into, and what no view ever does."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest
from PySide6.QtGui import QAccessible
from PySide6.QtWidgets import QAbstractButton, QApplication
from pytestqt.qtbot import QtBot
from support.window_parts import shown

ROOT = Path(__file__).parents[3]
VIEWS = ROOT / "desktop" / "views"
MAKE_ALL_PARTS = """
import json, sys
from pathlib import Path
from PySide6.QtWidgets import QApplication
from desktop.app import Parts
from desktop.instance import Instance
from desktop.paths import Paths
from desktop.processes.lockdown import lock_down
from desktop.processes.roles import Role
from desktop.settings import Settings
paths = Paths(Path(sys.argv[1]))
qt = QApplication(["alcove"])
Parts(paths, lock_down(Role.DESKTOP), Settings(paths.settings), Instance(paths.lock)).window.show()
print(json.dumps(sorted(sys.modules)))
"""
LATER = (
    "asyncio",
    "desktop.chat.session",
    "desktop.chat.turns",
    "desktop.local_models",
    "desktop.store.records",
    "desktop.store.store",
    "desktop.views.command_palette",
    "desktop.views.conversation_list",
    "desktop.views.dialogs",
    "desktop.views.find_bar",
    "desktop.viewmodels.downloads",
    "desktop.viewmodels.hub_page",
    "desktop.viewmodels.library",
    "desktop.views.model_picker",
    "desktop.views.models_page",
    "desktop.views.notice_bar",
    "desktop.views.settings_dialog",
    "desktop.views.transcript",
    "llama_cpp",
    "markdown_it",
    "models.runtime.protocol",
    "numpy",
    "platformdirs",
    "providers.events",
    "sqlite3",
    "sqlite_utils",
    "pygments",
    "ziamath",
    "PySide6.QtNetwork",
    "PySide6.QtSvg",
)
"""What a person who waits for the first key to be taken does not wait for."""


def test_what_can_wait_is_not_loaded_before_the_window_takes_keys(tmp_path: Path) -> None:
    loaded = json.loads(subprocess.check_output([sys.executable, "-c", MAKE_ALL_PARTS, tmp_path], cwd=ROOT))
    assert [name for name in loaded if name.startswith(LATER)] == []


@pytest.mark.parametrize("file", sorted(VIEWS.rglob("*.py")), ids=lambda file: file.stem)
def test_no_view_opens_the_network_a_browser_or_a_message_box(file: Path) -> None:
    tree = ast.parse(file.read_text("utf-8"))
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    names |= {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    names |= {
        alias.name for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) for alias in node.names
    }
    modules = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    modules |= {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    assert names.isdisjoint(
        {"QDesktopServices", "QMessageBox", "openUrl", "setOpenExternalLinks", "webbrowser"}
    )
    assert not any(module and "QtNetwork" in module for module in modules)


@pytest.mark.qt_log_ignore("propagateSizeHints", extend=True)
def test_drawn_buttons_are_buttons_for_a_screen_reader_too(qtbot: QtBot, tmp_path: Path) -> None:
    with shown(qtbot, tmp_path) as parts:
        parts.window.run("settings")
        QApplication.processEvents()
        buttons = [*parts.window.findChildren(QAbstractButton)]
        assert len(buttons) > 15
        for button in buttons:
            if not button.focusPolicy():
                continue
            seen = QAccessible.queryAccessibleInterface(button)
            assert seen.role() in (
                QAccessible.Role.Button,
                QAccessible.Role.CheckBox,
                QAccessible.Role.PushButton,
            )
            assert seen.text(QAccessible.Text.Name)
        top = QApplication.activeModalWidget()
        assert top is not None
        top.close()


@pytest.mark.qt_log_ignore("propagateSizeHints", extend=True)
def test_the_style_is_ours_whatever_the_system_uses(qtbot: QtBot, tmp_path: Path) -> None:
    application = QApplication.instance()
    assert isinstance(application, QApplication)
    application.setStyle("windows")
    with shown(qtbot, tmp_path):
        assert application.style().name() == "fusion"
