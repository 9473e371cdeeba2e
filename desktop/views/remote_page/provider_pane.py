"""One provider: the switch, what goes there, what is known of it, its key, and its models."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlsplit

from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QFrame, QHBoxLayout, QScrollArea, QVBoxLayout, QWidget

from desktop.i18n import tr
from desktop.viewmodels.remote import RemoteViewModel
from desktop.views.dialogs import selectable
from desktop.views.key_box import KeyBox
from desktop.views.models_page.flow import FlowBox
from desktop.views.remote_page.models_part import ModelsPart
from desktop.views.setting_editors import Switch
from desktop.views.theme import Theme
from desktop.views.widgets import Text, describe, push_button
from providers.gate.address import is_this_machine
from providers.remote.facts import Fact, Topic
from providers.remote.values import Auth, Service

_MARGIN = 24


class ProviderPane(QScrollArea):
    """Made for one provider; shows what changes."""

    def __init__(
        self,
        theme: Theme,
        remote: RemoteViewModel,
        service: Service,
        removed: Callable[[], None],
        change: Callable[[], None],
    ) -> None:
        super().__init__()
        self._theme = theme
        self._remote = remote
        self._service = service
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        describe(self, service.name, tr("About this provider"))
        inside = QWidget()
        self._column = QVBoxLayout(inside)
        self._column.setContentsMargins(_MARGIN, 16, _MARGIN, _MARGIN)
        self._column.setSpacing(8)
        self._add_switch()
        self._add_what_goes()
        if service.auth is not Auth.NONE:
            self._heading(tr("Key"))
            self.key_box = KeyBox(theme, remote.keys_of(service.id), tr("API key"))
            self._column.addWidget(self.key_box)
        self._heading(tr("Models"))
        self.models = ModelsPart(theme, remote, service)
        self._column.addWidget(self.models)
        self._add_facts()
        if service.own:
            self._add_removal(removed, change)
        self._column.addStretch(1)
        self.setWidget(inside)
        theme.dress(self)
        remote.changed.connect(self._show)
        self._show()

    def take_keyboard(self) -> None:
        self.switch.setFocus()

    # ---- what there is

    def _heading(self, text: str) -> None:
        self._column.addSpacing(12)
        self._column.addWidget(Text(self._theme, text, "title", wrap=True))

    def _say(self, text: str, look: str = "") -> Text:
        said = Text(self._theme, text, look, wrap=True) if look else Text(self._theme, text, wrap=True)
        selectable(said)
        self._column.addWidget(said)
        return said

    def _add_switch(self) -> None:
        self._column.addWidget(Text(self._theme, self._service.name, "heading", wrap=True))
        self.switch = Switch(self._theme)
        self.switch.setText(tr("Use {name}", name=self._service.name))
        describe(self.switch, tr("Use {name}", name=self._service.name), tr("Off until you switch it on"))
        self.switch.clicked.connect(lambda on: self._remote.switch(self._service.id, on))
        row = QHBoxLayout()
        row.addWidget(self.switch)
        row.addStretch(1)
        self._column.addLayout(row)
        self.problem = self._say("", "problem")

    def _add_what_goes(self) -> None:
        self._heading(tr("What goes there"))
        address, host = self._service.base_url, urlsplit(self._service.base_url)
        place = host.netloc
        self._say(
            tr(
                "What you ask one of its models goes to {address}: your message and its images, what stands before it "
                "in the conversation, your instructions, and the name of the model. You see all of it before a "
                "conversation goes there for the first time. Your name, this computer's name, other conversations and "
                "files do not go along. Every request has its row in the ledger before it leaves.",
                address=address,
            )
        )
        if is_this_machine(host.hostname or ""):
            self._say(
                tr(
                    "This address is on this computer. Whether it sends on what it gets is up to what runs there."
                )
            )
        elif host.scheme == "https":
            self._say(
                tr(
                    "The connection is encrypted, and whoever answers must prove to be {host} by a certificate that "
                    "this computer trusts. As with every connection, it can tell from where on the internet you come.",
                    host=place,
                )
            )
        else:
            self._say(
                tr(
                    "This address is not encrypted: who is on the way to it can read and change what is sent."
                ),
                "problem",
            )
        if self._service.auth is not Auth.NONE:
            self._say(
                tr(
                    "Your key goes with each request, to {host} and nowhere else: not after a redirect, and not to an "
                    "address that takes its place here.",
                    host=place,
                )
            )

    def _add_facts(self) -> None:
        known = self._remote.facts(self._service.id)
        self._heading(tr("What is known of it"))
        if known is None:
            self._say(tr("A server of your own: what it does with what it gets is up to who runs it."))
            return
        self._say(f"{known.who} · {known.country}", "soft")
        names = {
            Topic.RETENTION: tr("What it keeps"),
            Topic.TRAINING: tr("Training"),
            Topic.REGION: tr("Where"),
            Topic.CERTIFICATIONS: tr("Certificates"),
            Topic.SHARING: tr("Who else sees it"),
        }
        for topic, name in names.items():
            facts = known.about(topic)
            if facts:
                self._say(name, "soft")
            for fact in facts:
                self._add_fact(fact)
        self._say(
            tr("These sentences are as old as their dates, and say what the sources said. Ask {who} before you rely on "
               "one.", who=known.who),
            "soft",
        )  # fmt: skip

    def _add_fact(self, fact: Fact) -> None:
        if not fact.known:
            self._say(tr("Nothing is known to Alcove about this (looked for on {day}).", day=fact.checked))
            return
        self._say(fact.text)
        when = tr("of {day}", day=fact.date) if fact.date else tr("read on {day}", day=fact.checked)
        source = Text(self._theme, f"{fact.source_title} · {when}\n{fact.source}", "soft", wrap=True)
        selectable(source)
        copy = push_button(
            tr("Copy address"),
            "quiet",
            lambda: QGuiApplication.clipboard().setText(fact.source),
            tr("Copy the address of this source"),
        )
        row = QHBoxLayout()
        row.addWidget(source, 1)
        row.addWidget(copy, 0, Qt.AlignmentFlag.AlignTop)
        self._column.addLayout(row)

    def _add_removal(self, removed: Callable[[], None], change: Callable[[], None]) -> None:
        self._column.addSpacing(12)

        def remove() -> None:
            self._remote.remove(self._service.id)
            removed()

        words = tr("Its key, if it has one, stays in the keychain")
        self.change = push_button(
            tr("Change…"), "plain", change, tr("Its name, its address, what runs there")
        )
        self._column.addWidget(
            FlowBox(self.change, push_button(tr("Take off the list"), "plain", remove, words))
        )

    # ---- what changes

    def _show(self) -> None:
        remote, provider = self._remote, self._service.id
        self.switch.setChecked(remote.is_on(provider))
        self.problem.setText(remote.problem)
        self.problem.setVisible(bool(remote.problem))
        self.models.show_models()
