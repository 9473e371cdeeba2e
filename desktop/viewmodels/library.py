"""The models on this computer: looked for, shown, checked, removed, and the folders that are looked into."""

from __future__ import annotations

import time
from collections.abc import Iterable
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from desktop.bridge import Bridge, Job
from desktop.i18n import tr
from desktop.viewmodels.model_words import can_answer, name_of, problem_words
from desktop.viewmodels.models import ModelsViewModel
from desktop.viewmodels.notice import Notice
from desktop.viewmodels.settings import SettingsViewModel
from desktop.words.models import model_fault
from models.library.candidates import Unreadable
from models.library.entry import Kind, LibraryEntry
from models.library.messages import Hashing
from models.runtime.faults import RuntimeFault

if TYPE_CHECKING:
    from desktop.catalogue import Removed
    from desktop.library import Library

FOLDERS = "model.folders"
_TOLD_EVERY = 0.2  # seconds between two deliveries of what a scan has found


@dataclass(frozen=True, slots=True)
class ModelRow:
    """One model. `ours`: Alcove downloaded it, so it can be removed here."""

    entry: LibraryEntry
    ours: bool

    @property
    def path(self) -> str:
        return self.entry.path


class Show:
    """What the list is narrowed to: names of `Kind`, and three of its own."""

    ALL = ""
    SEES = "sees"
    PROBLEMS = "problems"


class LibraryViewModel(QObject):
    """`changed` for everything that is shown; `removed` when something can be taken back."""

    changed = Signal()
    removed = Signal(str)
    notice = Signal(object)

    def __init__(
        self,
        bridge: Bridge,
        library: Library,
        models: ModelsViewModel,
        settings: SettingsViewModel,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._bridge = bridge
        self._library = library
        self._models = models
        self._settings = settings
        self._rows: dict[str, ModelRow] = {}
        self._scan: Job | None = None
        self._look_once_more = False
        self._checks: dict[str, Job] = {}
        self._checked: dict[str, float] = {}
        self._trash: list[Removed] = []
        self._text, self._kind = "", Show.ALL
        self.unreadable: tuple[Unreadable, ...] = ()
        models.changed.connect(self.changed)

    # ---- what there is

    @property
    def rows(self) -> list[ModelRow]:
        """What fits the filter: what can answer first, by name, the smaller one first; the broken ones last."""
        return sorted(filter(self._fits, self._rows.values()), key=_order)

    @property
    def count(self) -> int:
        """Of all models, whatever the filter."""
        return len(self._rows)

    @property
    def size(self) -> int:
        """Bytes, of all models."""
        return sum(row.entry.size for row in self._rows.values())

    def row(self, path: str) -> ModelRow | None:
        return self._rows.get(path)

    def is_whole(self, path: str) -> bool:
        """Whether a model lies here that nothing is wrong with."""
        row = self._rows.get(path)
        return row is not None and row.entry.problem is None

    @property
    def in_use(self) -> str:
        """The path of the model that answers now, or ""."""
        current = self._models.current_path
        return "" if current is None else str(current)

    def narrow(self, text: str, kind: str) -> None:
        """Show only what has all words of `text` and is of this kind (`Show`, or a value of `Kind`)."""
        if (text, kind) != (self._text, self._kind):
            self._text, self._kind = text, kind
            self.changed.emit()

    def _fits(self, row: ModelRow) -> bool:
        entry = row.entry
        match self._kind:
            case Show.ALL:
                fits = True
            case Show.SEES:
                fits = bool(entry.projectors)
            case Show.PROBLEMS:
                fits = entry.problem is not None
            case kind:
                fits = Kind(kind) in entry.kinds
        if not fits or not self._text:
            return fits
        there = " ".join(
            (name_of(entry), entry.repo, entry.family, entry.quantization, entry.licence, entry.path)
        ).casefold()
        return all(word in there for word in self._text.casefold().split())

    # ---- looking

    @property
    def looking(self) -> bool:
        return self._scan is not None

    def look(self) -> None:
        """Look for models on this disk, in a locked process. What has not changed is not opened again."""
        if self._scan is not None:
            self._look_once_more = True
            return
        self._look_once_more = False
        self._scan = self._bridge.submit(
            self._look([Path(folder) for folder in self.folders]), self._looked, self._looked_in_vain
        )
        self.changed.emit()

    async def _look(self, folders: list[Path]) -> tuple[dict[str, ModelRow], tuple[Unreadable, ...]]:
        seen: dict[str, ModelRow] = {}
        fresh: list[ModelRow] = []
        closed: list[Unreadable] = []
        told = time.monotonic()
        async with aclosing(self._library.scan(folders)) as reports:
            async for report in reports:
                if isinstance(report, LibraryEntry):
                    row = ModelRow(report, await self._library.can_remove(report))
                    seen[row.path] = row
                    fresh.append(row)
                elif isinstance(report, Unreadable):
                    closed.append(report)
                if fresh and time.monotonic() - told > _TOLD_EVERY:
                    self._bridge.deliver(self._met, fresh)
                    fresh, told = [], time.monotonic()
        return seen, tuple(closed)

    def _met(self, rows: Iterable[ModelRow]) -> None:
        self._rows.update({row.path: row for row in rows})
        self.changed.emit()

    def _looked(self, found: tuple[dict[str, ModelRow], tuple[Unreadable, ...]]) -> None:
        self._scan = None
        self._rows, self.unreadable = found
        self._models.show_found({path: row.entry for path, row in self._rows.items()})
        self.changed.emit()
        if self._look_once_more:
            self.look()

    def _looked_in_vain(self, error: Exception) -> None:
        self._scan = None
        self.changed.emit()
        if not isinstance(error, RuntimeFault | OSError):
            raise error
        self.notice.emit(Notice(tr("This disk could not be looked through for models."), str(error)))

    # ---- folders

    @property
    def folders(self) -> tuple[str, ...]:
        """Folders of the person's that are looked into besides the usual places."""
        chosen = self._settings.value(FOLDERS)
        return tuple(chosen) if isinstance(chosen, list) else ()

    @property
    def folders_managed(self) -> bool:
        return self._settings.managed(FOLDERS)

    def add_folder(self, folder: str) -> None:
        if folder and folder not in self.folders:
            self._set_folders([*self.folders, folder])

    def remove_folder(self, folder: str) -> None:
        """Look there no more. The files stay."""
        self._set_folders([other for other in self.folders if other != folder])

    def _set_folders(self, folders: list[str]) -> None:
        if refused := self._settings.set(FOLDERS, folders):
            self.notice.emit(Notice(refused))
        self.look()

    # ---- what a person does with one

    def use(self, path: str) -> bool:
        """Answer with this model from now on. False when it can't answer."""
        row = self._rows.get(path)
        if row is None or not can_answer(row.entry):
            return False
        self._models.choose(path)
        return True

    def checking(self, path: str) -> float | None:
        """How much of it has been hashed, 0 to 1, while it is; else None."""
        return self._checked.get(path)

    def check(self, path: str) -> None:
        """Compute the SHA-256 of its files, and compare it with what its source announced."""
        row = self._rows.get(path)
        if row is None or path in self._checks:
            return
        self._checked[path] = 0.0
        over = partial(self._check_failed, path)
        self._checks[path] = self._bridge.submit(self._check(row.entry), self._check_done, over)
        self.changed.emit()

    def show_template(self, path: str) -> None:
        """Show how this model is talked with, in a dialog."""
        self._models.template_wanted.emit(path)

    def show_settings(self, path: str) -> None:
        """Open the settings of this model alone."""
        self._models.settings_wanted.emit(path)

    def make_smaller(self, path: str) -> None:
        """Open the dialog that makes a smaller version of it."""
        self._models.smaller_wanted.emit(path)

    def stop_checking(self, path: str) -> None:
        if (job := self._checks.pop(path, None)) is not None:
            job.cancel()
        self._checked.pop(path, None)
        self.changed.emit()

    async def _check(self, entry: LibraryEntry) -> LibraryEntry:
        async with aclosing(self._library.verify(entry)) as reports:
            async for report in reports:
                if isinstance(report, Hashing):
                    self._bridge.deliver(self._hashed, entry.path, report.done / max(1, report.total))
                else:
                    entry = report
        return entry

    def _hashed(self, path: str, fraction: float) -> None:
        if path in self._checks:
            self._checked[path] = fraction
            self.changed.emit()

    def _check_done(self, entry: LibraryEntry) -> None:
        self._checks.pop(entry.path, None)
        self._checked.pop(entry.path, None)
        if (row := self._rows.get(entry.path)) is not None:
            self._rows[entry.path] = ModelRow(entry, row.ours)
        self.changed.emit()
        if entry.problem is not None:
            self.notice.emit(Notice(problem_words(entry), entry.detail))

    def _check_failed(self, path: str, error: Exception) -> None:
        self._checks.pop(path, None)
        self._checked.pop(path, None)
        self.changed.emit()
        if not isinstance(error, RuntimeFault):
            raise error
        self.notice.emit(Notice.of(model_fault(error.fault, error.detail, error.facts, path)))

    # ---- removing

    def remove(self, path: str) -> None:
        """Into the trash, if Alcove downloaded it. `undo_remove` brings it back."""
        row = self._rows.get(path)
        if row is None or not row.ours:
            return
        self.stop_checking(path)
        if path == self.in_use:
            self._models.choose_starter()
        failed = partial(self._not_moved, row)
        self._bridge.submit(self._library.remove(row.entry), partial(self._is_removed, row), failed)

    def _is_removed(self, row: ModelRow, removed: Removed) -> None:
        self._trash.append(removed)
        self._rows.pop(row.path, None)
        self.changed.emit()
        self.removed.emit(tr("{name} is in the trash.", name=name_of(row.entry)))
        self.look()

    @property
    def can_undo(self) -> bool:
        return bool(self._trash)

    def undo_remove(self) -> None:
        """Put back what was removed last."""
        if self._trash:
            removed = self._trash.pop()
            self._bridge.submit(self._library.restore(removed), lambda _: self.look(), self._not_restored)

    def _not_moved(self, row: ModelRow, error: Exception) -> None:
        if not isinstance(error, OSError):
            raise error
        text = tr("{name} could not be removed. It stays where it was.", name=name_of(row.entry))
        self.notice.emit(Notice(text, error.strerror or str(error)))
        self.look()

    def _not_restored(self, error: Exception) -> None:
        if not isinstance(error, OSError):
            raise error
        text = tr("The model could not be put back. It is still in the trash folder beside its place.")
        self.notice.emit(Notice(text, error.strerror or str(error)))


def _order(row: ModelRow) -> tuple[bool, bool, str, int, str]:
    entry = row.entry
    return entry.problem is not None, not can_answer(entry), name_of(entry).casefold(), entry.size, entry.path
