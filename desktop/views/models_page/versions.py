"""The quantizations of a model on the hub: size, whether each runs on this machine, and the one button “Download”."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QComboBox, QVBoxLayout, QWidget

from desktop.i18n import tr
from desktop.viewmodels.downloads import DownloadsViewModel, state_words
from desktop.viewmodels.hub_page import HubPageViewModel, Version
from desktop.viewmodels.hub_words import quantization_words, verdict_words, version_name
from desktop.viewmodels.model_words import one_line
from desktop.views.models_page.flow import FlowBox
from desktop.views.models_page.rows import Row, RowList
from desktop.views.row_painter import Line
from desktop.views.setting_editors import Switch
from desktop.views.theme import Theme
from desktop.views.widgets import Text, describe, push_button
from desktop.words.sentence import gigabytes
from models.estimate import Verdict
from models.hub_values import HubModel


class Versions(QWidget):
    """Bound to the page and the downloads. `use_wanted` with the path of a model that has come."""

    use_wanted = Signal(str)
    downloads_wanted = Signal()

    def __init__(self, theme: Theme, page: HubPageViewModel, downloads: DownloadsViewModel) -> None:
        super().__init__()
        self._page = page
        self._downloads = downloads
        self._was_picked = False
        self.context = QComboBox()
        self.context.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToContents)
        describe(self.context, tr("Length of the conversation"), tr("A longer one needs more memory."))
        self.machine = Text(theme, "", "soft", wrap=True)
        self.list = RowList(theme, tr("Versions of this model"), tr("Enter goes to the download."))
        self.chosen = Text(theme, "", wrap=True)
        self.sees = Switch(theme)
        self.sees.setChecked(True)
        describe(
            self.sees, tr("With the part that sees images"), tr("Without it, the model reads text only.")
        )
        self.button = push_button(
            tr("Download"), "primary", self._act, tr("Fetch the version that is chosen")
        )
        self._lay_out(theme)
        self.context.activated.connect(lambda _: page.choose_context(int(self.context.currentData())))
        self.list.picked.connect(self._picked)
        self.list.entered.connect(self._entered)
        self.sees.toggled.connect(self.show_now)
        page.opened.connect(self._opened)

    def _lay_out(self, theme: Theme) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 8, 16, 12)
        column.setSpacing(8)
        column.addWidget(FlowBox(Text(theme, tr("For a conversation of"), "soft"), self.context))
        column.addWidget(self.machine)
        column.addWidget(self.list, 1)
        column.addWidget(self.chosen)
        column.addWidget(FlowBox(self.sees, self.button, spacing=16))

    # ---- showing

    def _opened(self) -> None:
        """Another model's page has come: nothing is chosen in it."""
        self._was_picked = False
        self.list.show_rows(())

    def show_now(self) -> None:
        page = self._page
        versions = page.versions
        self._show_contexts()
        self.list.show_rows([self._row(version) for version in versions])
        if not self._was_picked and versions and not page.judging:
            best = next((version for version in versions if version.best), versions[0])
            self.list.pick(best.key)
            self._was_picked = False  # the person has not: another one may be better for another context
        free = page.machine.memory_free if page.machine is not None else 0
        if page.judging:
            self.machine.setText(tr("Reading the file's header, to say whether it fits…"))
        elif free:
            self.machine.setText(tr("This computer has {free} of memory free now.", free=gigabytes(free)))
        else:
            self.machine.setText("")
        if not versions and page.listing is not None:
            self.machine.setText(tr("There is no model here that Alcove could run (no GGUF file)."))
        self._show_chosen(self._current(versions))

    def _show_contexts(self) -> None:
        wanted = (0, *self._page.contexts)
        if wanted != tuple(self.context.itemData(place) for place in range(self.context.count())):
            self.context.clear()
            for tokens in wanted:
                self.context.addItem(_context_words(tokens), tokens)
        self.context.setCurrentIndex(max(0, self.context.findData(self._page.context)))

    def _row(self, version: Version) -> Row:
        words = quantization_words(version.model.quantization)
        name = " · ".join(part for part in (version_name(version.model), words) if part)
        size = gigabytes(version.model.size)
        aside = tr("recommended · {size}", size=size) if version.best else size
        below, icon, soft = _judgement(version)
        if (download := self._downloads.of(*self._files(version.model))) is not None:
            below, icon = state_words(download), "download"
        elif self._downloads.is_here(*self._files(version.model)):
            below, icon = tr("On this computer"), "check"
        return Row(version.key, Line(name, below, aside, icon, soft))

    def _current(self, versions: list[Version]) -> Version | None:
        return next((version for version in versions if version.key == self.list.current), None)

    def _show_chosen(self, version: Version | None) -> None:
        for part in (self.chosen, self.button):
            part.setVisible(version is not None)
        projector = None if version is None else self._page.projector(version.model)
        self.sees.setVisible(projector is not None)
        if version is None:
            return
        sees = "" if projector is None else gigabytes(projector.size)
        self.sees.setText(tr("With the part that sees images ({size})", size=sees))
        self.chosen.setText(_judgement(version)[0])
        text = tr("Download {size}", size=gigabytes(sum(model.size for model in self._wanted(version))))
        description = tr("Fetch this version; it is ready once its SHA-256 is the hub's")
        if self._downloads.of(*self._files(version.model)) is not None:
            text, description = tr("Show the download"), tr("How far it has come")
        elif self._downloads.is_here(*self._files(version.model)):
            text, description = tr("Use this model"), tr("Answer with this model from now on")
        self.button.setText(text)
        describe(self.button, text, description)

    def _wanted(self, version: Version) -> list[HubModel]:
        projector = self._page.projector(version.model) if self.sees.isChecked() else None
        return [version.model, *([projector] if projector is not None else [])]

    def _files(self, model: HubModel) -> tuple[str, tuple[str, ...]]:
        page = self._page.page
        return (page.found.repo if page is not None else "", tuple(file.path for file in model.files))

    # ---- what a person does

    def _picked(self, key: str) -> None:
        self._was_picked = bool(key) and not self.list.began_by_itself
        version = self._current(self._page.versions)
        if version is not None and version.fitting is None and version.problem is None:
            self._page.judge_one(version.model)
        self._show_chosen(version)

    def _entered(self, _: str, by_key: bool) -> None:
        if by_key:
            self.button.setFocus()

    def _act(self) -> None:
        version, page = self._current(self._page.versions), self._page.page
        if version is None or page is None:
            return
        files = self._files(version.model)
        if self._downloads.of(*files) is not None:
            self.downloads_wanted.emit()
        elif path := self._downloads.is_here(*files):
            self.use_wanted.emit(path)
        else:
            self._downloads.add(page, self._wanted(version))


def _judgement(version: Version) -> tuple[str, str, bool]:
    """What is said of a version, its icon, and whether it is of no use here."""
    if version.problem is not None:
        return one_line(version.problem.text), "triangle-alert", False
    if version.fitting is None:
        return tr("Not known yet whether it fits"), "cpu", False
    words = verdict_words(version.fitting)
    match version.fitting.verdict:
        case Verdict.WONT_FIT:
            return words, "x", True
        case Verdict.SLOW:
            return words, "triangle-alert", False
    return words, "check", False


def _context_words(tokens: int) -> str:
    if not tokens:
        return tr("usual length")
    return tr("{tokens} tokens, about {words} words", tokens=f"{tokens:,}", words=f"{tokens * 3 // 4:,}")
