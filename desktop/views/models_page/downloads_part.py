"""“Downloads”: what is on its way, what went wrong and what to do, and what has come and can be used."""

from __future__ import annotations

from PySide6.QtCore import QPoint, Qt, QTimer
from PySide6.QtWidgets import QProgressBar, QVBoxLayout, QWidget

from desktop.i18n import tr
from desktop.viewmodels.downloads import DownloadsViewModel, Ready, download_name, failure_words, state_words
from desktop.viewmodels.model_words import one_line
from desktop.viewmodels.network import NetworkViewModel
from desktop.views.models_page.actions import Action, ActionButtons, show_menu
from desktop.views.models_page.details import FactsTable, Pane, breakable
from desktop.views.models_page.offline import OfflineNote
from desktop.views.models_page.pair import Pair
from desktop.views.models_page.part import PartOfPage
from desktop.views.models_page.rows import Row, RowList
from desktop.views.row_painter import Line
from desktop.views.theme import Theme
from desktop.views.widgets import Text
from desktop.words.sentence import gigabytes
from models.download_values import State
from providers.gate.hub_messages import Queued

_SHOW_MS = 150


class DownloadsPart(PartOfPage):
    """Bound to the queue."""

    def __init__(
        self,
        theme: Theme,
        downloads: DownloadsViewModel,
        network: NetworkViewModel,
    ) -> None:
        super().__init__()
        self._downloads = downloads
        self.list = RowList(
            theme, tr("Downloads"), tr("Enter shows what can be done with one, Delete cancels.")
        )
        self.note = Text(theme, "", "soft", wrap=True)
        self.note.setAlignment(Qt.AlignmentFlag.AlignTop)
        self.details = DownloadDetails(theme, self)
        self.rest = Pane(theme, tr("About downloads"))
        self.rest.column.addWidget(Text(theme, tr("Downloads"), "heading", wrap=True))
        explained = tr(
            "A model is ready only after its SHA-256 matched the hub's. What is paused, or cut off, goes on where it "
            "stopped, also after a restart."
        )
        self.rest.column.addWidget(Text(theme, explained, wrap=True))
        self.offline = OfflineNote(theme, network)
        if not downloads.online:
            self.rest.column.addSpacing(16)
            self.rest.column.addWidget(self.offline)
        self.rest.column.addStretch(1)
        self.pair = Pair(theme, self._list_side())
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.pair)
        self.pair.show_details(self.rest, asked=not downloads.online)
        self._bind()

    def _list_side(self) -> QWidget:
        side = QWidget()
        column = QVBoxLayout(side)
        column.setContentsMargins(12, 12, 12, 8)
        column.setSpacing(8)
        column.addWidget(self.note)
        column.addWidget(self.list, 1)
        return side

    def _bind(self) -> None:
        self._later = QTimer(self, singleShot=True, interval=_SHOW_MS)
        self._later.timeout.connect(self._show)
        self._downloads.changed.connect(self._show_soon)
        self.list.picked.connect(lambda key: self._show_details(key, asked=False))
        self.list.entered.connect(self._entered)
        self.list.delete_pressed.connect(self._delete)
        self.list.menu_wanted.connect(self._show_menu)
        self.pair.came_back.connect(self.list.setFocus)

    # ---- coming

    def open(self) -> None:
        self._downloads.begin()
        self._show()

    def take_keyboard(self) -> None:
        self.list.setFocus(Qt.FocusReason.OtherFocusReason)

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
        downloads = self._downloads
        rows = [_queued_row(one, downloads.online) for one in downloads.queue]
        rows += [_ready_row(one) for one in downloads.ready]
        self.list.show_rows(rows)
        if downloads.problem is not None:
            self.note.setText(downloads.problem.text)
        elif downloads.elsewhere:
            self.note.setText(tr("Another Alcove is fetching these. They can be changed there."))
        elif not rows:
            self.note.setText(tr("Nothing is being downloaded."))
        self.note.setVisible(downloads.problem is not None or downloads.elsewhere or not rows)
        if self.details.key and not self._show_details(self.details.key, asked=False):
            self.details.forget()
            self.pair.show_details(self.rest, asked=False)
            if downloads.online:
                self.pair.leave_quietly()

    def _show_details(self, key: str, *, asked: bool) -> bool:
        """Whether there is such a download."""
        found = self._found(key)
        if found is None:
            return False
        self.details.show_download(found, self._downloads.online)
        self.pair.show_details(self.details, asked=asked)
        return True

    def _found(self, key: str) -> Queued | Ready | None:
        queued = next((one for one in self._downloads.queue if one.id == key), None)
        return queued or next((one for one in self._downloads.ready if one.key == key), None)

    def _entered(self, key: str, by_key: bool) -> None:
        if self._show_details(key, asked=True) and by_key:
            self.details.buttons.take_keyboard()

    def _delete(self, key: str) -> None:
        found = self._found(key)
        if isinstance(found, Queued) and self._downloads.online:
            self._downloads.cancel(key)
        elif isinstance(found, Ready):
            self._downloads.forget_ready(key)

    def _show_menu(self, key: str, at: QPoint) -> None:
        found = self._found(key)
        if found is None:
            return
        show_menu(self, tr("What to do with this download"), self.actions_for(found), at)

    # ---- what a person does

    def actions_for(self, download: Queued | Ready) -> list[Action]:
        """In the order in which they are shown."""
        downloads = self._downloads
        if isinstance(download, Ready):
            return [
                Action("use", tr("Use it"), tr("Answer with this model from now on"),
                       lambda: self._use(download.path), primary=True),
                Action("forget", tr("Take off this list"), tr("The model stays on this computer."),
                       lambda: downloads.forget_ready(download.key)),
            ]  # fmt: skip
        if not downloads.online or downloads.elsewhere:
            return []
        name = download.id
        made = []
        if download.state == State.FAILED:
            again = tr("Go on from where it stopped")
            made.append(
                Action("resume", tr("Try again"), again, lambda: downloads.resume(name), primary=True)
            )
        elif download.state == State.PAUSED:
            again = tr("Go on from where it stopped")
            made.append(Action("resume", tr("Go on"), again, lambda: downloads.resume(name), primary=True))
        else:
            hold = tr("Stop for now; what has come is kept")
            made.append(Action("pause", tr("Pause"), hold, lambda: downloads.pause(name)))
        place = next((place for place, one in enumerate(downloads.queue) if one.id == name), 0)
        if place > 0:
            sooner = tr("Before the download above it")
            made.append(Action("up", tr("Sooner"), sooner, lambda: downloads.move(name, -1)))
        if place < len(downloads.queue) - 1:
            later = tr("Behind the download below it")
            made.append(Action("down", tr("Later"), later, lambda: downloads.move(name, 1)))
        cancel = tr("Take it off the list and remove what has come of it")
        made.append(Action("cancel", tr("Cancel"), cancel, lambda: downloads.cancel(name)))
        return made

    def _use(self, path: str) -> None:
        self._downloads.use(path)
        self.used.emit()


class DownloadDetails(Pane):
    """One download, with its numbers and buttons."""

    def __init__(self, theme: Theme, part: DownloadsPart) -> None:
        super().__init__(theme, tr("About this download"))
        self._part = part
        self.key = ""
        self.name = Text(theme, "", "heading", wrap=True)
        self.name.setMinimumWidth(80)
        self.state = Text(theme, "", wrap=True)
        self.problem = Text(theme, "", "problem", wrap=True)
        self.progress = QProgressBar()
        self.progress.setRange(0, 1000)
        self.progress.setTextVisible(False)
        self.progress.setFixedHeight(4)
        self.progress.setAccessibleName(tr("Progress"))
        self.buttons = ActionButtons()
        self.facts = FactsTable(theme)
        for shown in (self.name, self.state, self.problem, self.progress, self.buttons):
            self.column.addWidget(shown)
        self.column.addSpacing(8)
        self.column.addWidget(self.facts)
        self.column.addStretch(1)

    def forget(self) -> None:
        self.key = ""

    def show_download(self, download: Queued | Ready, online: bool) -> None:
        ready = isinstance(download, Ready)
        paths = (download.path,) if isinstance(download, Ready) else download.paths
        self.name.setText(breakable(download_name(download.repo, paths)))
        self.progress.setVisible(not ready)
        failed = not isinstance(download, Ready) and download.state == State.FAILED
        self.problem.setVisible(failed)
        self.state.setVisible(not failed)
        if isinstance(download, Ready):
            self.key = download.key
            self.state.setText(tr("Ready: its SHA-256 is the one that the hub announced."))
            rows = [(tr("Repository"), one_line(download.repo)), (tr("Where"), one_line(download.path))]
        else:
            self.key = download.id
            self.state.setText(state_words(download, online=online))
            self.problem.setText(failure_words(download) if failed else "")
            self.progress.setValue(round(1000 * download.done_bytes / max(1, download.total_bytes)))
            files = "\n".join(one_line(path) for path in download.paths[:8])
            size = gigabytes(download.total_bytes)
            rows = [
                (tr("Repository"), one_line(download.repo)),
                (tr("Files"), files),
                (tr("Size"), size),
                (tr("Version"), one_line(download.revision)),
            ]
        self.facts.show_facts(rows)
        self.buttons.show_actions(self.key, self._part.actions_for(download))


def _queued_row(download: Queued, online: bool) -> Row:
    icons = {State.FAILED.value: "triangle-alert", State.PAUSED.value: "pause"}
    percent = tr("{percent} %", percent=100 * download.done_bytes // max(1, download.total_bytes))
    return Row(
        download.id,
        Line(
            download_name(download.repo, download.paths),
            state_words(download, online=online),
            percent,
            icons.get(download.state, "download"),
            download.state == State.PAUSED,
        ),
    )


def _ready_row(ready: Ready) -> Row:
    name = download_name(ready.repo, (ready.path,))
    return Row(ready.key, Line(name, tr("Ready to use"), gigabytes(ready.size), "check"))
