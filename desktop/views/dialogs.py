"""The small dialogs that only explain: what this computer can run, and the list of keys."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QDialog, QGridLayout, QHBoxLayout, QLabel, QScrollArea, QVBoxLayout, QWidget

from desktop.i18n import tr
from desktop.viewmodels.models import ModelsViewModel
from desktop.views.commands import commands, local_keys, readable
from desktop.views.theme import Theme
from desktop.views.widgets import Text, describe, push_button

Rows = Sequence[tuple[str, str]]


class ExplainingDialog(QDialog):
    """A title, sentences, a table below; Esc or Close ends it.

    `column`: what scrolls when the window is too small for it or the text large. `footer`: the buttons below, which are
    always seen.
    """

    def __init__(self, theme: Theme, parent: QWidget, title: str) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(title)
        self.setAccessibleName(title)
        self._theme = theme
        body = QWidget()
        body.setMinimumHeight(1)  # else it is as high as its narrowest form would be
        self.column = QVBoxLayout(body)
        self.column.setContentsMargins(24, 24, 24, 8)
        self.column.setSpacing(8)
        self._scroll = QScrollArea()
        self._scroll.setWidgetResizable(True)
        self._scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._scroll.setWidget(body)
        describe(self._scroll, title, tr("The arrow keys scroll."))
        self.footer = QVBoxLayout()
        self.footer.setContentsMargins(24, 8, 24, 16)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.setSpacing(0)
        whole.addWidget(self._scroll, 1)
        whole.addLayout(self.footer)
        self.column.addWidget(Text(theme, title, "heading", wrap=True))
        theme.dress(self)

    def say(self, text: str) -> None:
        said = selectable(Text(self._theme, text, wrap=True))
        self.column.addWidget(said)

    def show_rows(self, rows: Rows) -> None:
        """Label and value side by side; the values can be selected."""
        grid = QGridLayout()
        grid.setHorizontalSpacing(24)
        grid.setVerticalSpacing(8)
        grid.setColumnStretch(1, 1)
        top = Qt.AlignmentFlag.AlignTop
        for row, (name, value) in enumerate(rows):
            name_label = Text(self._theme, name, "soft", wrap=True)
            name_label.setMinimumWidth(self._theme.scaled(140))
            name_label.setMaximumWidth(self._theme.scaled(220))
            grid.addWidget(name_label, row, 0, top)
            grid.addWidget(selectable(Text(self._theme, value, wrap=True)), row, 1, top)
        self.column.addSpacing(8)
        self.column.addLayout(grid)

    def finish(self) -> None:
        """Add the button that closes it, and take a readable width and the height that the words need."""
        row = QHBoxLayout()
        row.addStretch(1)
        close = push_button(tr("Close"), "plain", self.accept, tr("Close this window"))
        close.setDefault(True)
        row.addWidget(close)
        self.footer.addLayout(row)
        self.fit(self._theme.scaled(560))
        close.setFocus()

    def fit(self, width: int) -> None:
        """Take this width and the height that the words need with it, both as far as the screen has room."""
        room = self.screen().availableSize()
        width = min(width, room.width() - 48)
        self.column.activate()
        needed = _height(self.column, width) + _height(self.footer, width)
        height = min(needed, room.height() - 96)
        # Only what scrolls is a stop for the keyboard.
        self._scroll.setFocusPolicy(Qt.FocusPolicy.StrongFocus if height < needed else Qt.FocusPolicy.NoFocus)
        self.resize(width, height)


def _height(part: QVBoxLayout, width: int) -> int:
    return part.totalHeightForWidth(width) if part.hasHeightForWidth() else part.totalSizeHint().height()


def selectable(shown: QLabel) -> QLabel:
    shown.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    return shown


def computer_dialog(theme: Theme, parent: QWidget, models: ModelsViewModel) -> QDialog:
    """What this computer can run."""
    from desktop.viewmodels.computer import describe_computer

    computer = describe_computer(models.items, models.chip_tooltip, models.graphics_cards)
    dialog = ExplainingDialog(theme, parent, tr("What can this computer run?"))
    dialog.say(computer.summary)
    dialog.show_rows(computer.rows)
    dialog.column.addStretch(1)
    dialog.finish()
    return dialog


def keys_dialog(theme: Theme, parent: QWidget) -> QDialog:
    """Every key there is."""
    dialog = ExplainingDialog(theme, parent, tr("All keys"))
    page = QWidget()
    grid = QGridLayout(page)
    grid.setContentsMargins(0, 0, 8, 0)
    grid.setHorizontalSpacing(24)
    grid.setVerticalSpacing(8)
    grid.setColumnStretch(0, 1)
    rows = [(command.label, command.keys) for command in commands() if command.keys] + list(local_keys())
    for row, (what, keys) in enumerate(rows):
        name = Text(theme, what, wrap=True)
        grid.addWidget(name, row, 0)
        caps = QHBoxLayout()
        caps.setSpacing(4)
        caps.addStretch(1)
        for key in keys:
            caps.addWidget(Text(theme, readable(key), "key"))
        grid.addLayout(caps, row, 1)
        name.setAccessibleDescription(", ".join(map(readable, keys)))
    area = QScrollArea()
    area.setWidgetResizable(True)
    area.setWidget(page)
    describe(area, tr("All keys"), tr("What each key does"))
    dialog.column.addWidget(area, 1)
    dialog.finish()
    dialog.resize(theme.scaled(520), min(theme.scaled(720), parent.height() - 32))
    return dialog
