"""What the network chip says, and turning the switch behind it."""

from __future__ import annotations

import pytest
from PySide6.QtWidgets import QApplication, QLabel, QPushButton, QWidget
from support.window_parts import LOCKED

from desktop.processes.report import Gap, LockReport
from desktop.processes.roles import Role
from desktop.processes.switch import Position, Switch
from desktop.viewmodels.network import NetworkViewModel
from desktop.views.network_dialog import network_dialog
from desktop.views.theme import Theme

pytestmark = pytest.mark.usefixtures("qapp")


def test_each_position_has_its_own_words() -> None:
    titles = {NetworkViewModel(LOCKED, Switch(position)).text for position in Position}
    assert titles == {"Offline: nothing can leave", "Downloads only", "Remote models on"}


def test_no_position_claims_a_lock_that_nobody_enforces() -> None:
    unlocked = LockReport.unlocked(Role.DESKTOP, Gap.SYSTEM)
    for position in Position:
        assert "not locked" in NetworkViewModel(unlocked, Switch(position)).text


def test_with_downloads_the_chip_names_the_hub_or_its_mirror_and_the_ledger() -> None:
    told = NetworkViewModel(LOCKED, Switch(Position.DOWNLOADS)).tooltip
    assert "huggingface.co" in told
    assert "ledger" in told
    assert (
        "hub.example" in NetworkViewModel(LOCKED, Switch(Position.DOWNLOADS, "https://hub.example")).tooltip
    )


def test_turning_the_switch_keeps_what_belongs_to_it_and_asks_for_a_restart() -> None:
    stored: list[Switch] = []
    wanted: list[bool] = []
    before = Switch(Position.OFFLINE, "https://hub.example", folders=("/data/models",))
    network = NetworkViewModel(LOCKED, before, stored.append)
    network.restart_wanted.connect(lambda: wanted.append(True))
    assert network.turn(Position.DOWNLOADS) == ""
    assert stored == [Switch(Position.DOWNLOADS, "https://hub.example", folders=("/data/models",))]
    assert wanted == [True]


def test_a_switch_that_can_not_be_stored_changes_nothing() -> None:
    def refuse(_: Switch) -> None:
        raise OSError(28, "No space left on device")

    network = NetworkViewModel(LOCKED, Switch(), refuse)
    network.restart_wanted.connect(lambda: pytest.fail("it restarted"))
    assert "No space left on device" in network.turn(Position.DOWNLOADS)
    assert "can't be turned" in NetworkViewModel(LOCKED).turn(Position.DOWNLOADS)


def test_the_dialog_names_the_three_positions_and_has_a_button_to_the_two_others(qapp: QApplication) -> None:
    network = NetworkViewModel(LOCKED, Switch(Position.DOWNLOADS), lambda switch: None)
    parent = QWidget()
    dialog = network_dialog(Theme(qapp), parent, network)
    said = [label.text() for label in dialog.findChildren(QLabel)]
    assert [text for text in said if text in ("Offline", "Downloads (now)", "Remote models")] == [
        "Offline", "Downloads (now)", "Remote models",
    ]  # fmt: skip
    buttons = [button.text() for button in dialog.findChildren(QPushButton)]
    assert [text for text in buttons if "restart" in text] == [
        "Go offline and restart", "Allow remote models and restart",
    ]  # fmt: skip
    parent.deleteLater()
