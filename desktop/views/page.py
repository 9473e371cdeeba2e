"""A page in front of the conversation: the header, a way back, and a body. Esc or “Back” returns."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from desktop.i18n import tr
from desktop.viewmodels.models import ModelsViewModel
from desktop.viewmodels.network import NetworkViewModel
from desktop.views.header import Header
from desktop.views.theme import Theme
from desktop.views.widgets import Hairline, push_button

_SMALLEST = (360, 400)


class Page(QWidget):
    """What `MainArea` shows by name. A page puts what it is about into `body`, and beside “Back” what belongs in `top`.

    `left`: back to the conversation. `page_wanted`: another page, by its name and part.
    """

    left = Signal()
    page_wanted = Signal(str, str)

    def __init__(self, theme: Theme, title: str, models: ModelsViewModel, network: NetworkViewModel) -> None:
        super().__init__()
        self.theme = theme
        self.header = Header(theme)
        self.header.bind(None, models, network)
        self.header.show_title(title)
        back_words = tr("Back to the conversation (Esc)")
        self.back = push_button("‹ " + tr("Back"), "quiet", self.left.emit, back_words)
        self.top = QHBoxLayout()
        self.top.setContentsMargins(8, 4, 8, 0)
        self.top.setSpacing(8)
        self.top.addWidget(self.back, 0, Qt.AlignmentFlag.AlignTop)
        self.top.addStretch(1)
        self.body = QVBoxLayout()
        self.body.setContentsMargins(0, 0, 0, 0)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.header)
        column.addLayout(self.top)
        column.addWidget(Hairline(theme))
        column.addLayout(self.body, 1)
        self.setMinimumSize(*_SMALLEST)  # with large text the body scrolls; the window does not grow

    def open(self, part: str = "") -> None:
        """It is in front from now on, with one of its parts ("" for where it was), and has the keyboard."""
        self.back.setFocus()

    @property
    def current(self) -> str:
        """The part that is seen, as `open` takes it."""
        return ""

    def step_back(self) -> bool:
        """What Esc does: out of details. False when there is nothing to step out of."""
        return False
