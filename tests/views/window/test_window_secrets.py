"""The dialog for access keys: a real keychain, the real bridge, real key presses; the key is never shown."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLineEdit
from pytestqt.qtbot import QtBot
from support.hub_server import HubServer
from support.secret_service import SecretService, secret_service
from support.window_parts import WindowParts

from desktop.processes.switch import Position, Switch, write_switch
from desktop.processes.way_out import close_way_out, open_way_out
from desktop.viewmodels.hub_link import HubLink
from desktop.viewmodels.keys import KeysViewModel
from desktop.views.models_page.hub_pane import HubPane
from desktop.views.secrets_dialog import SecretsDialog
from models.hub_values import Found, Gate, Page
from providers.keys import hub_key

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="the Secret Service is Linux's"),
    pytest.mark.qt_log_ignore("propagateSizeHints", extend=True),
]
CANARY = "hf_CanaryThatNobodyMaySee"


@pytest.fixture
def parts(tmp_path: Path) -> Iterator[WindowParts]:
    made = WindowParts(tmp_path)
    yield made
    made.close()


@pytest.fixture
def keyring(monkeypatch: pytest.MonkeyPatch) -> Iterator[SecretService]:
    with secret_service() as service:
        for name, value in service.environ.items():
            monkeypatch.setenv(name, value)
        yield service


def opened(parts: WindowParts, qtbot: QtBot) -> SecretsDialog:
    dialog = SecretsDialog(parts.window.theme, parts.window, parts.keys)
    dialog.show()
    qtbot.waitUntil(lambda: not parts.keys.busy, timeout=30_000)
    return dialog


def settle(parts: WindowParts, qtbot: QtBot) -> None:
    qtbot.waitUntil(lambda: not parts.keys.busy, timeout=30_000)


def test_a_key_is_typed_unseen_kept_in_the_keychain_and_removed(
    parts: WindowParts, qtbot: QtBot, keyring: SecretService
) -> None:
    dialog = opened(parts, qtbot)
    assert dialog.state.text() == "No key is stored."
    assert not dialog.save_button.isEnabled() and not dialog.remove_button.isEnabled()
    QTest.keyClicks(dialog.field, CANARY)
    assert dialog.field.echoMode() is QLineEdit.EchoMode.Password
    assert CANARY not in dialog.field.displayText()
    QTest.keyClick(dialog.field, Qt.Key.Key_Return)
    assert dialog.field.text() == "" and dialog.isVisible()
    settle(parts, qtbot)
    assert keyring.kept() == {"alcove.hub": CANARY}
    assert "stored in the keychain" in dialog.state.text()
    assert not dialog.test_button.isEnabled()  # offline: nobody could be asked
    dialog.remove_button.click()
    settle(parts, qtbot)
    assert keyring.kept() == {} and dialog.state.text() == "No key is stored."
    dialog.close()


def test_what_is_no_key_and_a_locked_keychain_are_told_and_nothing_is_changed(
    parts: WindowParts, qtbot: QtBot, keyring: SecretService
) -> None:
    keyring.keep("alcove.hub", CANARY)
    dialog = opened(parts, qtbot)
    QTest.keyClicks(dialog.field, "hf_one two")
    dialog.save_button.click()
    settle(parts, qtbot)
    assert "no spaces" in dialog.problem.text() and dialog.problem.isVisible()
    keyring.lock()
    QTest.keyClicks(dialog.field, "hf_another")
    dialog.save_button.click()
    settle(parts, qtbot)
    assert "locked" in dialog.problem.text() and "locked" in dialog.notice.text()
    assert "stored in the keychain" in dialog.state.text()
    dialog.close()


def test_without_a_keychain_and_offline_the_dialog_says_what_would_be_possible(
    parts: WindowParts, qtbot: QtBot
) -> None:
    dialog = opened(parts, qtbot)
    assert "no keychain" in dialog.notice.text() and "network switch" in dialog.notice.text()
    assert dialog.notice.isVisible() and not dialog.field.isEnabled()
    dialog.close()


def test_without_a_keychain_a_key_is_held_for_this_run_and_tested(tmp_path: Path, qtbot: QtBot) -> None:
    with HubServer(redirect=False) as hub:
        hub.tokens = {CANARY}
        write_switch(str(tmp_path), Switch(Position.DOWNLOADS, hub.url, plain_http=True))
        assert open_way_out(str(tmp_path), {"PATH": os.environ["PATH"]}) == ""
        parts, link = WindowParts(tmp_path), HubLink()
        parts.keys = KeysViewModel(parts.bridge, link, hub_key(hub.url), "the hub", online=True)
        try:
            dialog = opened(parts, qtbot)
            assert "gone when Alcove is closed" in dialog.notice.text() and dialog.notice.isVisible()
            QTest.keyClicks(dialog.field, CANARY)
            QTest.keyClick(dialog.field, Qt.Key.Key_Return)
            settle(parts, qtbot)
            assert "held in memory" in dialog.state.text()
            dialog.test_button.click()
            settle(parts, qtbot)
            assert "belongs to somebody" in dialog.outcome.text(), dialog.problem.text()
            hub.tokens = set()
            dialog.test_button.click()
            settle(parts, qtbot)
            assert "does not take your token" in dialog.problem.text()
            dialog.remove_button.click()
            settle(parts, qtbot)
            assert dialog.state.text() == "No key is stored." and not dialog.test_button.isEnabled()
            dialog.close()
        finally:
            parts.bridge.submit(link.close())
            parts.close()
            close_way_out()
    kept = [path for path in tmp_path.rglob("*") if path.is_file() and CANARY.encode() in path.read_bytes()]
    assert kept == []


def test_a_model_with_conditions_leads_to_the_keys(parts: WindowParts, qtbot: QtBot) -> None:
    hub_page = parts.models_page.hub_page
    pane = HubPane(parts.window.theme, hub_page, parts.models_page.downloads)
    qtbot.addWidget(pane)
    found = Found("a/b", "a", "text-generation", "mit", Gate.OPEN, 3, 2, "2026-01-01T00:00:00", ())
    for gate in (Gate.OPEN, Gate.AUTOMATIC):
        hub_page.page = Page(replace(found, gate=gate), "0" * 40, False, (), (), "", False)
        pane.show_now()
        assert pane.keys_row.isHidden() == (gate is Gate.OPEN)
    with qtbot.waitSignal(pane.keys_wanted, timeout=5_000):
        pane.keys.click()


def test_the_settings_lead_to_the_keys(parts: WindowParts, qtbot: QtBot) -> None:
    parts.start()
    qtbot.waitUntil(lambda: parts.window.is_complete, timeout=30_000)
    parts.window.run("settings")
    from desktop.views.settings_dialog import SettingsDialog

    settings = parts.window.findChild(SettingsDialog)
    assert settings is not None
    settings.keys_button.click()
    found = parts.window.findChild(SecretsDialog)
    assert found is not None and found.isVisible() and not settings.isVisible()
    settle(parts, qtbot)
    found.close()
