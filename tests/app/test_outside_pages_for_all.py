"""The pages about what leaves this computer, for people who use the keyboard or a screen reader."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QAccessible
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QWidget
from support.chat_server import PROVIDER, chat_server, enable
from support.remote_window import window_at
from support.whole_program import wait

from desktop.app import Parts
from desktop.remote import remember
from providers.remote.values import Auth, RemoteModelInfo

pytestmark = [
    pytest.mark.timeout(300),
    pytest.mark.qt_log_ignore("propagateSizeHints", extend=True),
    pytest.mark.usefixtures("qapp"),
]
PLACES = [("remote", PROVIDER), ("remote", "anthropic"), ("remote", "+"), ("ledger", ""), ("costs", "")]


def opened(parts: Parts, name: str, part: str) -> QWidget:
    parts.window.resize(1400, 900)  # so that a list and what is told of its row are side by side
    parts.window.area.show_page(name, part)
    page = parts.window.area.page(name)
    assert page is not None
    if part == "+":
        page.list.pick("+")  # type: ignore[attr-defined]
    wait(lambda: page.isVisible())
    return page


def stops(page: QWidget) -> list[QWidget]:
    """Everything on a page that Tab can come to now."""
    return [
        widget
        for widget in page.findChildren(QWidget)
        if widget.isVisible() and widget.isEnabled() and widget.focusPolicy() & Qt.FocusPolicy.TabFocus
    ]


def spoken(widget: QWidget) -> str:
    return QAccessible.queryAccessibleInterface(widget).text(QAccessible.Text.Name)


@pytest.mark.parametrize(("name", "part"), PLACES)
def test_everything_has_a_name_and_tab_comes_to_it(name: str, part: str, tmp_path: Path) -> None:
    home = tmp_path / "home"
    with chat_server() as server:
        enable(home, server, auth=Auth.BEARER)
    remember(home, PROVIDER, tuple(RemoteModelInfo(f"model-{number}") for number in range(12)))
    with window_at(home) as parts:
        page = opened(parts, name, part)
        assert len(stops(page)) > 5
        nameless = [widget for widget in stops(page) if not spoken(widget).strip()]
        assert nameless == []
        first = stops(page)[0]
        first.setFocus()
        seen = [first]
        for _ in range(len(stops(page)) + 10):  # the sidebar's parts come in between
            QTest.keyClick(QApplication.focusWidget() or page, Qt.Key.Key_Tab)
            here = QApplication.focusWidget()
            if here is not None and page.isAncestorOf(here):
                seen.append(here)
        missed = [spoken(widget) for widget in stops(page) if widget not in seen]
        assert missed == []


@pytest.mark.parametrize(("name", "part"), PLACES)
def test_escape_leads_back_to_the_conversation(name: str, part: str, tmp_path: Path) -> None:
    home = tmp_path / "home"
    with chat_server() as server:
        enable(home, server)
    with window_at(home) as parts:
        opened(parts, name, part)
        for _ in range(2):  # out of the details first, where only one of both has room
            QTest.keyClick(QApplication.focusWidget() or parts.window, Qt.Key.Key_Escape)
        assert parts.window.area.place == ("", "")
