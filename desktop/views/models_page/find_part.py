"""“Find models”: what to begin with, or what a search on the hub has found, and the page of one of them."""

from __future__ import annotations

from PySide6.QtCore import Qt, QTimer
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QLineEdit, QVBoxLayout, QWidget

from desktop.i18n import tr
from desktop.viewmodels.hub_words import found_words, licence_meaning, offline_words
from desktop.viewmodels.model_words import one_line
from desktop.viewmodels.models_page import ModelsPageViewModel
from desktop.viewmodels.network import NetworkViewModel
from desktop.views.models_page.details import FactsTable, Pane
from desktop.views.models_page.filters import Filters
from desktop.views.models_page.hub_pane import HubPane
from desktop.views.models_page.offline import OfflineNote
from desktop.views.models_page.pair import Pair
from desktop.views.models_page.part import PartOfPage
from desktop.views.models_page.rows import Row, RowList
from desktop.views.row_painter import Line
from desktop.views.theme import Theme
from desktop.views.widgets import Text, describe, push_button
from desktop.words.hub import openness_words, recommendation_words
from desktop.words.sentence import gigabytes
from models.estimate import Verdict
from models.hub_values import Found, Gate
from models.recommend import Purpose, Recommendation, list_date

_SHOW_MS = 100


class FindPart(PartOfPage):
    """Bound to the search, the open page and the downloads."""

    def __init__(
        self,
        theme: Theme,
        page: ModelsPageViewModel,
        network: NetworkViewModel,
    ) -> None:
        super().__init__()
        self._library = page.library
        self._search = page.search
        self._hub_page = page.hub_page
        self._downloads = page.downloads
        self.field = QLineEdit()
        self.field.setClearButtonEnabled(True)
        self.field.setPlaceholderText(tr("Search the model hub"))
        describe(self.field, tr("Search the model hub"), tr("Enter searches."))
        self.go = push_button(
            tr("Search"), "plain", self._start, tr("Ask the hub; the request is written into the ledger")
        )
        self.more = push_button(tr("Filters"), "quiet", self._toggle_filters, tr("Show or hide the filters"))
        self.more.setCheckable(True)
        self.filters = Filters()
        self.filters.hide()
        self.purpose = _purposes()
        self.note = Text(theme, "", "soft", wrap=True)
        self.note.setAlignment(Qt.AlignmentFlag.AlignTop)
        self.list = RowList(theme, tr("Models on the hub"), tr("Enter shows its page."))
        self.pane = HubPane(theme, self._hub_page, self._downloads)
        self.offline = OfflineNote(theme, network)
        self.advice = Advice(theme, self.offline if not self._search.online else None)
        self.pair = Pair(theme, self._list_side())
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.pair)
        self.pair.show_details(self.advice, asked=False)
        self._bind()

    def _list_side(self) -> QWidget:
        side = QWidget()
        top = QHBoxLayout()
        top.setSpacing(8)
        top.addWidget(self.field, 1)
        top.addWidget(self.go)
        under = QHBoxLayout()
        under.setSpacing(8)
        under.addWidget(self.purpose, 1)
        under.addStretch(0)
        under.addWidget(self.more)
        column = QVBoxLayout(side)
        column.setContentsMargins(12, 12, 12, 8)
        column.setSpacing(8)
        column.addLayout(top)
        column.addLayout(under)
        column.addWidget(self.filters)
        column.addWidget(self.note)
        column.addWidget(self.list, 1)
        for part in (self.field, self.go, self.more):
            part.setEnabled(self._search.online)
        return side

    def _bind(self) -> None:
        self._later = QTimer(self, singleShot=True, interval=_SHOW_MS)
        self._later.timeout.connect(self._show)
        for bound in (self._search, self._hub_page, self._downloads, self._library):
            bound.changed.connect(self._show_soon)
        self.field.returnPressed.connect(self._start)
        self.field.textChanged.connect(self._typed)
        self.filters.changed.connect(self._start)
        self.purpose.activated.connect(lambda _: self._search.choose_purpose(str(self.purpose.currentData())))
        self.list.entered.connect(self._entered)
        self.pair.came_back.connect(self.list.setFocus)
        self.pane.said.connect(self.said)
        self.pane.keys_wanted.connect(self.keys_wanted)
        self.pane.versions.use_wanted.connect(self._use)
        self.pane.versions.downloads_wanted.connect(lambda: self.part_wanted.emit("downloads"))

    # ---- coming

    def open(self) -> None:
        self._search.begin()
        self._downloads.begin()
        if not self._library.count:
            self._library.look()  # what is here already is not to be fetched again
        self._show()

    def take_keyboard(self) -> None:
        (self.field if self._search.online else self.list).setFocus(Qt.FocusReason.OtherFocusReason)

    def close_details(self) -> bool:
        if self.pair.hides_list:
            self.pair.leave()
            return True
        return False

    # ---- showing

    def _show_soon(self) -> None:
        if self.isVisible() and not self._later.isActive():
            self._later.start()

    def _show(self) -> None:
        search = self._search
        self.purpose.setVisible(not search.has_searched)
        rows = (
            [_found_row(found) for found in search.found]
            if search.has_searched
            else [_advice_row(one) for one in search.recommended]
        )
        self.list.show_rows([] if search.searching else rows)
        self.note.setText(self._note(len(rows)))
        if self.pair.right.currentWidget() is self.pane:
            self.pane.show_now()

    def _note(self, rows: int) -> str:
        search = self._search
        if search.searching:
            return tr("Asking the hub…")
        if search.has_searched:
            if search.problem is not None:
                return search.problem.text
            if not search.online:
                return offline_words()
            if not rows:
                return tr("The hub has nothing that fits. Try fewer words or filters.")
            return tr("Found on the hub:")
        if search.machine is None:
            return tr("Looking at this computer…")
        return tr(
            "To begin with, best first for this computer. A list of {date}, chosen by hand.", date=list_date()
        )

    # ---- what a person does

    def _start(self) -> None:
        self._search.search(self.filters.query(self.field.text()))

    def _typed(self, text: str) -> None:
        if not text and self._search.has_searched:
            self._start()  # back to what to begin with, unless filters say something else

    def _toggle_filters(self) -> None:
        self.filters.setVisible(self.more.isChecked())

    def _entered(self, key: str, by_key: bool) -> None:
        advised = next((one for one in self._search.recommended if one.model.repo == key), None)
        if self._search.online:
            self._hub_page.show(key)
            self.pair.show_details(self.pane)
            self.pane.show_now()
            if by_key:
                self.pane.take_keyboard()
        elif advised is not None:
            self.advice.show_advice(advised)
            self.pair.show_details(self.advice)

    def _use(self, path: str) -> None:
        self._downloads.use(path)
        self.used.emit()


class Advice(Pane):
    """What is known of a recommended model without asking the hub; before one is chosen, what this part is for."""

    def __init__(self, theme: Theme, offline: OfflineNote | None) -> None:
        super().__init__(theme, tr("About this model"))
        self.name = Text(theme, tr("Find models"), "heading", wrap=True)
        begin = tr(
            "Choose a model on the left to see whether it runs here, before anything is downloaded. "
            "Models are fetched from the model hub, checked, and used from this disk."
        )
        self.words = Text(theme, begin, wrap=True)
        self.facts = FactsTable(theme)
        for part in (self.name, self.words, self.facts):
            self.column.addWidget(part)
        if offline is not None:
            self.column.addSpacing(16)
            self.column.addWidget(offline)
        self.column.addStretch(1)

    def show_advice(self, advised: Recommendation) -> None:
        model = advised.model
        self.name.setText(model.name)
        self.words.setText(" ".join((tr(model.why), recommendation_words(advised))))
        rows = (
            (tr("Publisher"), model.maker),
            (
                tr("Download"),
                tr("{size}, as {kind}", size=gigabytes(model.download), kind=model.quantization),
            ),
            (tr("Licence"), licence_meaning(model.licence)),
            (tr("How open"), openness_words(model.openness)),
            (tr("Address"), model.source),
        )
        self.facts.show_facts([row for row in rows if row[1]])


def _found_row(found: Found) -> Row:
    icon = "cpu" if found.gate is Gate.OPEN else "shield-alert"
    return Row(found.repo, Line(one_line(found.repo), found_words(found), icon=icon))


def _advice_row(advised: Recommendation) -> Row:
    icon = {Verdict.WONT_FIT: "x", Verdict.SLOW: "triangle-alert"}.get(advised.verdict, "check")
    model = advised.model
    soft = advised.verdict is Verdict.WONT_FIT
    words = recommendation_words(advised)
    line = Line(model.name, words if soft else tr(model.why), gigabytes(model.download), icon, soft)
    return Row(model.repo, line, f"{gigabytes(model.download)}, {tr(model.why)} {words}")


def _purposes() -> QComboBox:
    box = QComboBox()
    describe(box, tr("What for"), tr("What you want a model for"))
    for text, purpose in (
        (tr("For conversations"), Purpose.CHAT),
        (tr("Small and quick"), Purpose.SMALL),
        (tr("For code"), Purpose.CODE),
        (tr("Thinks before it answers"), Purpose.REASONING),
        (tr("Sees images"), Purpose.VISION),
        (tr("For translation"), Purpose.TRANSLATION),
        (tr("Finds similar texts (embeddings)"), Purpose.EMBEDDINGS),
    ):
        box.addItem(text, purpose.value)
    box.setMinimumContentsLength(8)
    box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    return box
