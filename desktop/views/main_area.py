"""What is seen beside the sidebar: the conversation, or one of the pages in front of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from PySide6.QtCore import SignalInstance
from PySide6.QtWidgets import QStackedLayout, QWidget

if TYPE_CHECKING:
    from desktop.views.models_page.page import ModelsPage

MODELS, REMOTE, LEDGER, COSTS = "models", "remote", "ledger", "costs"
"""The names of the pages."""


class InFront(Protocol):
    """A page: a widget that can be opened and left."""

    @property
    def left(self) -> SignalInstance: ...

    @property
    def current(self) -> str: ...

    def open(self, part: str = "") -> None: ...

    def step_back(self) -> bool: ...


class MainArea(QWidget):
    """A page is made when it is first asked for."""

    def __init__(self, conversation: QWidget, make: Callable[[str], QWidget | None]) -> None:
        """`make`: the page of a name, an `InFront`; None for a name that there is no page of."""
        super().__init__()
        self._conversation = conversation
        self._make = make
        self._pages: dict[str, QWidget] = {}
        self._keyboard: QWidget | None = None  # where it was in the conversation
        self._stack = QStackedLayout(self)
        self._stack.addWidget(conversation)

    def page(self, name: str) -> QWidget | None:
        """The page of this name, while it is in front."""
        found = self._pages.get(name)
        return found if found is not None and self._stack.currentWidget() is found else None

    @property
    def front(self) -> QWidget | None:
        """The page that is in front; None for the conversation."""
        current = self._stack.currentWidget()
        return None if current is self._conversation else current

    @property
    def place(self) -> tuple[str, str]:
        """The page that is in front and its part, as `show_page` takes them; empty for the conversation."""
        for name, page in self._pages.items():
            if page is self.front:
                return name, _as_page(page).current
        return "", ""

    @property
    def models(self) -> ModelsPage | None:
        """The models page, while it is in front."""
        from desktop.views.models_page.page import ModelsPage

        page = self.page(MODELS) if MODELS in self._pages else None
        return page if isinstance(page, ModelsPage) else None

    def show_page(self, name: str, part: str = "") -> None:
        """Bring a page to the front, with one of its parts ("" for where it was)."""
        page = self._pages.get(name)
        if page is None:
            page = self._make(name)
            if page is None:
                return
            self._pages[name] = page
            _as_page(page).left.connect(self.leave)
            self._stack.addWidget(page)
        if self.front is None:
            self._keyboard = self.window().focusWidget()
        self._stack.setCurrentWidget(page)
        _as_page(page).open(part)

    def show_models(self, part: str) -> None:
        """Bring the models page to the front."""
        self.show_page(MODELS, part)

    def leave(self) -> None:
        """Back to the conversation, and to where the keyboard was."""
        if self.front is not None:
            self._stack.setCurrentWidget(self._conversation)
            if self._keyboard is not None and self._conversation.isAncestorOf(self._keyboard):
                self._keyboard.setFocus()

    def step_back(self) -> bool:
        """What Esc does on a page: out of the details, then off the page. False in a conversation."""
        page = self.front
        if page is None:
            return False
        if not _as_page(page).step_back():
            self.leave()
        return True


def _as_page(page: QWidget) -> InFront:
    """Qt's stubs don't let one type say that something is a widget and has these."""
    from typing import cast

    return cast(InFront, page)
