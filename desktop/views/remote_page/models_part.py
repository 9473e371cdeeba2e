"""The models of one provider: asking for the list, finding one in it, and which of them may be asked."""

from __future__ import annotations

from PySide6.QtWidgets import QLineEdit, QVBoxLayout, QWidget

from desktop.i18n import tr
from desktop.viewmodels.remote import RemoteViewModel
from desktop.views.dialogs import selectable
from desktop.views.models_page.flow import FlowBox
from desktop.views.models_page.rows import Row, RowList
from desktop.views.row_painter import TWO_LINES, Line
from desktop.views.theme import Theme
from desktop.views.widgets import Text, describe, push_button
from providers.remote.values import RemoteModelInfo, Service

_FEW = 8
_ROWS = 6.5  # that are seen at once: half a one says that there are more


class ModelsPart(QWidget):
    """Bound to the remote models, for one provider."""

    def __init__(self, theme: Theme, remote: RemoteViewModel, service: Service) -> None:
        super().__init__()
        self._theme = theme
        self._remote = remote
        self._service = service
        self.fetch = push_button(
            tr("Fetch the list of models"),
            "plain",
            lambda: remote.fetch_models(service.id),
            tr("Ask {name} now which models it has", name=service.name),
        )
        self.stop = push_button(
            tr("Stop"), "plain", remote.stop_fetching, tr("Ask no longer; the list that is here stays")
        )
        self.state = Text(theme, "", "soft", wrap=True)
        selectable(self.state)
        self.filter = QLineEdit()
        self.filter.setPlaceholderText(tr("Find a model"))
        self.filter.setClearButtonEnabled(True)
        describe(self.filter, tr("Find a model"))
        self.filter.textChanged.connect(self.show_models)
        self.list = RowList(theme, tr("Models"), tr("Enter lets a model be asked, or not."))
        self.list.entered.connect(self._turn)
        self.rule = Text(theme, "", "soft", wrap=True)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        for part in (FlowBox(self.fetch, self.stop), self.state, self.filter, self.list, self.rule):
            column.addWidget(part)
        self.show_models()

    def show_models(self) -> None:
        """As they are known now, and who of them may be asked."""
        remote, provider = self._remote, self._service.id
        on = remote.is_on(provider)
        self.fetch.setEnabled(on and remote.can_reach and not remote.fetching)
        self.stop.setVisible(remote.fetching == provider)
        self.state.setText(self._state(on, len(remote.models(provider))))
        listed = remote.listed_models(provider)
        wanted = self.filter.text().casefold().split()
        found = [
            info for info in listed if all(word in f"{info.name} {info.id}".casefold() for word in wanted)
        ]
        self.list.show_rows([self._row(info) for info in found])
        self.list.setFixedHeight(round(self._theme.scaled(TWO_LINES) * min(max(len(found), 1), _ROWS)))
        self.list.setVisible(bool(listed))
        self.filter.setVisible(len(listed) > _FEW)
        self.rule.setText(self._rule(len(found)))
        self.rule.setVisible(bool(listed))

    def _row(self, info: RemoteModelInfo) -> Row:
        may = self._remote.may_ask(self._service.id, info.id)
        line = Line(
            info.name or info.id,
            _details(info),
            "" if may else tr("not to be asked"),
            "check" if may else "x",
            soft=not may,
        )
        return Row(info.id, line, tr("may be asked") if may else tr("must not be asked"))

    def _turn(self, model: str) -> None:
        self._remote.let_ask(self._service.id, model, not self._remote.may_ask(self._service.id, model))

    def _rule(self, found: int) -> str:
        if not found:
            return tr("No model is called that.")
        if self._remote.is_restricted(self._service.id):
            return tr("Only the ticked models are asked. One that is new in the list comes without a tick.")
        return tr(
            "Any of them may be asked. A click on one, or Enter, takes its tick away: it is not asked then."
        )

    def _state(self, on: bool, count: int) -> str:
        remote = self._remote
        if remote.fetching == self._service.id:
            return tr("Asking {name}…", name=self._service.name)
        if asked := remote.asked_at(self._service.id):
            return tr(
                "{count} models, as it said on {when}. Choose one with Ctrl+M.", count=count, when=asked
            )
        if not on:
            return tr("Switch it on to ask for its models.")
        if not remote.can_reach:
            return tr("The network switch does not let remote models out, so it can't be asked.")
        return tr("Not asked yet.")


def _details(model: RemoteModelInfo) -> str:
    parts = (
        model.id,
        tr("reads {count} tokens", count=f"{model.context_tokens:,}") if model.context_tokens else "",
        tr("sees images") if model.sees else "",
        tr("thinks") if model.reasons else "",
        tr("calls tools") if model.calls_tools else "",
    )
    return " · ".join(part for part in parts if part)
