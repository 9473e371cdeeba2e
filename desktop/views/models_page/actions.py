"""What can be done with something, as buttons in its details and as lines of its menu."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from PySide6.QtCore import QPoint, Qt
from PySide6.QtWidgets import QMenu, QPushButton, QWidget

from desktop.views.commands import readable
from desktop.views.models_page.flow import FlowBox
from desktop.views.widgets import push_button


@dataclass(frozen=True, slots=True)
class Action:
    """A button and a line of a menu. `keys` is shown in the menu."""

    name: str  # for those who look for it; never shown
    text: str
    description: str
    run: Callable[[], object]
    primary: bool = False
    keys: str = ""


class ActionButtons(FlowBox):
    """Makes its buttons anew only when there is something else to do: the keyboard stays where it is."""

    def __init__(self) -> None:
        super().__init__()
        self._shown: tuple[str, list[str]] = ("", [])

    def show_actions(self, of: str, actions: Sequence[Action]) -> None:
        """`of`: what they are about; another thing has other buttons, even with the same words."""
        names = [action.name for action in actions]
        if (of, names) == self._shown:
            return
        had_focus = any(button.hasFocus() for button in self.findChildren(QPushButton))
        self._shown = (of, names)
        made: list[QWidget] = []
        for action in actions:
            look = "primary" if action.primary else "plain"
            button = push_button(action.text, look, action.run, action.description)
            button.setObjectName(action.name)
            made.append(button)
        self.show_only(made)
        if had_focus:
            self.take_keyboard()

    def button(self, name: str) -> QPushButton | None:
        """The button of an action, by the action's name."""
        found = self.findChildren(QPushButton, name)
        return next((button for button in found if not button.isHidden()), None)

    def take_keyboard(self) -> None:
        """To the first of them."""
        for name in self._shown[1]:
            if (button := self.button(name)) is not None:
                button.setFocus()
                return


def show_menu(parent: QWidget, name: str, actions: Sequence[Action], at: QPoint) -> None:
    """The same as a menu. `name`: what a screen reader says first."""
    menu = QMenu(parent)
    menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    menu.setAccessibleName(name)
    for action in actions:
        keys = "\t" + readable(action.keys) if action.keys else ""
        menu.addAction(action.text.replace("&", "&&") + keys, action.run)
    menu.popup(at)
