"""A pane beside a list: a heading, sentences, facts and buttons. Plain text, whatever it says."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest

from PySide6.QtCore import QSize, Qt
from PySide6.QtWidgets import QFrame, QGridLayout, QScrollArea, QVBoxLayout, QWidget

from desktop.views.theme import Theme
from desktop.views.widgets import Text, describe


class Pane(QScrollArea):
    """Scrolls what stands in `column`."""

    def __init__(self, theme: Theme, name: str) -> None:
        super().__init__()
        self._theme = theme
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        describe(self, name)
        self.body = QWidget()
        self.column = QVBoxLayout(self.body)
        self.column.setContentsMargins(24, 16, 24, 24)
        self.column.setSpacing(8)
        self.setWidget(self.body)

    def sizeHint(self) -> QSize:
        # Qt's own grows with the text, and would make whatever this stands in scroll as well.
        return QSize(240, self._theme.scaled(240))


class FactsTable(QWidget):
    """Label and value side by side."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._shown: tuple[tuple[str, str], ...] = ()
        self._lines: list[tuple[Text, Text]] = []
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setHorizontalSpacing(16)
        self._grid.setVerticalSpacing(8)
        self._grid.setColumnStretch(1, 1)

    @property
    def shown(self) -> tuple[tuple[str, str], ...]:
        return self._shown

    def show_facts(self, facts: Sequence[tuple[str, str]]) -> None:
        if tuple(facts) == self._shown:
            return
        self._shown = tuple(facts)
        while len(self._lines) < len(self._shown):
            self._lines.append(self._line(len(self._lines)))
        for (label, said), fact in zip_longest(self._lines, self._shown):
            for part in (label, said):
                part.setVisible(fact is not None)
            if fact is not None:
                self._write(label, said, *fact)

    def _line(self, row: int) -> tuple[Text, Text]:
        label, said = Text(self._theme, "", "soft", wrap=True), Text(self._theme, "", wrap=True)
        said.setMinimumWidth(40)
        self._grid.addWidget(label, row, 0, Qt.AlignmentFlag.AlignTop)
        self._grid.addWidget(said, row, 1, Qt.AlignmentFlag.AlignTop)
        return label, said

    def _write(self, label: Text, said: Text, name: str, value: str) -> None:
        shown = breakable(value)
        label.setFixedWidth(self._theme.scaled(96))
        label.setText(name)
        said.setText(shown)
        said.setAccessibleName(f"{name}: {value}")
        # What has invisible breaks in it is not to be copied from here.
        flags = Qt.TextInteractionFlag
        said.setTextInteractionFlags(
            flags.TextSelectableByMouse if shown == value else flags.NoTextInteraction
        )


def breakable(value: str) -> str:
    """Long words may break anywhere: a hash or a path is as wide as it is long, and would push the window apart."""
    words = value.split(" ")
    return " ".join(_broken(word) if len(word) > 24 else word for word in words)


def _broken(word: str) -> str:
    """With a zero-width space after every sixteenth letter and every slash."""
    out, since = [], 0
    for letter in word:
        out.append(letter)
        since += 1
        if letter in "/\\-_." or since >= 16:
            out.append("\u200b")
            since = 0
    return "".join(out)
