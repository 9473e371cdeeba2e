"""“On this computer”: the models that were found, narrowed by words and kind, and the details of one."""

from __future__ import annotations

from PySide6.QtCore import QPoint, Qt, QTimer
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QLineEdit, QVBoxLayout, QWidget

from desktop.i18n import tr
from desktop.viewmodels.library import LibraryViewModel, ModelRow, Show
from desktop.viewmodels.model_words import name_of, row_words
from desktop.views.commands import readable
from desktop.views.models_page.actions import show_menu
from desktop.views.models_page.entry_actions import actions_for
from desktop.views.models_page.entry_details import EntryDetails
from desktop.views.models_page.pair import Pair
from desktop.views.models_page.part import PartOfPage
from desktop.views.models_page.places import Places
from desktop.views.models_page.rows import Row, RowList
from desktop.views.row_painter import Line
from desktop.views.theme import Theme
from desktop.views.widgets import Text, describe, icon_button, push_button
from desktop.words.sentence import gigabytes
from models.library.entry import Kind

_SHOW_MS = 100


class LibraryPart(PartOfPage):
    """Bound to the library."""

    def __init__(self, theme: Theme, library: LibraryViewModel) -> None:
        super().__init__()
        self._theme = theme
        self._library = library
        self._was_picked = False
        self.field = QLineEdit()
        self.field.setClearButtonEnabled(True)
        self.field.setPlaceholderText(tr("Filter by name, family, licence…"))
        describe(self.field, tr("Filter the models on this computer"))
        self.kind = _kinds()
        self.list = RowList(
            theme,
            tr("Models on this computer"),
            tr("Enter shows what can be done with one, {delete} removes.", delete=readable("Del")),
        )
        self.summary = Text(theme, "", "soft", wrap=True)
        self.empty = Text(theme, "", "soft", wrap=True)
        self.empty.setAlignment(Qt.AlignmentFlag.AlignTop)
        self.folders = push_button(
            tr("Folders…"), "quiet", self._show_places, tr("Where Alcove looks for models")
        )
        self.again = icon_button(
            theme, "rotate-ccw", tr("Look again"), tr("Look for models on this computer again"), library.look
        )
        self.details = EntryDetails(theme, library, self)
        self.places = Places(theme, library)
        self.pair = Pair(theme, self._list_side())
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.pair)
        self.pair.show_details(self.places, asked=False)
        self._bind()

    def _list_side(self) -> QWidget:
        side = QWidget()
        filters = QHBoxLayout()
        filters.setSpacing(8)
        filters.addWidget(self.kind, 1)
        filters.addWidget(self.folders)
        filters.addWidget(self.again)
        column = QVBoxLayout(side)
        column.setContentsMargins(12, 12, 12, 8)
        column.setSpacing(8)
        column.addWidget(self.field)
        column.addLayout(filters)
        column.addWidget(self.empty)
        column.addWidget(self.list, 1)
        column.addWidget(self.summary)
        return side

    def _bind(self) -> None:
        self._later = QTimer(self, singleShot=True, interval=_SHOW_MS)
        self._later.timeout.connect(self._show)
        self._library.changed.connect(self._show_soon)
        self.field.textChanged.connect(self._narrow)
        self.kind.currentIndexChanged.connect(self._narrow)
        self.list.picked.connect(self._picked)
        self.list.entered.connect(self._entered)
        self.list.delete_pressed.connect(self._library.remove)
        self.list.menu_wanted.connect(self._show_menu)
        self.pair.came_back.connect(self.list.setFocus)

    # ---- coming

    def open(self) -> None:
        self._library.look()
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
        """Some times a second at most, however often something changes."""
        if self.isVisible() and not self._later.isActive():
            self._later.start()

    def _show(self) -> None:
        library = self._library
        rows = library.rows
        self.list.begin_with = library.in_use
        self.list.show_rows([_row(row, library.in_use) for row in rows])
        if not self.list.current and not self._was_picked:
            self.list.pick(library.in_use)  # once it has been found
        size = gigabytes(library.size)
        found = tr("{count} models, {size}", count=library.count, size=size)
        if library.count == 1:
            found = tr("One model, {size}", size=size)
        looking = tr("looking for more…") if library.looking else ""
        self.summary.setText(" · ".join(part for part in (found, looking) if part))
        self.empty.setVisible(not rows)
        self.empty.setText(
            tr("Looking for models on this computer…")
            if library.looking and not library.count
            else tr("Nothing here fits. Take a word away, or show all kinds.")
            if library.count
            else tr("No model was found. Add a folder, or find models on the hub.")
        )
        self.places.show_folders()
        if (row := library.row(self.details.path)) is not None:
            self.details.show_row(row)
        elif self.details.path and self.pair.right.currentWidget() is self.details:
            self.pair.show_details(self.places, asked=False)
            self.pair.leave_quietly()

    def _narrow(self) -> None:
        self._library.narrow(self.field.text(), str(self.kind.currentData()))
        self._show()

    def _picked(self, path: str) -> None:
        self._was_picked = self._was_picked or bool(path)
        self._show_details(path, asked=False)

    def _entered(self, path: str, by_key: bool) -> None:
        self._show_details(path, asked=True)
        if by_key:
            self.details.buttons.take_keyboard()

    def _show_details(self, path: str, *, asked: bool) -> None:
        if (row := self._library.row(path)) is not None:
            self.details.show_row(row)
            self.pair.show_details(self.details, asked=asked)

    def _show_places(self) -> None:
        self._was_picked = True
        self.pair.show_details(self.places)
        self.places.add.setFocus()

    def _show_menu(self, path: str, at: QPoint) -> None:
        row = self._library.row(path)
        if row is None:
            return
        show_menu(self, tr("What to do with this model"), actions_for(row, self._library, self), at)

    # ---- what the actions ask for

    def use(self, path: str) -> None:
        if self._library.use(path):
            self.used.emit()

    def copy(self, text: str, said: str) -> None:
        QGuiApplication.clipboard().setText(text)
        self.said.emit(said)


def _kinds() -> QComboBox:
    box = QComboBox()
    describe(box, tr("Kind of model"), tr("Show only models of one kind"))
    for text, value in (
        (tr("All kinds"), Show.ALL),
        (tr("For conversations"), Kind.CHAT.value),
        (tr("See images"), Show.SEES),
        (tr("Embeddings"), Kind.EMBEDDING.value),
        (tr("Adapters (LoRA)"), Kind.ADAPTER.value),
        (tr("Drafts for larger models"), Kind.DRAFT.value),
        (tr("Can't be used"), Show.PROBLEMS),
    ):
        box.addItem(text, value)
    box.setMinimumContentsLength(8)
    box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    return box


def _row(row: ModelRow, in_use: str) -> Row:
    entry = row.entry
    used = row.path == in_use
    icon = "file-warning" if entry.problem is not None else "check" if used else "cpu"
    aside = tr("in use") if used else ""
    return Row(row.path, Line(name_of(entry), row_words(entry), aside, icon, entry.problem is not None))
