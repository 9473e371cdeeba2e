"""A model's page on the hub: its name, what has to be accepted first, its versions, and what its publisher says."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QStackedWidget, QVBoxLayout, QWidget

from desktop.i18n import tr
from desktop.viewmodels.downloads import DownloadsViewModel
from desktop.viewmodels.hub_page import HubPageViewModel
from desktop.viewmodels.hub_words import found_words, gate_words, page_facts
from desktop.viewmodels.model_words import one_line
from desktop.views.models_page.card import CardPane
from desktop.views.models_page.details import Pane, breakable
from desktop.views.models_page.flow import FlowBox
from desktop.views.models_page.tabs import Tabs
from desktop.views.models_page.versions import Versions
from desktop.views.theme import Theme
from desktop.views.widgets import Text, push_button

_VERSIONS, _ABOUT = "versions", "about"


class HubPane(Pane):
    """Bound to the page that is open."""

    said = Signal(str)
    keys_wanted = Signal()

    def __init__(self, theme: Theme, page: HubPageViewModel, downloads: DownloadsViewModel) -> None:
        super().__init__(theme, tr("Model on the hub"))
        self._page = page
        self._card_of = ""
        self.name = Text(theme, "", "heading", wrap=True)
        self.name.setMinimumWidth(80)
        self.line = Text(theme, "", "soft", wrap=True)
        self.gate = Text(theme, "", wrap=True)
        self.keys = push_button(
            tr("Put in the token…"), "plain", self.keys_wanted.emit, tr("Keys for the model hub")
        )
        self.keys_row = FlowBox(self.keys)
        self.state = Text(theme, "", wrap=True)
        self.again = push_button(
            tr("Try again"), "plain", page.try_again, tr("Ask the hub for this page again")
        )
        self.again_row = FlowBox(self.again)
        self.tabs = Tabs(theme)
        self.tabs.add(_VERSIONS, tr("Versions"), tr("What can be downloaded, and what of it runs here"))
        self.tabs.add(_ABOUT, tr("About"), tr("What its publisher says about it"))
        self.versions = Versions(theme, page, downloads)
        self.about = CardPane(theme)
        self.about.said.connect(self.said)
        self.stack = QStackedWidget()
        self.stack.addWidget(self.versions)
        self.stack.addWidget(self.about)
        self.tabs.changed.connect(self._show_tab)
        self.tabs.choose(_VERSIONS)
        self._lay_out()

    def _lay_out(self) -> None:
        head = QVBoxLayout()
        head.setContentsMargins(24, 16, 24, 0)
        head.setSpacing(8)
        for part in (self.name, self.line, self.gate, self.keys_row, self.state, self.again_row):
            head.addWidget(part)
        column = self.column
        column.setContentsMargins(0, 0, 0, 0)
        column.addLayout(head)
        indented = QVBoxLayout()
        indented.setContentsMargins(12, 0, 12, 0)
        indented.addWidget(self.tabs)
        column.addLayout(indented)
        column.addWidget(self.stack, 1)
        self._filler = QWidget()
        column.addWidget(self._filler, 1)

    def show_now(self) -> None:
        """What is known now."""
        model = self._page
        page = model.page
        there = page is not None
        self.name.setText(breakable(one_line(page.found.repo if page is not None else model.repo)))
        self.name.setAccessibleName(one_line(model.repo))
        self.line.setVisible(there)
        self.tabs.setVisible(there)
        self.stack.setVisible(there)
        self._filler.setVisible(not there)
        gated = "" if page is None else gate_words(page.found.gate)
        self.gate.setText(gated)
        self.gate.setVisible(bool(gated))
        problem = model.problem
        asks = problem is not None and problem.detail in ("gated_no_token", "token_wrong")
        self.keys_row.setVisible(bool(gated) or asks)
        self.again_row.setVisible(problem is not None)
        self.state.setVisible(not there)
        self.state.setText(problem.text if problem is not None else tr("Asking the hub for this page…"))
        if page is not None and model.listing is not None:
            self.line.setText(found_words(page.found))
            self.versions.show_now()
            if self._card_of != f"{page.found.repo} {page.sha}":
                self._card_of = f"{page.found.repo} {page.sha}"
                self.about.show_card(page_facts(page, model.listing, model.hub), page.card, page.card_cut)
                self.tabs.choose(_VERSIONS)

    def _show_tab(self, name: str) -> None:
        self.stack.setCurrentWidget(self.versions if name == _VERSIONS else self.about)

    def take_keyboard(self) -> None:
        self.versions.list.setFocus()
