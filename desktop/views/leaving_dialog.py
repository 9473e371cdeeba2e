"""Before a conversation leaves this device for the first time: exactly what would be sent, to whom, and the choice."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtGui import QTextOption
from PySide6.QtWidgets import QDialog, QPlainTextEdit, QWidget

from desktop.i18n import tr
from desktop.viewmodels.leaving import LeavingViewModel, Preview
from desktop.views.dialogs import ExplainingDialog
from desktop.views.models_page.flow import FlowBox
from desktop.views.theme import Theme
from desktop.views.widgets import describe, push_button
from desktop.words.leaving import not_sent_words, words_of_turns

_SHARE_OF_WINDOW = 0.85


class LeavingDialog(ExplainingDialog):
    """Closing it in any way but by a button sends nothing, and the question is back in the composer."""

    facts_wanted = Signal()

    def __init__(
        self, theme: Theme, parent: QWidget, leaving: LeavingViewModel, preview: Preview, price: str = ""
    ) -> None:
        """`price`: about what it costs, in a sentence."""
        choice = preview.choice
        super().__init__(theme, parent, tr("Send this to {provider}?", provider=choice.provider_name))
        self._leaving = leaving
        self._decided = False
        self.say(
            tr(
                "This conversation would leave this device, to {model} at {host}. From then on, what you ask here is "
                "sent there without asking again, with all that stands before it.",
                model=choice.name,
                host=choice.host,
            )
        )
        self.say(" ".join(part for part in (preview.summary, price) if part))
        self.words = QPlainTextEdit()
        self.words.setReadOnly(True)
        self.words.setPlainText(words_of_turns(preview.turns))
        self.words.setWordWrapMode(QTextOption.WrapMode.WrapAtWordBoundaryOrAnywhere)
        self.words.setTabChangesFocus(True)
        self.words.setMinimumHeight(theme.scaled(140))
        describe(self.words, tr("What would be sent"), tr("All of it, word for word. The arrow keys scroll."))
        self.column.addWidget(self.words, 1)
        self.say(not_sent_words(choice.host))
        self._add_buttons(choice.provider_name)
        self.finished.connect(self._over)
        width = min(theme.scaled(680), int(parent.width() * _SHARE_OF_WINDOW))
        self.fit(width)
        height = min(theme.scaled(620), int(parent.height() * _SHARE_OF_WINDOW))
        self.resize(self.width(), max(height, min(self.height(), parent.height())))
        self.back.setFocus()

    def _add_buttons(self, provider: str) -> None:
        self.facts = push_button(
            tr("What is known of {provider}…", provider=provider),
            "quiet",
            self._show_facts,
            tr("What it keeps, whether it trains on it, and where"),
        )
        self.send = push_button(
            tr("Send to {provider}", provider=provider), "plain", self._send, tr("It leaves this device")
        )
        self.here = push_button(
            tr("Answer on this device"), "plain", self._here, tr("Nothing is sent; the model here answers")
        )
        self.back = push_button(tr("Don't send"), "plain", self.reject, tr("Back to writing (Esc)"))
        for button in (self.send, self.here, self.facts):
            button.setAutoDefault(False)  # Enter by habit must not send anything
        self.back.setDefault(True)
        self.footer.addWidget(FlowBox(self.send, self.here, self.back, self.facts))

    def _send(self) -> None:
        self._decide()
        self._leaving.agree()

    def _here(self) -> None:
        self._decide()
        self._leaving.answer_here()

    def _show_facts(self) -> None:
        self.reject()
        self.facts_wanted.emit()

    def _decide(self) -> None:
        self._decided = True
        self.done(QDialog.DialogCode.Accepted)

    def _over(self, _: int) -> None:
        if not self._decided:
            self._leaving.decline()
