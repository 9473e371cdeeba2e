"""What is seen beside the sidebar: the conversation, or the models page in front of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from PySide6.QtWidgets import QStackedLayout, QWidget

if TYPE_CHECKING:
    from desktop.views.models_page.page import ModelsPage


class MainArea(QWidget):
    """The models page is made when it is first asked for."""

    def __init__(self, conversation: QWidget, make: Callable[[], ModelsPage] | None) -> None:
        """`make` None: there is no models page."""
        super().__init__()
        self._conversation = conversation
        self._make = make
        self._models: ModelsPage | None = None
        self._keyboard: QWidget | None = None  # where it was in the conversation
        self._stack = QStackedLayout(self)
        self._stack.addWidget(conversation)

    @property
    def models(self) -> ModelsPage | None:
        """The models page, while it is in front."""
        front = self._models is not None and self._stack.currentWidget() is self._models
        return self._models if front else None

    def show_models(self, part: str) -> None:
        """Bring the models page to the front, with one of its parts ("" for where it was)."""
        if self._models is None:
            if self._make is None:
                return
            self._models = self._make()
            self._models.left.connect(self.leave)
            self._stack.addWidget(self._models)
        if self._stack.currentWidget() is not self._models:
            self._keyboard = self.window().focusWidget()
            self._stack.setCurrentWidget(self._models)
        self._models.open(part)

    def leave(self) -> None:
        """Back to the conversation, and to where the keyboard was."""
        if self.models is not None:
            self._stack.setCurrentWidget(self._conversation)
            if self._keyboard is not None and self._conversation.isAncestorOf(self._keyboard):
                self._keyboard.setFocus()

    def step_back(self) -> bool:
        """What Esc does on the models page: out of the details, then off the page. False in a conversation."""
        page = self.models
        if page is None:
            return False
        if not page.step_back():
            self.leave()
        return True
