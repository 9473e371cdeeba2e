"""“Remote models”: the providers, the one that was chosen, and the network switch where it stands in the way."""

from __future__ import annotations

from PySide6.QtWidgets import QVBoxLayout, QWidget

from desktop.i18n import tr
from desktop.processes.switch import Position
from desktop.viewmodels.models import ModelsViewModel
from desktop.viewmodels.network import NetworkViewModel
from desktop.viewmodels.remote import RemoteViewModel
from desktop.views.dialogs import selectable
from desktop.views.models_page.flow import FlowBox
from desktop.views.models_page.pair import Pair
from desktop.views.models_page.rows import Row, RowList
from desktop.views.page import Page
from desktop.views.remote_page.own_server_pane import OwnServerPane
from desktop.views.remote_page.provider_pane import ProviderPane
from desktop.views.row_painter import Line
from desktop.views.theme import Theme
from desktop.views.widgets import Text, announce, push_button

_ADD = "+"


class RemotePage(Page):
    """Bound to the remote models. A part is the id of a provider."""

    def __init__(
        self, theme: Theme, remote: RemoteViewModel, models: ModelsViewModel, network: NetworkViewModel
    ) -> None:
        super().__init__(theme, tr("Remote models"), models, network)
        self._remote = remote
        self._network = network
        self._panes: dict[str, QWidget] = {}
        self._shown = ""
        self.list = RowList(theme, tr("Providers"), tr("Enter shows one."), uniform=False)
        self.pair = Pair(theme, self._left_side(), tr("All providers"), tr("Back to the list of providers"))
        if not remote.can_reach:
            self.body.addWidget(self._switch_bar())
        self.body.addWidget(self.pair, 1)
        self.list.picked.connect(lambda key: self._show_pane(key))
        self.list.entered.connect(self._enter)
        remote.changed.connect(self._show)
        theme.dress(self)
        self._show()

    def _left_side(self) -> QWidget:
        side = QWidget()
        column = QVBoxLayout(side)
        column.setContentsMargins(8, 8, 8, 8)
        self.damage = Text(
            self.theme,
            tr(
                "What you had switched on and added here can't be read any more, so every provider is off and nothing "
                "goes to any. The file is kept: with your next choice it gets the name “providers.damaged”, in the "
                "folder “remote” of Alcove's own."
            ),
            "problem",
            wrap=True,
        )
        selectable(self.damage)
        column.addWidget(self.damage)
        column.addWidget(self.list, 1)
        return side

    def _switch_bar(self) -> QWidget:
        bar = QWidget()
        column = QVBoxLayout(bar)
        column.setContentsMargins(24, 12, 24, 12)
        words = tr(
            "The network switch does not let remote models out now, so nothing on this page can be reached. What you "
            "choose here is kept."
        )
        column.addWidget(Text(self.theme, words, wrap=True))
        self.turn_problem = Text(self.theme, "", "problem", wrap=True)
        self.turn_problem.hide()
        if self._network.can_turn:
            allow = tr("Allow remote models and restart")
            takes = tr("Restarting takes about a second and brings you back to this page.")
            self.turn = push_button(allow, "primary", self._turn, takes)
            column.addWidget(FlowBox(self.turn))
        column.addWidget(self.turn_problem)
        return bar

    def _turn(self) -> None:
        why = self._network.turn(Position.REMOTE)
        self.turn_problem.setText(why)
        self.turn_problem.setVisible(bool(why))
        if why:
            announce(self.turn_problem, why)

    # ---- the list

    def _show(self) -> None:
        self.damage.setVisible(self._remote.is_damaged)
        rows = [
            Row(service.id, Line(service.name, self._below(service.id), icon=self._icon(service.id)))
            for service in self._remote.services
        ]
        rows.append(Row(_ADD, Line(tr("Add a server of your own…"), icon="square-pen")))
        self.list.show_rows(rows)

    def _below(self, provider: str) -> str:
        on = tr("on") if self._remote.is_on(provider) else tr("off")
        count = len(self._remote.models(provider))
        return " · ".join(part for part in (on, tr("models: {count}", count=count) if count else "") if part)

    def _icon(self, provider: str) -> str:
        return "check" if self._remote.is_on(provider) else "arrow-up-right"

    def _enter(self, key: str, by_key: bool) -> None:
        self._show_pane(key, asked=True)
        pane = self._panes[key]
        if isinstance(pane, ProviderPane | OwnServerPane) and by_key:
            pane.take_keyboard()

    def _show_pane(self, key: str, *, asked: bool = False) -> None:
        """`asked`: the person wants to see it, also where the list has to make room."""
        if key != _ADD and self._remote.service(key) is None:
            return
        if key not in self._panes:
            self._panes[key] = self._make(key)
        self._shown = key
        self.pair.show_details(self._panes[key], asked=asked)

    def _make(self, key: str) -> QWidget:
        if key == _ADD:
            return OwnServerPane(self.theme, self._remote, self._go_to)
        service = self._remote.service(key)
        assert service is not None
        return ProviderPane(
            self.theme, self._remote, service, lambda: self._removed(key), lambda: self._change(key)
        )

    def _change(self, key: str) -> None:
        """A server of one's own is told of anew, in the place where it is told of."""
        service = self._remote.service(key)
        assert service is not None
        pane = OwnServerPane(self.theme, self._remote, lambda now: self._changed(key, now), service)
        self._drop(key)
        self._panes[key] = pane
        self._show_pane(key)
        pane.take_keyboard()

    def _changed(self, before: str, now: str) -> None:
        self._drop(before)
        self._go_to(now)

    def _drop(self, key: str) -> None:
        """Its pane is made anew when it is shown again."""
        if (pane := self._panes.pop(key, None)) is not None:
            pane.hide()
            pane.deleteLater()

    def _go_to(self, provider: str) -> None:
        self.list.pick(provider)
        self._show_pane(provider)

    def _removed(self, key: str) -> None:
        self._drop(key)
        self._go_to(self._remote.services[0].id)

    # ---- as a page

    def open(self, part: str = "") -> None:
        """With the page of a provider, or where it was."""
        self._go_to(part if part and self._remote.service(part) else self._shown or self._first())
        self.list.setFocus()

    @property
    def current(self) -> str:
        return self._shown

    def _first(self) -> str:
        on = self._remote.enabled
        return on[0].id if on else self._remote.services[0].id

    def step_back(self) -> bool:
        if self.pair.hides_list:
            self.pair.leave()
            return True
        return False
