"""What can leave this computer, what the operating system says about that, and the switch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from PySide6.QtWidgets import QDialog, QHBoxLayout, QWidget

from desktop.i18n import tr
from desktop.processes.switch import Position
from desktop.viewmodels.network import NetworkViewModel
from desktop.views.dialogs import ExplainingDialog
from desktop.views.main_area import COSTS, LEDGER, REMOTE
from desktop.views.models_page.flow import FlowBox
from desktop.views.theme import Theme
from desktop.views.widgets import Text, announce, push_button


def network_dialog(
    theme: Theme,
    parent: QWidget,
    network: NetworkViewModel,
    show_page: Callable[[str], object] | None = None,
    providers: Sequence[str] = (),
) -> QDialog:
    """What the operating system refuses, as it reported it, what that means, and how to change it.

    `show_page`: bring a page of the window to the front, by its name. `providers`: those that are on, with their
    hosts.
    """
    dialog = ExplainingDialog(theme, parent, network.text)
    dialog.say(network.tooltip)
    if network.position is Position.REMOTE:
        dialog.say(_reachable(network, providers))
    if show_page is not None:
        _add_ways(dialog, show_page)
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
    dialog.show_rows(network.details)
    dialog.finish()
    return dialog


def _reachable(network: NetworkViewModel, providers: Sequence[str]) -> str:
    """Every place that may be reached now."""
    hub = network.hub.partition("//")[2]
    if not providers:
        return tr("No provider is on: nothing but {hub}, for models, can be reached.", hub=hub)
    return tr("On now, besides {hub} for models: {providers}.", hub=hub, providers="; ".join(providers))


def _add_ways(dialog: ExplainingDialog, show_page: Callable[[str], object]) -> None:
    """To the pages that have more to say."""

    def go(name: str) -> None:
        dialog.accept()
        show_page(name)

    ledger = tr("Show the ledger"), tr("What left this computer, and what was refused")
    remote = tr("Remote models…"), tr("Which providers may be reached")
    costs = tr("Costs…"), tr("What remote models cost, and budgets")
    dialog.column.addWidget(
        FlowBox(
            push_button(ledger[0], "plain", partial(go, LEDGER), ledger[1]),
            push_button(remote[0], "plain", partial(go, REMOTE), remote[1]),
            push_button(costs[0], "plain", partial(go, COSTS), costs[1]),
        )
    )


def _add_switch(theme: Theme, dialog: ExplainingDialog, network: NetworkViewModel) -> None:
    """The three positions, from least to most: the one that holds, and a button to each other one."""
    problem = Text(theme, "", "problem", wrap=True)
    problem.hide()

    def turn_to(position: Position) -> None:
        why = network.turn(position)
        problem.setText(why)
        problem.setVisible(bool(why))
        if why:
            announce(problem, why)
        else:
            dialog.accept()

    for position, title, name, words in _positions():
        holds = position is network.position
        dialog.column.addWidget(
            Text(theme, tr("{position} (now)", position=title) if holds else title, "title")
        )
        dialog.say(words)
        if holds:
            continue
        row = QHBoxLayout()
        row.addWidget(push_button(name, "plain", partial(turn_to, position), words))
        row.addStretch(1)
        dialog.column.addLayout(row)
    dialog.say(
        tr(
            "Restarting takes about a second and brings you back to where you are. "
            "An answer under way is stopped and kept."
        )
    )
    dialog.column.addWidget(problem)


def _positions() -> tuple[tuple[Position, str, str, str], ...]:
    """Each position of the switch with its name, the button to it, and what it lets out; from least to most."""
    return (
        (
            Position.OFFLINE,
            tr("Offline"),
            tr("Go offline and restart"),
            tr("Offline, no process of Alcove has a network."),
        ),
        (
            Position.DOWNLOADS,
            tr("Downloads"),
            tr("Allow downloads and restart"),
            tr(
                "To fetch models, Alcove can be started with one more process that may reach the model hub and nothing "
                "else. The window and the models stay without a network."
            ),
        ),
        (
            Position.REMOTE,
            tr("Remote models"),
            tr("Allow remote models and restart"),
            tr(
                "To ask models elsewhere, that process may also reach the providers that you switch on, one by one. "
                "None is on at first, and a conversation goes there only after you have seen what would be sent."
            ),
        ),
    )
