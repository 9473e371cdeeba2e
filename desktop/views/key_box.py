"""One key for a service outside: whether there is one, putting it in, testing, removing it. It is never shown again."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QLineEdit, QVBoxLayout, QWidget

from desktop.i18n import tr
from desktop.viewmodels.keys import KeysViewModel
from desktop.views.models_page.flow import FlowBox
from desktop.views.theme import Theme
from desktop.views.widgets import Text, announce, describe, push_button


class KeyBox(QWidget):
    """Bound to one key, in which it looks when it is made. `grew` when it may need more room."""

    grew = Signal()

    def __init__(self, theme: Theme, keys: KeysViewModel, name: str) -> None:
        """`name`: what such a key is called there: "Access token", "API key"."""
        super().__init__()
        self._keys = keys
        self.state = Text(theme, "", wrap=True)
        self.notice = Text(theme, "", wrap=True)
        self.outcome = Text(theme, "", wrap=True)
        self.problem = Text(theme, "", "problem", wrap=True)
        self.field = QLineEdit()
        self.field.setEchoMode(QLineEdit.EchoMode.Password)
        self.field.setPlaceholderText(name)
        self.field.setMaxLength(4096)
        describe(self.field, name, tr("What you put in is not shown."))
        self.save_button = push_button(tr("Save"), "plain", self._save, tr("Keep this key"))
        self.test_button = push_button(
            tr("Test"), "plain", keys.test, tr("Ask {whose} whether it takes the key", whose=keys.whose)
        )
        self.remove_button = push_button(
            tr("Remove"), "plain", keys.remove, tr("Remove the key that is kept")
        )
        self._lay_out()
        self.field.textChanged.connect(self._show)
        self.field.returnPressed.connect(self._save_if_possible)
        keys.changed.connect(self._show)
        keys.look()

    def _lay_out(self) -> None:
        row = QHBoxLayout()
        row.setSpacing(8)
        row.addWidget(self.field, 1)
        row.addWidget(self.save_button)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        column.addWidget(self.state)
        column.addWidget(self.notice)
        column.addLayout(row)
        column.addWidget(FlowBox(self.test_button, self.remove_button))
        column.addWidget(self.outcome)
        column.addWidget(self.problem)

    def _save_if_possible(self) -> None:
        if self.save_button.isEnabled():
            self._save()

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
        self.grew.emit()
