"""The models page: three parts under one row of tabs. Esc or “Back” returns to the conversation."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtWidgets import QHBoxLayout, QStackedWidget, QVBoxLayout, QWidget

from desktop.i18n import tr
from desktop.viewmodels.models import ModelsViewModel
from desktop.viewmodels.models_page import ModelsPageViewModel
from desktop.viewmodels.network import NetworkViewModel
from desktop.viewmodels.notice import Notice
from desktop.views.header import Header
from desktop.views.models_page.library_part import LibraryPart
from desktop.views.models_page.part import PartOfPage
from desktop.views.models_page.tabs import Tabs
from desktop.views.notice_bar import NoticeBar, UndoBar
from desktop.views.theme import Theme
from desktop.views.widgets import Hairline, Text, announce, push_button

LIBRARY, FIND, DOWNLOADS = "library", "find", "downloads"
"""The names of the parts."""
_REMARK_MS = 4000
_SMALLEST = (360, 400)


class ModelsPage(QWidget):
    """`left` when the person goes back to the conversation."""

    left = Signal()
    keys_wanted = Signal()

    def __init__(
        self,
        theme: Theme,
        page: ModelsPageViewModel,
        models: ModelsViewModel,
        network: NetworkViewModel,
    ) -> None:
        super().__init__()
        self._theme = theme
        self._page = page
        self._network = network
        self._parts: dict[str, PartOfPage] = {}
        self.header = Header(theme)
        self.header.bind(None, models, network)
        self.header.show_title(tr("Models"))
        self.back = push_button(
            "‹ " + tr("Back"), "quiet", self.left.emit, tr("Back to the conversation (Esc)")
        )
        self.tabs = Tabs(theme)
        for name, (text, description, _) in self._offers().items():
            self.tabs.add(name, text, description)
        self.stack = QStackedWidget()
        self._notices: NoticeBar | None = None
        self._undo: UndoBar | None = None
        self.remark = Text(theme, "", "soft", wrap=True)
        self.remark.hide()
        self._forget = QTimer(self, singleShot=True, interval=_REMARK_MS)
        self._forget.timeout.connect(self.remark.hide)
        self._lay_out()
        self.setMinimumSize(*_SMALLEST)  # with large text the parts scroll; the window does not grow
        self._bind(models)
        theme.dress(self)

    def _lay_out(self) -> None:
        top = QHBoxLayout()
        top.setContentsMargins(8, 4, 8, 0)
        top.setSpacing(8)
        top.addWidget(self.back, 0, Qt.AlignmentFlag.AlignTop)
        top.addWidget(self.tabs, 1)
        below = self._below = QVBoxLayout()
        below.setContentsMargins(16, 0, 16, 0)
        below.addWidget(self.remark)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.header)
        column.addLayout(top)
        column.addWidget(Hairline(self._theme))
        column.addWidget(self.stack, 1)
        column.addLayout(below)

    def _bind(self, models: ModelsViewModel) -> None:
        library = self._page.library
        self.tabs.changed.connect(self._show)
        models.notice.connect(self._notice)
        library.notice.connect(self._notice)
        downloads = self._page.downloads
        downloads.notice.connect(self._notice)
        downloads.changed.connect(self._count_downloads)
        self._count_downloads()
        library.removed.connect(lambda text: self.undo.offer(text, library.undo_remove))

    # ---- parts

    def _offers(self) -> dict[str, tuple[str, str, Callable[[], PartOfPage]]]:
        """For each part in the order of the tabs: its name, what it shows, and how it is made when first shown."""
        return {
            LIBRARY: (tr("On this computer"), tr("The models that were found here"), self._make_library),
            FIND: (
                tr("Find models"),
                tr("What the model hub has, and what of it runs here"),
                self._make_find,
            ),
            DOWNLOADS: (tr("Downloads"), tr("What is on its way, and what has come"), self._make_downloads),
        }

    def _make_library(self) -> PartOfPage:
        return LibraryPart(self._theme, self._page.library)

    def _make_find(self) -> PartOfPage:
        from desktop.views.models_page.find_part import FindPart

        return FindPart(self._theme, self._page, self._network)

    def _make_downloads(self) -> PartOfPage:
        from desktop.views.models_page.downloads_part import DownloadsPart

        return DownloadsPart(self._theme, self._page.downloads, self._network)

    def part(self, name: str) -> PartOfPage:
        if name not in self._parts:
            made = self._parts[name] = self._offers()[name][2]()
            made.used.connect(self.left)
            made.said.connect(self.say)
            made.part_wanted.connect(self.open)
            made.keys_wanted.connect(self.keys_wanted)
            self.stack.addWidget(made)
        return self._parts[name]

    @property
    def current(self) -> str:
        """The name of the part that is seen."""
        return self.tabs.current

    def open(self, name: str = "") -> None:
        """Show a part ("" for the one that was seen last) and give it the keyboard."""
        name = name if name in self.tabs.buttons else self.current or LIBRARY
        if name == self.current:
            self._show(name)
        else:
            self.tabs.choose(name)
        self.part(name).take_keyboard()

    def _show(self, name: str) -> None:
        part = self.part(name)
        self.stack.setCurrentWidget(part)
        part.open()

    def step_back(self) -> bool:
        """Close what is open inside the page. False when nothing is."""
        for bar in (self._notices, self._undo):
            if bar is not None and bar.isVisible():
                bar.dismiss()
                return True
        return self.part(self.current).close_details()

    def _count_downloads(self) -> None:
        """The tab says how many are on their way, for whoever looks at another part."""
        problem = self._page.downloads.problem
        if problem is not None and problem.detail == "gone" and self.isVisible():
            again = tr("Start Alcove again")
            self.notices.show_notice(Notice(problem.text, action_text=again, action=self._start_again))
        count = len(self._page.downloads.queue)
        self.tabs.buttons[DOWNLOADS].say(tr("Downloads ({count})", count=count) if count else tr("Downloads"))

    def _start_again(self) -> None:
        """The broker has ended, and a locked window can start no other."""
        if why := self._network.turn(self._network.position):
            self.notices.show_notice(Notice(why))

    # ---- words

    @property
    def notices(self) -> NoticeBar:
        """Made when there is first something to say."""
        if self._notices is None:
            self._notices = NoticeBar(self._theme)
            self._below.insertWidget(0, self._notices)
        return self._notices

    @property
    def undo(self) -> UndoBar:
        """Made when there is first something to take back."""
        if self._undo is None:
            self._undo = UndoBar(self._theme)
            self._below.insertWidget(self._below.indexOf(self.remark), self._undo)
        return self._undo

    def _notice(self, notice: Notice) -> None:
        if self.isVisible():
            self.notices.show_notice(notice)

    def say(self, text: str) -> None:
        """Something in passing, for some seconds."""
        self.remark.setText(text)
        self.remark.show()
        self._forget.start()
        announce(self, text)
