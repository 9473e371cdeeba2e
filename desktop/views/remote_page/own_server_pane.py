"""Adding a server of one's own: what runs there, where it is, and whether it asks for a key."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QComboBox, QFormLayout, QLineEdit, QScrollArea, QVBoxLayout, QWidget

from desktop.i18n import tr
from desktop.viewmodels.remote import RemoteViewModel
from desktop.views.models_page.flow import FlowBox
from desktop.views.setting_editors import Switch
from desktop.views.theme import Theme
from desktop.views.widgets import Text, announce, describe, push_button
from providers.remote.catalogue import kinds_of_own_servers
from providers.remote.values import Auth, Service


class OwnServerPane(QScrollArea):
    """`added` is told the id of what was added, or of what `service` is now: the one that is told of anew."""

    def __init__(
        self,
        theme: Theme,
        remote: RemoteViewModel,
        added: Callable[[str], None],
        service: Service | None = None,
    ) -> None:
        super().__init__()
        self._service = service
        self._remote = remote
        self._added = added
        self.kind = QComboBox()
        for kind in kinds_of_own_servers().values():
            self.kind.addItem(kind.name, kind.id)
        describe(self.kind, tr("What runs there"))
        self.name = QLineEdit()
        describe(self.name, tr("Name"), tr("What to call it"))
        self.address = QLineEdit()
        describe(self.address, tr("Address"), tr("For example https://models.example.org/v1"))
        self.key = Switch(theme)
        self.key.setText(tr("It asks for a key"))
        describe(self.key, tr("It asks for a key"))
        self.plain = Switch(theme)
        self.plain.setText(tr("Reach it without encryption"))
        describe(
            self.plain, tr("Reach it without encryption"), tr("What is sent there can be read on the way.")
        )
        self.problem = Text(theme, "", "problem", wrap=True)
        self.problem.hide()
        self.add = (
            push_button(tr("Add"), "primary", self._add, tr("Add it to the list, switched off"))
            if service is None
            else push_button(
                tr("Save"),
                "primary",
                self._add,
                tr("With another address it is another server: off, and with a key of its own"),
            )
        )
        form = QFormLayout()
        form.setSpacing(8)
        form.setRowWrapPolicy(QFormLayout.RowWrapPolicy.WrapLongRows)
        form.addRow(tr("What runs there"), self.kind)
        form.addRow(tr("Name"), self.name)
        form.addRow(tr("Address"), self.address)
        form.addRow("", self.key)
        form.addRow("", self.plain)
        inside = QWidget()
        inside.setMinimumHeight(1)  # else it is as high as its narrowest form would be
        column = QVBoxLayout(inside)
        column.setContentsMargins(24, 16, 24, 24)
        column.setSpacing(8)
        title = tr("A server of your own") if service is None else tr("Change {name}", name=service.name)
        column.addWidget(Text(theme, title, "heading", wrap=True))
        about = tr(
            "Ollama, llama-server, LM Studio, vLLM, or anything that speaks as OpenAI does: on this computer, in your "
            "network, or rented by your organisation. It is off until you switch it on."
        )
        if service is not None:
            about = tr(
                "With another address it is another server: it is off until you switch it on, its key is another, and "
                "no conversation goes there without asking you."
            )
        column.addWidget(Text(theme, about, wrap=True))
        column.addLayout(form)
        column.addWidget(
            Text(theme, tr("Without encryption, who is on the way can read and change what is sent. On this computer "
                           "itself nobody is."), "soft", wrap=True)
        )  # fmt: skip
        column.addWidget(FlowBox(self.add))
        column.addWidget(self.problem)
        column.addStretch(1)
        self.setWidgetResizable(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setWidget(inside)
        self.kind.currentIndexChanged.connect(self._usual)
        theme.dress(self)
        if service is None:
            self._usual()
        else:
            self._show(service)

    def take_keyboard(self) -> None:
        (self.kind if self._service is None else self.name).setFocus()

    def _show(self, service: Service) -> None:
        self.kind.setCurrentIndex(self.kind.findData(service.kind))
        self.name.setText(service.name)
        self.address.setText(service.base_url)
        self.key.setChecked(service.auth is not Auth.NONE)
        self.plain.setChecked(service.plain_http)

    def _usual(self) -> None:
        """What is usual for such a server, to begin with."""
        service = kinds_of_own_servers()[self.kind.currentData()]
        self.address.setText(service.base_url)
        self.key.setChecked(service.auth is not Auth.NONE)
        self.plain.setChecked(service.base_url.startswith("http://"))

    def _add(self) -> None:
        added = self._remote.add(
            self.kind.currentData(),
            self.name.text(),
            self.address.text(),
            self.key.isChecked(),
            self.plain.isChecked() and self.address.text().strip().startswith("http://"),
            instead_of="" if self._service is None else self._service.id,
        )
        self.problem.setText(self._remote.problem)
        self.problem.setVisible(not added)
        if added:
            self._added(added)
        else:
            announce(self.problem, self._remote.problem)
