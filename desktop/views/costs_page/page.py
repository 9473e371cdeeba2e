"""“Costs”: what was spent, what may be, and what answering here costs."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QFrame, QGridLayout, QLineEdit, QScrollArea, QVBoxLayout, QWidget

from desktop.i18n import tr
from desktop.viewmodels.costs import CostsViewModel
from desktop.viewmodels.models import ModelsViewModel
from desktop.viewmodels.network import NetworkViewModel
from desktop.views.costs_page.plot import DayPlot
from desktop.views.dialogs import selectable
from desktop.views.page import Page
from desktop.views.theme import Theme
from desktop.views.widgets import Text, announce, describe
from providers.costs.budgets import ALL


class CostsPage(Page):
    """Bound to the costs; reads what is new when it comes to the front."""

    def __init__(
        self, theme: Theme, costs: CostsViewModel, models: ModelsViewModel, network: NetworkViewModel
    ) -> None:
        super().__init__(theme, tr("Costs"), models, network)
        self._costs = costs
        self._tables: dict[str, QGridLayout] = {}
        self.limits: dict[tuple[str, str], QLineEdit] = {}
        inside = QWidget()
        self._column = QVBoxLayout(inside)
        self._column.setContentsMargins(24, 16, 24, 24)
        self._column.setSpacing(8)
        self.headline = self._say("", "heading")
        self.problem = self._say("", "problem")
        self.plot = DayPlot(theme)
        self._column.addWidget(self.plot)
        for by, title in (
            ("provider", tr("This month, by provider")),
            ("model", tr("This month, by model")),
            ("conversation", tr("This month, by conversation")),
        ):
            self._heading(title)
            self._tables[by] = QGridLayout()
            self._tables[by].setHorizontalSpacing(24)
            self._tables[by].setColumnMinimumWidth(1, theme.scaled(110))
            self._tables[by].setColumnStretch(2, 1)
            self._column.addLayout(self._tables[by])
        self._add_budgets()
        self._heading(tr("Prices"))
        self.prices = self._say("", "soft")
        self._heading(tr("Answering on this device"))
        self.here = self._say("", "")
        self._column.addStretch(1)
        area = QScrollArea()
        area.setWidgetResizable(True)
        area.setFrameShape(QFrame.Shape.NoFrame)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        area.setWidget(inside)
        describe(area, tr("Costs"), tr("The arrow keys scroll."))
        self.area = area
        self.body.addWidget(area, 1)
        costs.changed.connect(self._show)
        theme.dress(self)
        self._show()

    def _heading(self, text: str) -> None:
        self._column.addSpacing(12)
        self._column.addWidget(Text(self.theme, text, "title", wrap=True))

    def _say(self, text: str, look: str) -> Text:
        said = Text(self.theme, text, look, wrap=True) if look else Text(self.theme, text, wrap=True)
        selectable(said)
        self._column.addWidget(said)
        return said

    def _add_budgets(self) -> None:
        self._heading(tr("Budgets, in US dollars"))
        self.budget_words = self._say("", "")
        grid = QGridLayout()
        grid.setHorizontalSpacing(16)
        grid.setVerticalSpacing(6)
        grid.setColumnStretch(3, 1)
        for column, text in ((1, tr("A day")), (2, tr("A month"))):
            grid.addWidget(Text(self.theme, text, "soft"), 0, column)
        for row, (provider, name) in enumerate(self._costs.budget_names.items(), start=1):
            grid.addWidget(Text(self.theme, name), row, 0)
            for column, period in ((1, "day"), (2, "month")):
                field = QLineEdit()
                field.setMaximumWidth(self.theme.scaled(110))
                field.setPlaceholderText(tr("no limit"))
                what = tr("{name}, a day", name=name) if period == "day" else tr("{name}, a month", name=name)
                describe(field, what, tr("US dollars; empty for no limit"))
                field.editingFinished.connect(
                    lambda p=provider, q=period, f=field: (
                        self._costs.set_limit(p, q, f.text()) if f.text() != self._costs.limit(p, q) else None
                    )
                )
                grid.addWidget(field, row, column)
                self.limits[provider, period] = field
        self._column.addLayout(grid)

    def _show(self) -> None:
        costs = self._costs
        self.headline.setText(costs.headline if costs.is_read else tr("Reading the ledger…"))
        if costs.problem and costs.problem != self.problem.text():
            announce(self.problem, costs.problem)
        self.problem.setText(costs.problem)
        self.problem.setVisible(bool(costs.problem))
        a_day = costs.budgets.limits.get(ALL)
        self.plot.show_days(
            costs.days, float(a_day.day) if a_day is not None and a_day.day is not None else None
        )
        for by, grid in self._tables.items():
            self._fill(grid, costs.table(by))
        self.budget_words.setText(costs.budget_words)
        for (provider, period), field in self.limits.items():
            if not field.hasFocus():
                field.setText(costs.limit(provider, period))
        self.prices.setText(costs.prices_words)
        self.here.setText("\n".join(costs.here_words))

    def _fill(self, grid: QGridLayout, rows: list[tuple[str, str, str]]) -> None:
        while (item := grid.takeAt(0)) is not None:
            if (widget := item.widget()) is not None:
                widget.deleteLater()
        for number, row in enumerate(rows[:30] or [(tr("Nothing yet."), "", "")]):
            for column, text in enumerate(row):
                grid.addWidget(
                    selectable(Text(self.theme, text, "soft" if column == 2 else "body", wrap=True)),
                    number,
                    column,
                )

    def open(self, part: str = "") -> None:
        self.area.setFocus()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._costs.refresh()
