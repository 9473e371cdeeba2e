"""How one conversation is answered: as JSON or freely, and with which LoRA adapters."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QCheckBox,
    QFileDialog,
    QGridLayout,
    QHBoxLayout,
    QPlainTextEdit,
    QScrollArea,
    QSlider,
    QVBoxLayout,
    QWidget,
)

from desktop.i18n import tr
from desktop.viewmodels.answering import STRONGEST, AnsweringViewModel, OfferedAdapter
from desktop.views.dialogs import ExplainingDialog
from desktop.views.theme import Theme
from desktop.views.widgets import Text, describe, push_button

_MOST_LIST_PX = 220
_STEPS = 20  # of a slider, from no strength to the strongest


class AnsweringDialog(ExplainingDialog):
    """What is chosen holds from the next question on."""

    def __init__(self, theme: Theme, parent: QWidget, answering: AnsweringViewModel) -> None:
        super().__init__(theme, parent, tr("Answers in this conversation"))
        self._answering = answering
        self._rows: dict[str, _AdapterRow] = {}
        self.elsewhere = Text(theme, "", "soft", wrap=True)
        self.column.addWidget(self.elsewhere)
        self._add_form()
        self.column.addSpacing(16)
        self._add_adapters()
        self.column.addStretch(1)
        answering.changed.connect(self._show)
        self._show()
        self.finish()
        self.json.setFocus()  # a space switches it, Esc closes

    # ---- JSON

    def _add_form(self) -> None:
        self.json = QCheckBox(tr("Answer as JSON"))
        describe(
            self.json, tr("Answer as JSON"), tr("Nothing but JSON comes out, for other programs to read.")
        )
        self.json.setChecked(self._answering.as_json)
        self.json.toggled.connect(self._answering.answer_as_json)
        self.schema = QPlainTextEdit(self._answering.schema)
        self.schema.setPlaceholderText(tr("A JSON schema, if the answer must have a certain shape"))
        self.schema.setProperty("look", "field")
        self.schema.setTabChangesFocus(True)
        self.schema.setFixedHeight(self._theme.scaled(128))
        describe(self.schema, tr("JSON schema"), self.schema.placeholderText())
        self.schema.textChanged.connect(lambda: self._answering.set_schema(self.schema.toPlainText()))
        self.problem = Text(self._theme, "", "problem", wrap=True)
        self.column.addWidget(self.json)
        self.column.addWidget(
            Text(
                self._theme, tr("Nothing but JSON comes out, for other programs to read."), "soft", wrap=True
            )
        )
        self.column.addWidget(self.schema)
        self.column.addWidget(self.problem)

    # ---- adapters

    def _add_adapters(self) -> None:
        self.column.addWidget(Text(self._theme, tr("Adapters (LoRA)"), "title"))
        self.column.addWidget(
            Text(
                self._theme,
                tr("Small files that change how a model answers. 1 is the strength they were made for."),
                "soft",
                wrap=True,
            )
        )
        rows = QWidget()
        self._list = QVBoxLayout(rows)
        self._list.setContentsMargins(0, 0, 8, 0)
        self._list.setSpacing(4)
        self._area = QScrollArea()
        self._area.setWidgetResizable(True)
        self._area.setWidget(rows)
        describe(self._area, tr("Adapters (LoRA)"))
        self.column.addWidget(self._area)
        self._none = Text(self._theme, "", "soft", wrap=True)
        self.column.addWidget(self._none)
        row = QHBoxLayout()
        row.addWidget(
            push_button(
                tr("Open an adapter file…"),
                "plain",
                self._open_file,
                tr("Use a GGUF file from this computer, where it is"),
            )
        )
        row.addStretch(1)
        self.column.addLayout(row)

    def _open_file(self) -> None:
        path, _ = QFileDialog.getOpenFileName(
            self,
            tr("Open an adapter file"),
            "",
            tr("Adapters") + " (*.gguf)",
            options=QFileDialog.Option.ReadOnly,
        )
        if path:
            self._answering.set_adapter(path, 1.0)

    def _show(self) -> None:
        answering = self._answering
        self.elsewhere.setText(answering.not_elsewhere)
        self.elsewhere.setVisible(bool(answering.not_elsewhere))
        self.schema.setVisible(answering.as_json)
        problem = answering.schema_problem
        self.problem.setText(problem)
        self.problem.setVisible(bool(problem))
        offered = answering.adapters
        for adapter in offered:
            if adapter.path not in self._rows:
                self._rows[adapter.path] = made = _AdapterRow(self._theme, adapter, answering)
                self._list.addWidget(made)
            self._rows[adapter.path].show_state(adapter)
        self._none.setText(
            tr("Looking for adapters on this computer…")
            if answering.looking
            else tr("None was found for this model on this computer.")
        )
        self._none.setVisible(not self._rows)
        self._area.setVisible(bool(self._rows))
        self._fit()

    def _fit(self) -> None:
        """As high as what is shown needs."""
        needed = sum(row.sizeHint().height() + self._list.spacing() for row in self._rows.values()) + 4
        self._area.setFixedHeight(min(needed, self._theme.scaled(_MOST_LIST_PX)))
        self.fit(self.width())


class _AdapterRow(QWidget):
    """A switch with the adapter's name, and how strong it is."""

    def __init__(self, theme: Theme, adapter: OfferedAdapter, answering: AnsweringViewModel) -> None:
        super().__init__()
        self._answering = answering
        self._path = adapter.path
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 4, 0, 4)
        grid.setHorizontalSpacing(12)
        grid.setVerticalSpacing(0)
        grid.setColumnStretch(0, 1)
        name = " ".join(adapter.name.split())
        self.used = QCheckBox(name.replace("&", "&&"))
        describe(self.used, name, adapter.detail)
        self.used.toggled.connect(self._use)
        self.strength = QSlider(Qt.Orientation.Horizontal)
        self.strength.setRange(0, _STEPS)
        self.strength.setValue(self._step(adapter.strength))
        self.strength.setPageStep(5)
        self.strength.setFixedWidth(theme.scaled(144))
        describe(self.strength, tr("Strength of {adapter}", adapter=name))
        self.number = Text(theme, "", "soft")
        self.number.setFixedWidth(theme.scaled(32))
        self.strength.valueChanged.connect(self._strengthen)
        grid.addWidget(self.used, 0, 0)
        grid.addWidget(self.strength, 0, 1)
        grid.addWidget(self.number, 0, 2)
        if adapter.detail:
            grid.addWidget(Text(theme, adapter.detail, "soft", wrap=True), 1, 0, 1, 3)

    def show_state(self, adapter: OfferedAdapter) -> None:
        self.used.setChecked(adapter.strength is not None)
        self.strength.setEnabled(adapter.strength is not None)
        self.number.setText(f"{self._chosen():.1f}" if adapter.strength is not None else "")

    def _use(self, used: bool) -> None:
        self._answering.set_adapter(self._path, self._chosen() if used else None)

    def _strengthen(self, _: int) -> None:
        if self.used.isChecked():
            self._answering.set_adapter(self._path, self._chosen())

    def _chosen(self) -> float:
        return round(self.strength.value() * STRONGEST / _STEPS, 2)

    @staticmethod
    def _step(strength: float | None) -> int:
        return round((1.0 if strength is None else strength) * _STEPS / STRONGEST)
