"""The key for the model hub, in a dialog. Those for remote models are on their providers' pages."""

from __future__ import annotations

from PySide6.QtWidgets import QDialog, QWidget

from desktop.i18n import tr
from desktop.viewmodels.keys import KeysViewModel
from desktop.views.dialogs import ExplainingDialog
from desktop.views.key_box import KeyBox
from desktop.views.theme import Theme
from desktop.views.widgets import Text


class SecretsDialog(ExplainingDialog):
    """Bound to the key of the model hub."""

    def __init__(self, theme: Theme, parent: QWidget, keys: KeysViewModel) -> None:
        super().__init__(theme, parent, tr("Access keys"))
        self.say(
            tr(
                "Some models can be fetched only by an account that accepted their conditions. The model hub then "
                "wants to see that account's access token. Alcove shows it to the hub and to nobody else."
            )
        )
        self.column.addSpacing(8)
        self.column.addWidget(Text(theme, tr("Model hub ({host})", host=keys.place.host), "title", wrap=True))
        self.box = box = KeyBox(theme, keys, tr("Access token"))
        self.state, self.notice, self.outcome, self.problem = box.state, box.notice, box.outcome, box.problem
        self.field, self.save_button = box.field, box.save_button
        self.test_button, self.remove_button = box.test_button, box.remove_button
        self.column.addWidget(box)
        self.column.addStretch(1)
        self.finish()
        self.save_button.setDefault(True)
        box.grew.connect(self._grow)
        self.field.setFocus()

    def _grow(self) -> None:
        height = self.height()
        self.fit(self.width())
        self.resize(self.width(), max(height, self.height()))  # it does not jump back


def secrets_dialog(theme: Theme, parent: QWidget, keys: KeysViewModel) -> QDialog:
    """The dialog, which looks into the keychain as it opens."""
    return SecretsDialog(theme, parent, keys)
