"""What stands on the page while the network switch is offline: one calm sentence, what would change, and the switch."""

from __future__ import annotations

from PySide6.QtWidgets import QVBoxLayout, QWidget

from desktop.i18n import tr
from desktop.processes.switch import Position
from desktop.viewmodels.hub_words import offline_words
from desktop.viewmodels.network import NetworkViewModel
from desktop.views.models_page.flow import FlowBox
from desktop.views.theme import Theme
from desktop.views.widgets import Text, announce, push_button


class OfflineNote(QWidget):
    """What the network switch keeps from being reached here, and the button that turns it: Alcove then starts again."""

    def __init__(self, theme: Theme, network: NetworkViewModel) -> None:
        super().__init__()
        self._network = network
        allow = tr("Allow downloads and restart")
        means = tr(
            "With “Downloads” on, one more process may reach the model hub and nothing else. Each of its requests is "
            "written into the ledger before it leaves. The window, the models and your conversations stay without a "
            "network."
        )
        takes = tr("Restarting takes about a second and brings you back to this page.")
        self.button = push_button(allow, "primary", self._turn, means)
        self.problem = Text(theme, "", "problem", wrap=True)
        self.problem.hide()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        column.addWidget(Text(theme, offline_words(), "title", wrap=True))
        column.addWidget(Text(theme, means, wrap=True))
        if network.can_turn:
            column.addWidget(Text(theme, takes, "soft", wrap=True))
            column.addWidget(FlowBox(self.button))
        else:
            column.addWidget(Text(theme, tr("The network switch can't be turned here."), "soft", wrap=True))
            self.button.hide()
        column.addWidget(self.problem)

    def _turn(self) -> None:
        why = self._network.turn(Position.DOWNLOADS)
        self.problem.setText(why)
        self.problem.setVisible(bool(why))
        if why:
            announce(self.problem, why)
