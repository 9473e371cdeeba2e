"""Before the label “never leaves this device” is taken off a conversation: what that means, and the choice."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtWidgets import QHBoxLayout, QWidget

from desktop.i18n import tr
from desktop.views.dialogs import ExplainingDialog
from desktop.views.theme import Theme
from desktop.views.widgets import push_button


class LabelDialog(ExplainingDialog):
    """Closing it in any way but by its one button leaves the label on."""

    def __init__(self, theme: Theme, parent: QWidget, take_off: Callable[[], None]) -> None:
        super().__init__(theme, parent, tr("May this conversation leave this device?"))
        self._take_off = take_off
        self.say(
            tr(
                "It is labelled “never leaves this device”. Without the label, a model elsewhere can be chosen for it. "
                "Nothing is sent by taking it off, and before anything is, you are shown all of it and asked."
            )
        )
        self.off = push_button(
            tr("Take the label off"), "plain", self._decided, tr("Models elsewhere can be chosen again")
        )
        self.off.setAutoDefault(False)  # Enter by habit must not take it off
        self.keep = push_button(
            tr("Keep it here"), "plain", self.reject, tr("The label stays as it is (Esc)")
        )
        self.keep.setDefault(True)
        row = QHBoxLayout()
        row.addStretch(1)
        row.addWidget(self.off)
        row.addWidget(self.keep)
        self.footer.addLayout(row)
        self.fit(min(theme.scaled(560), parent.width() - 48))
        self.keep.setFocus()

    def _decided(self) -> None:
        self.accept()
        self._take_off()
