"""Where Alcove looks for models: the usual places in words, and the person's own folders, to add and to take away."""

from __future__ import annotations

import sys
from pathlib import Path

from PySide6.QtWidgets import QFileDialog, QVBoxLayout, QWidget

from desktop.i18n import tr
from desktop.viewmodels.library import LibraryViewModel
from desktop.viewmodels.model_words import shown_path
from desktop.views.models_page.details import Pane, breakable
from desktop.views.models_page.flow import FlowBox
from desktop.views.theme import Theme
from desktop.views.widgets import Text, push_button


class Places(Pane):
    """Bound to the folders of the library."""

    def __init__(self, theme: Theme, library: LibraryViewModel) -> None:
        super().__init__(theme, tr("Where Alcove looks for models"))
        self._library = library
        self._shown: tuple[tuple[str, str], ...] | None = None
        self.add = push_button(
            tr("Add a folder…"), "plain", self._add, tr("Look for models in another folder, too")
        )
        self.add.setEnabled(not library.folders_managed)
        self.column.addWidget(Text(theme, tr("Where Alcove looks for models"), "heading", wrap=True))
        usual = tr(
            "In its own folder, and where Hugging Face's programs, LM Studio and Ollama keep theirs. Models are used "
            "where they lie: nothing is copied, and what Alcove did not download it never removes."
        )
        self.column.addWidget(Text(theme, usual, wrap=True))
        self.managed = Text(theme, tr("Managed by your organisation"), "soft")
        self.managed.setVisible(library.folders_managed)
        self.column.addWidget(self.managed)
        self._list = QVBoxLayout()
        self._list.setSpacing(8)
        self.column.addSpacing(8)
        self.column.addLayout(self._list)
        self.column.addWidget(FlowBox(self.add))
        self.column.addStretch(1)
        self.show_folders()

    def show_folders(self) -> None:
        closed = {item.path: item.reason for item in self._library.unreadable}
        shown = tuple((folder, closed.get(folder, "")) for folder in self._library.folders)
        if shown == self._shown:
            return
        self._shown = shown
        while (item := self._list.takeAt(0)) is not None:
            if (widget := item.widget()) is not None:
                widget.hide()
                widget.deleteLater()
        for folder, reason in shown:
            self._list.addWidget(self._line(folder, reason))

    def _line(self, folder: str, reason: str) -> QWidget:
        line = QWidget()
        column = QVBoxLayout(line)
        column.setContentsMargins(0, 0, 0, 8)
        column.setSpacing(4)
        column.addWidget(Text(self._theme, breakable(shown_path(folder)), "title", wrap=True))
        if reason:
            gone = reason == "ENOENT"
            words = tr("This folder is not there now.") if gone else tr("This folder can't be read.")
            column.addWidget(Text(self._theme, words, "problem", wrap=True))
        look_no_more = push_button(
            tr("Don't look here"),
            "plain",
            lambda: self._library.remove_folder(folder),
            tr("Look into {folder} no more. The files stay.", folder=shown_path(folder)),
        )
        look_no_more.setEnabled(not self._library.folders_managed)
        column.addWidget(FlowBox(look_no_more))
        return line

    def _add(self) -> None:
        self._library.add_folder(ask_for_folder(self))


def ask_for_folder(parent: QWidget) -> str:
    """The folder that the person picked; empty when they did not."""
    options = QFileDialog.Option.ReadOnly | QFileDialog.Option.ShowDirsOnly
    if sys.platform.startswith("linux"):
        # The desktops' own dialogs come with plugins that look around on the network; ours stays on this computer.
        options |= QFileDialog.Option.DontUseNativeDialog
    return QFileDialog.getExistingDirectory(
        parent, tr("Look for models in a folder"), str(Path.home()), options=options
    )
