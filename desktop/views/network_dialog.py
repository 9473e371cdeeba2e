"""What can leave this computer, what the operating system says about that, and the switch."""

from __future__ import annotations

from PySide6.QtWidgets import QDialog, QHBoxLayout, QWidget

from desktop.i18n import tr
from desktop.processes.switch import Position
from desktop.viewmodels.network import NetworkViewModel
from desktop.views.dialogs import ExplainingDialog
from desktop.views.theme import Theme
from desktop.views.widgets import Text, announce, push_button


def network_dialog(theme: Theme, parent: QWidget, network: NetworkViewModel) -> QDialog:
    """What the operating system refuses, as it reported it, what that means, and how to change it."""
    dialog = ExplainingDialog(theme, parent, network.text)
    dialog.say(network.tooltip)
    if network.can_turn:
        _add_switch(theme, dialog, network)
    if network.enforced:
        dialog.say(
            tr("The lock was set before anything else was loaded and can't be opened again while Alcove runs. "
               "It was tried out at the start; this is what the system answered:")
        )  # fmt: skip
    elif network.position is Position.OFFLINE:
        dialog.say(
            tr("Alcove sends nothing all the same. But nobody but Alcove itself sees to it on this system.")
        )
    else:
        dialog.say(
            tr(
                "Only the broker sends, and only what its gate lets out. But nobody but Alcove itself sees to it here."
            )
        )
    dialog.show_rows(network.details, scrolled=True)
    dialog.finish()
    return dialog


def _add_switch(theme: Theme, dialog: ExplainingDialog, network: NetworkViewModel) -> None:
    """One button to the other position, with what it does."""
    if network.position is Position.OFFLINE:
        other, name = Position.DOWNLOADS, tr("Allow downloads and restart")
        words = tr(
            "To fetch models, Alcove can be started with one more process that may reach the model hub and nothing "
            "else. The window and the models stay without a network."
        )
    else:
        other, name = Position.OFFLINE, tr("Go offline and restart")
        words = tr("Offline, no process of Alcove has a network.")
    dialog.say(words)
    dialog.say(
        tr(
            "Restarting takes about a second and brings you back to where you are. "
            "An answer under way is stopped and kept."
        )
    )
    problem = Text(theme, "", "soft", wrap=True)
    problem.hide()

    def turn() -> None:
        why = network.turn(other)
        problem.setText(why)
        problem.setVisible(bool(why))
        if why:
            announce(problem, why)
        else:
            dialog.accept()

    row = QHBoxLayout()
    row.addWidget(push_button(name, "plain", turn, words))
    row.addStretch(1)
    dialog.column.addLayout(row)
    dialog.column.addWidget(problem)
