"""The panel behind the chip that says where answers come from: choose a model, or open a file from disk."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from PySide6.QtCore import QAbstractListModel, QModelIndex, QPersistentModelIndex, QPoint, QRect, Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QFileDialog, QHBoxLayout, QMenu, QProgressBar, QWidget

from desktop.i18n import tr
from desktop.viewmodels.models import REMOTE, ModelItem, ModelsViewModel
from desktop.views.commands import readable
from desktop.views.popover import Popover
from desktop.views.row_painter import LINE, NOWHERE, TWO_LINES, Line, RowPainter
from desktop.views.theme import Theme
from desktop.views.widgets import Text, push_button

_WIDTH = 520
_MOST_ROWS = 6
_AROUND_ROWS = 206  # the field above, the words and the buttons below


class ModelPicker(Popover):
    """Bound to the models. `file_wanted` when the person wants to look for a file, `page_wanted` for a part of the
    models page."""

    file_wanted = Signal()
    page_wanted = Signal(str)
    settings_wanted = Signal(str)  # the path of a model
    remote_wanted = Signal()  # the page about providers of remote models

    def __init__(self, theme: Theme, window: QWidget, models: ModelsViewModel) -> None:
        super().__init__(theme, window, tr("Models"), tr("Search models"))
        self._models = models
        self._chip: QWidget | None = None
        self._rows = _Models(self)
        self.use(self._rows)
        self.list.setItemDelegate(RowPainter(theme, self.list))
        self.list.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.list.customContextMenuRequested.connect(self._show_menu)
        self.progress = QProgressBar()
        self.progress.setTextVisible(False)
        self.progress.setFixedHeight(4)
        self.progress.setAccessibleName(tr("Loading the model"))
        self.cancel = push_button(
            tr("Cancel loading"), "plain", models.cancel_loading, tr("Stop loading the model")
        )
        self.note = Text(
            theme, tr("Models run on this computer. Nothing is sent anywhere."), "soft", wrap=True
        )
        self.open_file = push_button(
            tr("Open a model file…"),
            "plain",
            self._want_file,
            tr("Use a GGUF file from this computer, where it is"),
        )
        self.all_models = push_button(
            tr("All models"),
            "plain",
            lambda: self._want_page("library"),
            tr("Everything about the models on this computer"),
        )
        self.find_more = push_button(
            tr("Find more models…"),
            "plain",
            lambda: self._want_page("find"),
            tr("Find models on the model hub"),
        )
        self.own_settings = push_button(
            tr("Settings of this model…"),
            "plain",
            self._want_settings,
            tr("How the model in use is loaded, what was decided, and presets"),
        )
        self.try_gpu = push_button(
            tr("Try the GPU again"),
            "plain",
            models.try_gpu_again,
            tr("Load the model in use with the GPU, whose driver failed before"),
        )
        self.remote = push_button(
            tr("Remote models…"),
            "plain",
            self._want_remote,
            tr("Providers of models that do not run on this computer"),
        )
        below = QHBoxLayout()
        below.addWidget(self.find_more)
        below.addWidget(self.all_models)
        below.addWidget(self.open_file)
        below.addStretch(1)
        about_this = QHBoxLayout()
        about_this.addWidget(self.own_settings)
        about_this.addWidget(self.try_gpu)
        about_this.addWidget(self.remote)
        about_this.addStretch(1)
        about_this.addWidget(self.cancel)
        self.column.addWidget(self.progress)
        self.column.addWidget(self.note)
        self.column.addLayout(about_this)
        self.column.addLayout(below)
        self.field.textChanged.connect(self._show)
        self.chosen.connect(self._take)
        models.changed.connect(self._show)

    def open_below(self, chip: QWidget) -> None:
        """Come up under the chip, inside the window, and look for what models there are now."""
        self._chip = chip
        self._models.look_around()
        self.open_at(self._room())
        self._show()

    def _room(self) -> QRect:
        """Under the chip, as high as the list needs."""
        window, chip = self.window(), self._chip
        assert chip is not None
        width = min(self._theme.scaled(_WIDTH), window.width() - 32)
        below = chip.mapTo(window, QPoint(0, chip.height() + 6))
        rows = min(_MOST_ROWS, max(1, len(self._models.items) + len(self._models.remote_items)))
        height = min(self._theme.scaled(_AROUND_ROWS + rows * TWO_LINES), window.height() - below.y() - 16)
        start = (
            below.x()
            if chip.layoutDirection() == Qt.LayoutDirection.LeftToRight
            else below.x() + chip.width() - width
        )
        left = max(16, min(start, window.width() - width - 16))
        return QRect(left, below.y(), width, height)

    def _show(self) -> None:
        if self.isHidden():
            return
        self.place(self._room())
        self.note.setText(
            tr("Looking for models on this disk…") if self._models.looking else _where(self._models)
        )
        current = self._models.current
        items = (*self._models.items, *self._models.remote_items)
        remote = self._models.remote
        in_use = REMOTE + remote.key if remote is not None else current.path if current else ""
        self._rows.show(_fitting(items, self.field.text()), in_use)
        loading = self._models.loading
        self.own_settings.setEnabled(current is not None)
        self.try_gpu.setVisible(self._models.gpu_failed and loading is None)
        self.progress.setVisible(loading is not None)
        self.cancel.setVisible(loading is not None)
        if loading is not None:
            self.progress.setRange(0, 1000)
            self.progress.setValue(round(loading * 1000))

    def _take(self, index: QModelIndex) -> None:
        self._models.choose(self._rows.item(index.row()).path)

    def _want_remote(self) -> None:
        self.dismiss()
        self.remote_wanted.emit()

    def _want_file(self) -> None:
        self.dismiss()
        self.file_wanted.emit()

    def _want_page(self, part: str) -> None:
        self.dismiss()
        self.page_wanted.emit(part)

    def _want_settings(self, path: str = "") -> None:
        """Of this model, or of the one that is in use."""
        current = self._models.current
        wanted = path or (current.path if current is not None else "")
        if wanted:
            self.dismiss()
            self.settings_wanted.emit(wanted)

    # ---- taking an opened file off the list

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Delete and self.list.hasFocus():
            self._forget(self.list.currentIndex())
        else:
            super().keyPressEvent(event)

    def _show_menu(self, at: QPoint) -> None:
        index = self.list.indexAt(at)
        if index.isValid() and not self._rows.item(index.row()).path.startswith(REMOTE):
            menu = QMenu(self)
            menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
            text = tr("Take off this list (the file stays)") + "\t" + readable("Del")
            menu.addAction(text, lambda: self._forget(index))
            path = self._rows.item(index.row()).path
            menu.addAction(tr("Settings of this model…"), lambda: self._want_settings(path))
            menu.popup(self.list.viewport().mapToGlobal(at))

    def _forget(self, index: QModelIndex) -> None:
        if index.isValid() and not self._rows.item(index.row()).path.startswith(REMOTE):
            self._models.forget(self._rows.item(index.row()).path)


def _where(models: ModelsViewModel) -> str:
    """What choosing a model means for what is asked."""
    if models.remote_items:
        return tr(
            "Models on this computer send nothing anywhere. Those that leave this device get what you ask them; "
            "you see it first."
        )
    return tr("Models run on this computer. Nothing is sent anywhere.")


def ask_for_model_file(parent: QWidget) -> str:
    """The path of a .gguf that the person picked; empty when they did not."""
    options = QFileDialog.Option.ReadOnly
    if sys.platform.startswith("linux"):
        # The desktops' own dialogs come with plugins that look around on the network; ours stays on this computer.
        options |= QFileDialog.Option.DontUseNativeDialog
    path, _ = QFileDialog.getOpenFileName(
        parent, tr("Open a model file"), str(Path.home()), tr("Model files") + " (*.gguf)", options=options
    )
    return path


def _fitting(items: tuple[ModelItem, ...], text: str) -> list[ModelItem]:
    words = text.casefold().split()
    return [item for item in items if all(word in f"{item.name} {item.detail}".casefold() for word in words)]


class _Models(QAbstractListModel):
    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._items: list[ModelItem] = []
        self._current = ""

    def show(self, items: list[ModelItem], current: str) -> None:
        if (items, current) != (self._items, self._current):
            self.beginResetModel()
            self._items, self._current = items, current
            self.endResetModel()

    def item(self, row: int) -> ModelItem:
        return self._items[row]

    def rowCount(self, parent: QModelIndex | QPersistentModelIndex = NOWHERE) -> int:
        return 0 if parent.isValid() else len(self._items)

    def data(
        self, index: QModelIndex | QPersistentModelIndex, role: int = Qt.ItemDataRole.DisplayRole
    ) -> Any:
        item = self._items[index.row()]
        if role == Qt.ItemDataRole.DisplayRole:
            return item.name
        if role == Qt.ItemDataRole.AccessibleDescriptionRole:
            in_use = tr("in use") if item.path == self._current else ""
            return ", ".join(part for part in (in_use, item.detail, item.remark) if part)
        if role == LINE:
            below = " · ".join(part for part in (item.detail, item.remark) if part)
            place = "arrow-up-right" if item.path.startswith(REMOTE) else "cpu"
            icon = "file-warning" if item.missing else "check" if item.path == self._current else place
            return Line(item.name, below, icon=icon, soft=item.missing)
        return None

    def flags(self, index: QModelIndex | QPersistentModelIndex) -> Qt.ItemFlag:
        usable = Qt.ItemFlag.ItemNeverHasChildren
        if index.isValid() and not self._items[index.row()].missing:
            usable |= Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable
        return usable
