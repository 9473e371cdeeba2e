"""Keys for services outside: put in, removed, tested. What was put in is never shown again."""

from __future__ import annotations

from PySide6.QtWidgets import QDialog, QHBoxLayout, QLineEdit, QWidget

from desktop.i18n import tr
from desktop.viewmodels.keys import KeysViewModel
from desktop.views.dialogs import ExplainingDialog
from desktop.views.theme import Theme
from desktop.views.widgets import Text, announce, describe, push_button


class SecretsDialog(ExplainingDialog):
    """Bound to the key of the model hub."""

    def __init__(self, theme: Theme, parent: QWidget, keys: KeysViewModel) -> None:
        super().__init__(theme, parent, tr("Access keys"))
        self._keys = keys
        self.say(
            tr(
                "Some models can be fetched only by an account that accepted their conditions. The model hub then "
                "wants to see that account's access token. Alcove shows it to the hub and to nobody else."
            )
        )
        self.column.addSpacing(8)
        self.column.addWidget(Text(theme, tr("Model hub ({host})", host=keys.place.host), "title", wrap=True))
        self.state = Text(theme, "", wrap=True)
        self.notice = Text(theme, "", wrap=True)
        self.outcome = Text(theme, "", wrap=True)
        self.problem = Text(theme, "", "problem", wrap=True)
        self.field = QLineEdit()
        self.field.setEchoMode(QLineEdit.EchoMode.Password)
        self.field.setPlaceholderText(tr("Access token"))
        self.field.setMaxLength(4096)
        describe(self.field, tr("Access token"), tr("What you put in is not shown."))
        self.save_button = push_button(tr("Save"), "plain", self._save, tr("Keep this token"))
        self.test_button = push_button(
            tr("Test"), "plain", keys.test, tr("Ask the hub whether it takes the token that is kept")
        )
        self.remove_button = push_button(
            tr("Remove"), "plain", keys.remove, tr("Remove the token that is kept")
        )
        self._lay_out()
        self.finish()
        self.save_button.setDefault(True)
        self.field.textChanged.connect(self._show)
        keys.changed.connect(self._show)
        keys.look()
        self.field.setFocus()

    def _lay_out(self) -> None:
        row = QHBoxLayout()
        row.setSpacing(8)
        row.addWidget(self.field, 1)
        row.addWidget(self.save_button)
        below = QHBoxLayout()
        below.setSpacing(8)
        for button in (self.test_button, self.remove_button):
            below.addWidget(button)
        below.addStretch(1)
        for words in (self.state, self.notice):
            self.column.addWidget(words)
        self.column.addSpacing(4)
        self.column.addLayout(row)
        self.column.addLayout(below)
        for words in (self.outcome, self.problem):
            self.column.addWidget(words)
        self.column.addStretch(1)

    def _save(self) -> None:
        key = self.field.text()
        self.field.clear()  # it is not needed here any more, whatever becomes of it
        self._keys.save(key)

    def _show(self) -> None:
        keys = self._keys
        self.state.setText(keys.state)
        for label, text in (
            (self.notice, keys.keychain),
            (self.outcome, keys.said),
            (self.problem, keys.problem),
        ):
            if text and text != label.text():
                announce(label, text)
            label.setText(text)
            label.setVisible(bool(text))
        self.field.setEnabled(keys.can_save or keys.busy)
        self.save_button.setEnabled(keys.can_save and bool(self.field.text()))
        self.test_button.setEnabled(keys.can_test)
        self.remove_button.setEnabled(keys.can_remove)
        wanted = self.column.totalHeightForWidth(self.width())
        if wanted > self.height():
            self.resize(self.width(), min(wanted, self.screen().availableSize().height() - 96))


def secrets_dialog(theme: Theme, parent: QWidget, keys: KeysViewModel) -> QDialog:
    """The dialog, which looks into the keychain as it opens."""
    return SecretsDialog(theme, parent, keys)
