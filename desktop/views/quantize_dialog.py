"""The dialog in which a smaller version of a model is made: the types, what each costs, and how far it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from PySide6.QtCore import Qt
from PySide6.QtGui import QCloseEvent
from PySide6.QtWidgets import (
    QButtonGroup,
    QDialog,
    QFrame,
    QHBoxLayout,
    QProgressBar,
    QPushButton,
    QRadioButton,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from desktop.i18n import tr
from desktop.viewmodels.quantize import QuantizeViewModel, Stage, TypeRow
from desktop.views.theme import Theme
from desktop.views.widgets import Text, announce, describe, push_button

_SIZE = (600, 620)


def quantize_dialog(
    theme: Theme, parent: QWidget, model: QuantizeViewModel, path: str, use: Callable[[str], object]
) -> QuantizeDialog:
    """For the model at `path`, or for the one that is being made. `use`: answer with this file from now on."""
    model.begin(path)
    return QuantizeDialog(theme, parent, model, use)


class QuantizeDialog(QDialog):
    """Bound to the view-model. Closing it stops nothing."""

    def __init__(
        self, theme: Theme, parent: QWidget, model: QuantizeViewModel, use: Callable[[str], object]
    ) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        title = tr("Make a smaller version")
        self.setWindowTitle(title)
        self.setAccessibleName(title)
        self._theme = theme
        self._model = model
        self._use = use
        self._shown: list[TypeRow] = []
        self.types = QButtonGroup(self)
        self._make_parts(title)
        self._lay_out()
        theme.dress(self)
        model.watched = True
        model.changed.connect(self._show)
        self._show()
        room = self.screen().availableSize()
        self.resize(
            min(theme.scaled(_SIZE[0]), room.width() - 48), min(theme.scaled(_SIZE[1]), room.height() - 96)
        )

    def _make_parts(self, title: str) -> None:
        theme = self._theme
        self._heading = Text(theme, title, "heading", wrap=True)
        self.summary = Text(theme, wrap=True)
        self.warning = Text(theme, look="problem", wrap=True)
        self.problem = Text(theme, look="problem", wrap=True)
        self.progress = Text(theme, wrap=True)
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.bar.setFixedHeight(4)
        describe(self.bar, tr("How far it is"))
        self.area = QScrollArea()
        self.area.setWidgetResizable(True)
        self.area.setFrameShape(QFrame.Shape.NoFrame)
        self.area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.more = push_button(
            tr("Show all types"), "quiet", self._model.look_further, tr("Rarer types of llama.cpp too")
        )
        self.make = push_button(tr("Make it"), "plain", self._make, tr("Make the smaller version"))
        self.stop = push_button(
            tr("Stop"), "plain", self._model.stop, tr("Give it up; nothing is left of it")
        )
        self.use = push_button(
            tr("Use it"), "plain", self._use_it, tr("Answer with the new model from now on")
        )
        self.leave = push_button(
            tr("Close"), "plain", self.accept, tr("Close this window; nothing is stopped")
        )

    def _lay_out(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(24, 24, 24, 16)
        column.setSpacing(8)
        for part in (self._heading, self.summary, self.warning):
            column.addWidget(part)
        column.addWidget(self.area, 1)
        column.addWidget(self.more, 0, Qt.AlignmentFlag.AlignLeft)
        for below in (self.progress, self.bar, self.problem):
            column.addWidget(below)
        self._rest = QWidget()
        column.addWidget(self._rest, 1)
        row = QHBoxLayout()
        row.addStretch(1)
        for button in (self.stop, self.use, self.make, self.leave):
            row.addWidget(button)
        column.addLayout(row)

    # ---- showing

    def _show(self) -> None:
        model, stage = self._model, self._model.stage
        self.summary.setText(model.end_words if stage is Stage.DONE else model.summary)
        choosing = stage is Stage.CHOOSING
        making = stage is Stage.MAKING
        _say(self.warning, model.warning if choosing else "")
        _say(self.problem, model.problem)
        _say(self.progress, model.progress if making else "")
        self.bar.setVisible(making)
        self.bar.setRange(0, 1000)
        self.bar.setValue(round(1000 * model.fraction))
        self._show_types()
        self.area.setVisible(choosing)
        self._rest.setVisible(not choosing)
        self.more.setVisible(choosing and model.has_more)
        self.make.setVisible(choosing)
        self.make.setText(tr("Make it all the same") if model.warning else tr("Make it"))
        self.stop.setVisible(making)
        self.use.setVisible(stage is Stage.DONE)
        self._move_focus()

    def _move_focus(self) -> None:
        """A button that has gone leaves the keyboard to the one that does the next thing."""
        focused = cast("QWidget | None", self.focusWidget())
        if focused is None or focused.isVisibleTo(self):
            return
        following: tuple[QPushButton, ...] = (self.use, self.stop, self.leave)
        next(button for button in following if button.isVisibleTo(self)).setFocus()
        announce(self, self.problem.text() or self.summary.text())

    def _show_types(self) -> None:
        rows = self._model.rows
        if rows == self._shown:
            return
        self._shown = rows
        chosen = self.chosen or self._model.first_choice
        for button in self.types.buttons():
            self.types.removeButton(button)
        page = QWidget()
        column = QVBoxLayout(page)
        column.setContentsMargins(0, 8, 8, 8)
        column.setSpacing(4)
        for row in rows:
            button = QRadioButton(f"{row.name} · {row.size}")
            button.setProperty("type", row.name)
            describe(button, f"{row.name}, {row.size}", row.words)
            button.setChecked(row.name == chosen)
            self.types.addButton(button)
            words = Text(self._theme, row.words, "soft", wrap=True)
            words.setContentsMargins(self._theme.scaled(32), 0, 0, 8)
            column.addWidget(button)
            column.addWidget(words)
        column.addStretch(1)
        self.area.setWidget(page)
        checked = self.types.checkedButton()
        if checked is not None:
            checked.setFocus()

    @property
    def chosen(self) -> str:
        """The name of the type that is chosen; empty while there is none."""
        checked = self.types.checkedButton()
        return "" if checked is None else str(checked.property("type"))

    # ---- what a person does

    def _make(self) -> None:
        if self.chosen:
            self._model.make(self.chosen)

    def _use_it(self) -> None:
        self._use(self._model.result)
        self.accept()

    def done(self, result: int) -> None:
        self._model.leave()
        super().done(result)

    def closeEvent(self, event: QCloseEvent) -> None:
        self._model.leave()
        super().closeEvent(event)


def _say(label: Text, text: str) -> None:
    label.setText(text)
    label.setVisible(bool(text))
