"""All that is known of one model on this computer, and what can be done with it."""

from __future__ import annotations

from PySide6.QtWidgets import QProgressBar

from desktop.i18n import tr
from desktop.viewmodels.library import LibraryViewModel, ModelRow
from desktop.viewmodels.model_words import facts, name_of, problem_words
from desktop.views.models_page.actions import ActionButtons
from desktop.views.models_page.details import FactsTable, Pane
from desktop.views.models_page.entry_actions import Hands, actions_for
from desktop.views.theme import Theme
from desktop.views.widgets import Text


class EntryDetails(Pane):
    """Shows one row; stays right while it is checked or chosen."""

    def __init__(self, theme: Theme, library: LibraryViewModel, hands: Hands) -> None:
        super().__init__(theme, tr("About this model"))
        self._library = library
        self._hands = hands
        self._row: ModelRow | None = None
        self.name = Text(theme, "", "heading", wrap=True)
        self.in_use = Text(theme, tr("This model answers now."), "soft", wrap=True)
        self.problem = Text(theme, "", "problem", wrap=True)
        self.buttons = ActionButtons()
        self.progress = QProgressBar()
        self.progress.setRange(0, 1000)
        self.progress.setTextVisible(False)
        self.progress.setFixedHeight(4)
        self.progress.setAccessibleName(tr("Checking the file"))
        self.checking = Text(theme, "", "soft")
        self.table = FactsTable(theme)
        for part in (self.name, self.in_use, self.problem, self.buttons, self.progress, self.checking):
            self.column.addWidget(part)
        self.column.addSpacing(8)
        self.column.addWidget(self.table)
        self.column.addStretch(1)
        theme.changed.connect(self._restyle)

    @property
    def path(self) -> str:
        return "" if self._row is None else self._row.path

    def show_row(self, row: ModelRow) -> None:
        other = row.path != self.path
        self._row = row
        self.name.setText(name_of(row.entry))
        self.in_use.setVisible(row.path == self._library.in_use)
        problem = problem_words(row.entry)
        self.problem.setText(problem)
        self.problem.setVisible(bool(problem))
        self.buttons.show_actions(row.path, actions_for(row, self._library, self._hands))
        fraction = self._library.checking(row.path)
        self.progress.setVisible(fraction is not None)
        self.checking.setVisible(fraction is not None)
        if fraction is not None:
            self.progress.setValue(round(fraction * 1000))
            self.checking.setText(tr("Checking the file · {percent} %", percent=int(fraction * 100)))
        self.table.show_facts(facts(row.entry, row.ours))
        if other:
            self.verticalScrollBar().setValue(0)

    def _restyle(self) -> None:
        row, self._row = self._row, None
        self.table.show_facts(())
        if row is not None:
            self.show_row(row)
