"""“Ledger”: the sentence that matters, the requests, one of them in full, and checking and exporting them."""

from __future__ import annotations

import sys
from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication, QHideEvent, QResizeEvent, QShowEvent
from PySide6.QtWidgets import (
    QComboBox,
    QFileDialog,
    QFrame,
    QGridLayout,
    QLineEdit,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from desktop.i18n import tr
from desktop.viewmodels.ledger import DAYS, LedgerViewModel, local_time, outcome
from desktop.viewmodels.models import ModelsViewModel
from desktop.viewmodels.network import NetworkViewModel
from desktop.views.dialogs import selectable
from desktop.views.models_page.flow import FlowBox
from desktop.views.models_page.pair import Pair
from desktop.views.models_page.rows import Row, RowList
from desktop.views.page import Page
from desktop.views.row_painter import Line
from desktop.views.theme import Theme
from desktop.views.widgets import Text, announce, describe, push_button
from desktop.words.ledger import purpose_words
from desktop.words.remote import money

_SHARE_OF_HEAD = 0.4
_PURPOSES = ("chat", "models", "download", "search", "update", "title", "tool")


class LedgerPage(Page):
    """Bound to the ledger; reads while it is seen."""

    def __init__(
        self, theme: Theme, ledger: LedgerViewModel, models: ModelsViewModel, network: NetworkViewModel
    ) -> None:
        super().__init__(theme, tr("Ledger: what left this computer"), models, network)
        self._ledger = ledger
        self._told = ""
        self.headline = Text(theme, "", "heading", wrap=True)
        self.totals = Text(theme, "", "soft", wrap=True)
        self.result = Text(theme, "", wrap=True)
        self.problem = Text(theme, "", "problem", wrap=True)
        for words in (self.headline, self.totals, self.result):
            selectable(words)
        self.field = QLineEdit()
        self.field.setClearButtonEnabled(True)
        self.field.setPlaceholderText(tr("Filter by host, model, rule…"))
        describe(self.field, tr("Filter the requests"))
        self.purpose = _choice(
            tr("What for"), [("", tr("For anything")), *((p, purpose_words(p)) for p in _PURPOSES)]
        )
        self.verdict = _choice(
            tr("Outcome"),
            [("", tr("Left or refused")), ("allowed", tr("What left")), ("refused", tr("What was refused"))],
        )
        days = {0: tr("At any time"), 1: tr("Today"), 7: tr("The last 7 days"), 30: tr("The last 30 days")}
        self.days = _choice(tr("When"), [(number, days[number]) for number in DAYS])
        self.verify = push_button(
            tr("Check it"), "plain", ledger.verify, tr("Whether every row is as it was written")
        )
        self.copy_head = push_button(
            tr("Copy the newest row's hash"), "plain", self._copy_head, tr("To be noted somewhere else")
        )
        self.export = push_button(tr("Export…"), "plain", self._export, tr("As CSV, JSON or PDF"))
        self.list = RowList(theme, tr("Requests"), tr("Newest first. Enter shows all of one."))
        self.details = _Details(theme)
        self.pair = Pair(theme, self._left_side(), tr("All requests"), tr("Back to the list of requests"))
        self.pair.show_details(self.details, asked=False)
        self._lay_out()
        self._bind()
        theme.dress(self)

    def _left_side(self) -> QWidget:
        side = QWidget()
        column = QVBoxLayout(side)
        column.setContentsMargins(8, 8, 8, 8)
        column.addWidget(self.list, 1)
        return side

    def _lay_out(self) -> None:
        head = self._above = QWidget()
        head.setMinimumHeight(1)  # else it is as high as its narrowest form would be
        top = QVBoxLayout(head)
        top.setContentsMargins(24, 12, 24, 8)
        top.setSpacing(8)
        top.addWidget(self.headline)
        top.addWidget(self.totals)
        top.addWidget(FlowBox(self.verify, self.copy_head, self.export))
        top.addWidget(self.result)
        top.addWidget(self.problem)
        self.field.setMinimumWidth(self.theme.scaled(200))
        top.addWidget(FlowBox(self.field, self.purpose, self.verdict, self.days))
        self._head = QScrollArea()
        self._head.setWidgetResizable(True)
        self._head.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._head.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._head.setWidget(head)
        self.body.addWidget(self._head)
        self.body.addWidget(self.pair, 1)

    def _fit(self) -> None:
        """What stands above the requests scrolls where it would take more than its share of the page."""
        top = self._above.layout()
        assert top is not None
        needed = top.totalHeightForWidth(self.width())
        self._head.setFixedHeight(min(needed, max(1, int(self.height() * _SHARE_OF_HEAD))))

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit()

    def _bind(self) -> None:
        ledger = self._ledger
        self.field.textChanged.connect(lambda text: ledger.narrow(text=text))
        self.purpose.currentIndexChanged.connect(lambda: ledger.narrow(purpose=self.purpose.currentData()))
        self.verdict.currentIndexChanged.connect(lambda: ledger.narrow(verdict=self.verdict.currentData()))
        self.days.currentIndexChanged.connect(lambda: ledger.narrow(days=self.days.currentData()))
        self.list.picked.connect(lambda key: self._show_row(key, asked=False))
        self.list.entered.connect(lambda key, _: self._show_row(key, asked=True))
        ledger.changed.connect(self._show)
        self._show()

    # ---- what is seen

    def _show(self) -> None:
        ledger = self._ledger
        self.headline.setText(ledger.headline if ledger.is_read else tr("Reading the ledger…"))
        self.totals.setText(ledger.totals if ledger.is_read else "")
        self.verify.setEnabled(not ledger.checking)
        self.export.setEnabled(bool(ledger.fitting))
        told = tr("Checking…") if ledger.checking else "\n".join(ledger.check_told) or ledger.said
        for label, text in ((self.result, told), (self.problem, ledger.problem)):
            if text and text != label.text():
                announce(label, text)
            label.setText(text)
            label.setVisible(bool(text))
        self._fit()
        self.list.show_rows([Row(str(row["id"]), _line(row)) for row in ledger.shown])

    def _show_row(self, key: str, *, asked: bool) -> None:
        row = next((row for row in self._ledger.shown if row["id"] == key), None)
        if row is not None:
            self.details.show_rows(self._ledger.details(row))
            self.pair.show_details(self.details, asked=asked)

    # ---- what a person does

    def _copy_head(self) -> None:
        if self._ledger.head:
            QGuiApplication.clipboard().setText(self._ledger.head)
        else:
            self._ledger.verify()

    def _export(self) -> None:
        options = QFileDialog.Option(0)
        if sys.platform.startswith("linux"):
            options |= (
                QFileDialog.Option.DontUseNativeDialog
            )  # as for opening files: none that looks at a network
        kinds = "CSV (*.csv);;JSON (*.json);;PDF (*.pdf)"
        name, kind = QFileDialog.getSaveFileName(
            self, tr("Export the ledger"), str(Path.home() / "alcove-ledger.csv"), kinds, options=options
        )
        if name:
            self.export_as(Path(name), f".{kind[:4].strip().lower()}")

    def export_as(self, chosen: Path, suffix: str) -> None:
        """To the file that was chosen. Only for that name did the dialog ask whether to write over it."""
        target = chosen if chosen.suffix else chosen.with_suffix(suffix)
        if target != chosen and target.exists():
            self._ledger.say_exists(target)
        else:
            self.export_to(target)

    def export_to(self, target: Path) -> None:
        """Everything that fits the filter, as the file's name says."""
        ledger = self._ledger
        if target.suffix.lower() != ".pdf":
            ledger.export(target)
            return
        from desktop.views.ledger_page.report import write_report

        rows = list(ledger.fitting)
        headline, totals, checked = ledger.headline, ledger.totals, ledger.check_told
        ledger.write(target, len(rows), lambda: write_report(target, headline, totals, checked, rows))

    # ---- as a page

    def open(self, part: str = "") -> None:
        self.list.setFocus()

    def step_back(self) -> bool:
        if self.pair.hides_list:
            self.pair.leave()
            return True
        return False

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._ledger.watch(True)

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self._ledger.watch(False)


class _Details(QScrollArea):
    """All fields of one request."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        describe(self, tr("One request"), tr("The arrow keys scroll."))
        self.show_rows(())
        theme.dress(self)

    def show_rows(self, rows: tuple[tuple[str, str], ...]) -> None:
        inside = QWidget()
        grid = QGridLayout(inside)
        grid.setContentsMargins(24, 16, 24, 24)
        grid.setHorizontalSpacing(16)
        grid.setVerticalSpacing(8)
        grid.setColumnStretch(1, 1)
        top = Qt.AlignmentFlag.AlignTop
        for number, (name, value) in enumerate(rows):
            label = Text(self._theme, name, "soft", wrap=True)
            label.setMinimumWidth(self._theme.scaled(110))
            grid.addWidget(label, number, 0, top)
            said = Text(self._theme, value, wrap=True)
            said.setMinimumWidth(1)  # a long hash is cut rather than pushing all else out of sight
            said.setToolTip(value)
            grid.addWidget(selectable(said), number, 1, top)
        if not rows:
            grid.addWidget(
                Text(self._theme, tr("Choose a request to see all of it."), "soft", wrap=True), 0, 0, top
            )
        grid.setRowStretch(len(rows) + 1, 1)
        self.setWidget(inside)


def _choice(name: str, choices: list[tuple[object, str]]) -> QComboBox:
    box = QComboBox()
    for value, words in choices:
        box.addItem(words, value)
    describe(box, name)
    return box


def _line(row: dict[str, object]) -> Line:
    refused = row["verdict"] != "allowed"
    what = str(row.get("model") or purpose_words(str(row["purpose"])))
    cost = money(str(row["cost"]), str(row.get("currency", ""))) if row.get("cost") else ""
    below = " · ".join((local_time(str(row["time"])), outcome(row)))
    icon = "shield-check" if refused else "arrow-up-right"
    return Line(f"{row['host'] or '—'} · {what}", below, cost, icon=icon, soft=refused)
