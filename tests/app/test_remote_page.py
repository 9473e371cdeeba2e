"""The page about remote models: what a person switches on there is what the broker lets out, and nothing more."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLabel
from support.chat_server import MODEL, PROVIDER, ChatServer, Reply, chat_server, enable, refused
from support.outside import requests_in
from support.remote_window import window_at, window_with_remote
from support.secret_service import secret_service
from support.whole_program import wait

from desktop.app import Parts
from desktop.processes.switch import Position
from desktop.remote import remember, remembered
from desktop.views.dialogs import ExplainingDialog
from desktop.views.ledger_page.page import LedgerPage
from desktop.views.remote_page.own_server_pane import OwnServerPane
from desktop.views.remote_page.page import RemotePage
from desktop.views.remote_page.provider_pane import ProviderPane
from desktop.views.row_painter import LINE, Line
from providers.remote.catalogue import kinds_of_own_servers
from providers.remote.chosen import FILE, FOLDER, read_chosen, write_chosen
from providers.remote.values import Auth, RemoteModelInfo

pytestmark = [
    pytest.mark.timeout(300),
    pytest.mark.qt_log_ignore("propagateSizeHints", extend=True),
    pytest.mark.usefixtures("qapp"),
]
CANARY = "sk-CanaryThatNobodyMaySee0123456789"


def page(parts: Parts, part: str = "") -> RemotePage:
    parts.window.area.show_page("remote", part)
    shown = parts.window.area.page("remote")
    assert isinstance(shown, RemotePage)
    return shown


def pane(shown: RemotePage) -> ProviderPane:
    current = shown.pair.right.currentWidget()
    assert isinstance(current, ProviderPane)
    return current


def words(of: ProviderPane) -> str:
    return "\n".join(label.text() for label in of.findChildren(QLabel))


def lines(of: ProviderPane) -> list[str]:
    rows = of.models.list.rows
    found: list[Line] = [rows.index(row).data(LINE) for row in range(rows.rowCount())]
    return [f"{line.text} {line.below} {line.aside}".strip() for line in found]


def test_every_provider_is_there_off_and_says_what_goes_where_and_what_is_known(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with chat_server() as server, window_with_remote(home, server) as parts:
        shown = page(parts, "anthropic")
        assert (
            shown.list.rows.rowCount() == 13
        )  # eleven of the catalogue, one of one's own, and the way to add one
        about = pane(shown)
        assert not about.switch.isChecked()
        said = words(about)
        assert "https://api.anthropic.com/v1" in said
        assert "What it keeps" in said and "Certificates" in said and said.count("https://") > 4
        about.switch.click()
        assert read_chosen(str(home)).enabled == (PROVIDER, "anthropic")
        about.switch.click()
        assert read_chosen(str(home)).enabled == (PROVIDER,)
        assert server.asked == []


def test_a_list_of_models_is_fetched_on_a_click_and_offered_in_the_picker(tmp_path: Path) -> None:
    with chat_server() as server, window_with_remote(tmp_path / "home", server) as parts:
        about = pane(page(parts, PROVIDER))
        about.models.fetch.click()
        wait(lambda: not parts.remote.fetching)
        assert [asked.path for asked in server.asked] == ["/v1/models"]
        assert [MODEL in line and "4,096" in line for line in lines(about)] == [True]
        assert [choice.model for choice in parts.remote.choices] == [MODEL]
        server.models = refused(500, "oops")
        about.models.fetch.click()
        wait(lambda: parts.remote.problem)
        assert "oops" in about.problem.text() and [choice.model for choice in parts.remote.choices] == [MODEL]
    assert {row["purpose"] for row in requests_in(tmp_path / "home")} == {"models"}


def test_a_list_that_does_not_come_can_be_given_up_and_the_server_sees_it(tmp_path: Path) -> None:
    with chat_server() as server, window_with_remote(tmp_path / "home", server) as parts:
        server.models = Reply((b"{",), hangs=True)
        about = pane(page(parts, PROVIDER))
        assert not about.models.stop.isVisibleTo(about)
        about.models.fetch.click()
        wait(lambda: server.asked)
        assert about.models.stop.isVisibleTo(about) and not about.models.fetch.isEnabled()
        about.models.stop.click()
        assert server.went_away.wait(10)
        assert about.models.fetch.isEnabled() and not about.models.stop.isVisibleTo(about)
        assert [choice.model for choice in parts.remote.choices] == [MODEL]


def test_who_clicks_the_network_chip_sees_every_place_that_is_on(tmp_path: Path) -> None:
    with chat_server() as server, window_with_remote(tmp_path / "home", server) as parts:
        parts.remote.switch("anthropic", True)
        parts.window.page.header.network_chip.click()
        (dialog,) = parts.window.findChildren(ExplainingDialog)
        said = "\n".join(label.text() for label in dialog.findChildren(QLabel))
        assert f"The office (127.0.0.1:{server.port}); Anthropic (api.anthropic.com)" in said
        dialog.reject()


@pytest.mark.parametrize(
    ("name", "part"), [("remote", "anthropic"), ("ledger", ""), ("costs", ""), ("models", "find")]
)
def test_a_new_start_for_another_position_of_the_switch_comes_back_to_the_same_place(
    name: str, part: str, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    with chat_server() as server:
        enable(home, server)
    with window_at(home) as parts:
        parts.network.restart_wanted.disconnect(parts._start_again)  # this is not the whole process
        parts.window.area.show_page(name, part)
        parts.network.restart_wanted.emit()
    with window_at(home) as parts:
        wait(lambda: parts.window.area.place == (name, part))
    with window_at(home) as parts:  # once
        wait(lambda: parts.chat.can_send)
        assert parts.window.area.place == ("", "")


def test_a_model_that_is_unticked_is_not_asked_until_it_is_ticked_again(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with chat_server() as server:
        enable(home, server, auth=Auth.NONE)
    remember(home, PROVIDER, tuple(RemoteModelInfo(f"model-{number}") for number in range(30)))
    with window_at(home) as parts:
        about = pane(page(parts, PROVIDER))
        listed = about.models.list
        assert len(lines(about)) == 30 and PROVIDER not in read_chosen(str(home)).models
        QTest.keyClicks(about.models.filter, "MODEL-2")
        assert len(lines(about)) == 11
        listed.pick("model-2")
        QTest.keyClick(listed, Qt.Key.Key_Return)
        asked = read_chosen(str(home)).models[PROVIDER]
        assert len(asked) == 29 and "model-2" not in asked
        assert [line for line in lines(about) if "not to be asked" in line] == [lines(about)[0]]
        assert "model-2" not in [choice.model for choice in parts.remote.choices]
        assert parts.remote.choice(f"{PROVIDER}/model-2") is None
        assert "new in the list comes without a tick" in words(about)
        QTest.keyClick(listed, Qt.Key.Key_Return)
        assert PROVIDER not in read_chosen(str(home)).models and len(parts.remote.choices) == 30


def test_a_file_that_can_not_be_read_switches_everything_off_says_so_and_is_kept(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with chat_server() as server:
        enable(home, server)
    path = home / FOLDER / FILE
    path.write_text(torn := path.read_text()[:-10])
    with window_at(home) as parts:
        shown = page(parts, "anthropic")
        assert shown.damage.isVisibleTo(shown) and parts.remote.enabled == ()
        pane(shown).switch.click()
        assert not shown.damage.isVisibleTo(shown) and read_chosen(str(home)).enabled == ("anthropic",)
    assert (home / FOLDER / "providers.damaged-1.json").read_text() == torn


def test_what_the_command_line_has_switched_meanwhile_is_not_undone(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with chat_server() as server, window_with_remote(home, server) as parts:
        about = pane(page(parts, "anthropic"))
        write_chosen(str(home), read_chosen(str(home)).switched("openai", True))
        about.switch.click()
        assert read_chosen(str(home)).enabled == (PROVIDER, "openai", "anthropic")


@pytest.mark.skipif(sys.platform != "linux", reason="the Secret Service is Linux's")
def test_a_key_is_put_in_tested_and_is_in_the_keychain_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    with secret_service() as keychain, chat_server() as server:
        monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", keychain.address)
        with window_with_remote(home, server, auth=Auth.BEARER) as parts:
            box = pane(page(parts, PROVIDER)).key_box
            wait(lambda: box.state.text() == "No key is stored.")
            QTest.keyClicks(box.field, CANARY)
            QTest.keyClick(box.field, Qt.Key.Key_Return)
            assert box.field.text() == ""
            wait(lambda: box.test_button.isEnabled())
            assert keychain.kept() == {f"alcove.own.127.0.0.1:{server.port}": CANARY}
            box.test_button.click()
            wait(lambda: box.outcome.text())
            assert box.outcome.text() == f"127.0.0.1:{server.port} takes the key."
            assert server.asked[-1].headers["authorization"] == f"Bearer {CANARY}"
            server.models = refused(401, f"Incorrect API key provided: {CANARY}")
            box.test_button.click()
            wait(lambda: box.problem.text())
            assert "does not take your key" in box.problem.text() and CANARY[:8] not in box.problem.text()
            box.remove_button.click()
            wait(lambda: box.outcome.text() == "The key was removed.")
            assert keychain.kept() == {}
    for path in home.rglob("*"):
        assert not path.is_file() or CANARY.encode() not in path.read_bytes(), path


def test_a_server_of_ones_own_is_added_with_the_keyboard_and_taken_off_again(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with chat_server() as server, window_with_remote(home, server) as parts:
        shown = page(parts)
        shown.list.pick("+")
        adding = shown.pair.right.currentWidget()
        assert isinstance(adding, OwnServerPane)
        adding.address.setText("http://192.0.2.7:8080/v1")
        adding.plain.setChecked(False)
        adding.add.click()
        assert "not encrypted" in adding.problem.text() and len(read_chosen(str(home)).own) == 1
        adding.plain.setChecked(True)
        QTest.keyClicks(adding.name, "In the cellar")
        QTest.keyClick(adding.add, Qt.Key.Key_Space)
        added = read_chosen(str(home)).own[-1]
        assert (added.name, added.base_url) == ("In the cellar", "http://192.0.2.7:8080/v1")
        assert added.id not in read_chosen(str(home)).enabled
        about = pane(shown)
        assert "In the cellar" in words(about) and "not encrypted" in words(about)
        parts.remote.remove(added.id)
        assert [own.id for own in read_chosen(str(home)).own] == [PROVIDER]


def test_a_server_of_ones_own_is_told_of_anew_and_with_another_address_it_is_another(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with chat_server() as server, window_with_remote(home, server) as parts:
        shown = page(parts, PROVIDER)

        def changing() -> OwnServerPane:
            pane(shown).change.click()
            current = shown.pair.right.currentWidget()
            assert isinstance(current, OwnServerPane)
            return current

        form = changing()
        assert (form.name.text(), form.address.text()) == ("The office", server.url)
        form.name.clear()
        QTest.keyClicks(form.name, "The cellar")
        form.add.click()
        assert "The cellar" in words(pane(shown)) and parts.remote.is_on(PROVIDER)
        assert [choice.model for choice in parts.remote.choices] == [MODEL]
        form = changing()
        form.address.setText("no address")
        form.add.click()
        assert "not the address of a server" in form.problem.text()
        form.address.setText("https://models.example.org/v1")
        form.add.click()
        (own,) = read_chosen(str(home)).own
        assert (own.name, own.base_url) == ("The cellar", "https://models.example.org/v1")
        assert own.id != PROVIDER and not parts.remote.is_on(own.id) and not parts.remote.models(own.id)
        assert "models.example.org" in words(pane(shown)) and shown.current == own.id


def test_what_was_known_of_a_server_goes_with_it_and_the_next_one_begins_with_nothing(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with chat_server() as server, window_with_remote(home, server) as parts:
        parts.remote.fetch_models(PROVIDER)
        wait(lambda: not parts.remote.fetching)
        assert parts.remote.models(PROVIDER) and PROVIDER in remembered(home)
        parts.remote.remove(PROVIDER)
        assert PROVIDER not in remembered(home)
        kind = next(iter(kinds_of_own_servers()))
        added = parts.remote.add(kind, "Another", "https://models.example.org/v1", False, False)
        assert added and not parts.remote.models(added) and not parts.remote.is_on(added)


@pytest.mark.parametrize("position", [Position.DOWNLOADS])
def test_while_the_switch_keeps_remote_models_in_the_page_says_so_and_sends_nothing(
    position: Position, tmp_path: Path
) -> None:
    with chat_server() as server, window_with_remote(tmp_path / "home", server, position) as parts:
        shown = page(parts, PROVIDER)
        about = pane(shown)
        assert about.switch.isChecked() and not about.models.fetch.isEnabled()
        assert any("does not let remote models out" in label.text() for label in shown.findChildren(QLabel))
        assert parts.models.remote_items[0].missing
        parts.models.choose(parts.models.remote_items[0].path)
        assert parts.models.chip_text.startswith("On this device")
        assert server.asked == []


def test_a_damaged_file_of_choices_switches_everything_off(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with chat_server() as server:

        def damage(parts: Parts, of: ChatServer) -> None:
            (home / FOLDER / FILE).write_text('{"enabled": ["own-1"')
            parts.remote.fetch_models(PROVIDER)
            wait(lambda: parts.remote.problem)
            assert "is not switched on" in parts.remote.problem and of.asked == []

        with window_with_remote(home, server) as parts:
            page(parts)
            damage(parts, server)


def test_without_a_keychain_a_key_lasts_for_one_run_and_the_page_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", f"unix:path={tmp_path}/nobody")
    with chat_server() as server:
        with window_with_remote(home, server, auth=Auth.BEARER) as parts:
            box = pane(page(parts, PROVIDER)).key_box
            wait(lambda: "is written nowhere, and is gone when Alcove is closed" in box.notice.text())
            QTest.keyClicks(box.field, CANARY)
            QTest.keyClick(box.field, Qt.Key.Key_Return)
            wait(lambda: box.state.text() == "A key is held in memory for this run.")
            wait(lambda: box.test_button.isEnabled())
            box.test_button.click()
            wait(lambda: box.outcome.text())
            assert server.asked[-1].headers["authorization"] == f"Bearer {CANARY}"
        with window_at(home) as parts:
            box = pane(page(parts, PROVIDER)).key_box
            wait(lambda: box.state.text() == "No key is stored.")
    for path in home.rglob("*"):
        assert not path.is_file() or CANARY.encode() not in path.read_bytes(), path


@pytest.mark.skipif(sys.platform != "linux", reason="the Secret Service is Linux's")
def test_while_the_keychain_is_locked_nothing_leaves_and_the_pages_say_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    with secret_service() as keychain, chat_server() as server:
        monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", keychain.address)
        with window_with_remote(home, server) as parts:  # its server asks for no key, but the ledger has one
            about = pane(page(parts, PROVIDER))
            about.models.fetch.click()
            wait(lambda: not parts.remote.fetching and server.asked)
        keychain.lock()
        with window_at(home) as parts:
            about = pane(page(parts, PROVIDER))
            about.models.fetch.click()
            wait(lambda: parts.remote.problem)
            assert "keychain" in about.problem.text() and len(server.asked) == 1
            parts.remote.switch("anthropic", True)
            box = pane(page(parts, "anthropic")).key_box
            wait(lambda: "locked" in box.notice.text())
            parts.window.area.show_page("ledger")
            ledger = parts.window.area.page("ledger")
            assert isinstance(ledger, LedgerPage)
            ledger.verify.click()
            wait(lambda: "can't be checked without the ledger's key" in ledger.result.text())
