"""Making a smaller version of a model: what can be chosen, how far it is, how it ended. One at a time.

It goes on when its dialog is closed; where nobody looks any more, its end is told as a notice.
"""

from __future__ import annotations

import os
import time
from contextlib import aclosing
from dataclasses import dataclass, replace
from enum import Enum, auto
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from desktop.bridge import Bridge, Job
from desktop.i18n import tr
from desktop.quantization import Choices, MakingReport, Planned, Ready, Wish, choices, quantize
from desktop.viewmodels.notice import Notice
from desktop.words.quantization import loss_words, quantization_fault
from desktop.words.sentence import gigabytes
from models.quantization.making import QuantizeFailed
from models.quantization.messages import Checking, Making, Problem
from models.quantization.types import WHOLE, QuantType, quant_types

if TYPE_CHECKING:
    from desktop.library import Library
    from desktop.paths import Paths

_FIRST_CHOICE = "Q4_K_M"
_TELLS_AFTER = 5.0  # seconds of work before the rest can be guessed


class Stage(Enum):
    """What the dialog shows."""

    LOOKING = auto()
    CHOOSING = auto()
    MAKING = auto()
    DONE = auto()
    REFUSED = auto()  # nothing can be made of this file


@dataclass(frozen=True, slots=True)
class TypeRow:
    """One type that can be chosen."""

    name: str
    size: str
    words: str


class QuantizeViewModel(QObject):
    """`changed` for everything that is shown; `made` with the path of a new model."""

    changed = Signal()
    made = Signal(str)
    notice = Signal(object)

    def __init__(self, bridge: Bridge, paths: Paths, library: Library, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._bridge = bridge
        self._paths = paths
        self._library = library
        self._job: Job | None = None  # what is being made
        self._look: Job | None = None
        self._choices: Choices | None = None
        self._run = 0  # counts up: what an earlier one still says is not heard
        self._began = 0.0
        self._done, self._total = 0, 0
        self._checking = False
        self.stage = Stage.LOOKING
        self.has_more = True
        self.source = ""
        self.problem = ""
        self.result = ""
        """The path of the file that was made."""
        self.watched = False
        """Whether somebody looks at it: else its end is told as a notice."""

    # ---- what is shown

    @property
    def summary(self) -> str:
        """What the model takes, and what room there is."""
        if self._choices is None:
            return tr("Reading {name} …", name=os.path.basename(self.source))
        return tr(
            "{name} takes {size}. {free} are free on the disk. The model itself stays as it is.",
            name=os.path.basename(self.source),
            size=gigabytes(self._choices.source.size),
            free=gigabytes(self._choices.free),
        )

    @property
    def rows(self) -> list[TypeRow]:
        """The types that make it smaller, the most exact first."""
        if self._choices is None:
            return []
        known = self._choices
        return [
            TypeRow(kind.name, gigabytes(size), loss_words(kind, known.source.parameters))
            for kind, size in _possible(known)
        ]

    @property
    def first_choice(self) -> str:
        """The type that is chosen until another is."""
        names = [row.name for row in self.rows]
        return _FIRST_CHOICE if _FIRST_CHOICE in names else names[0] if names else ""

    @property
    def warning(self) -> str:
        """What a person has to know before; empty where there is nothing."""
        if self._choices is None or self._choices.source.quantization in WHOLE:
            return ""
        return tr(
            "This file is quantized already ({type}). Made smaller once more it answers worse than a version that is "
            "made from the F16 or BF16 file of the same model.",
            type=self._choices.source.quantization,
        )

    @property
    def fraction(self) -> float:
        return self._done / self._total if self._total else 0.0

    @property
    def progress(self) -> str:
        """How far it is, in words."""
        if self._checking:
            return tr("Checking what was written …")
        if not self._total:
            return tr("Beginning …")
        percent = round(100 * self.fraction)
        worked = time.monotonic() - self._began
        if worked < _TELLS_AFTER or not self._done:
            return tr("{percent} % done", percent=percent)
        left = worked / self.fraction - worked
        return tr("{percent} % done, about {time} left", percent=percent, time=_minutes(left))

    # ---- what a person does

    def begin(self, path: str) -> None:
        """Look at this model, unless one is being made: then that one is shown."""
        if self.stage is Stage.MAKING:
            return
        self._stop_looking()
        self.stage, self.source = Stage.LOOKING, os.path.abspath(path)
        self.problem = self.result = ""
        self._choices, self.has_more = None, True
        usual = [kind for kind in quant_types() if kind.usual]
        self._look_at(usual)

    def look_further(self) -> None:
        """Offer the rarer types too. Each takes a moment to be computed, so they are not at first."""
        if self.stage is Stage.CHOOSING and self.has_more:
            self.has_more = False
            rare = [kind for kind in quant_types() if not kind.usual and not kind.measured]
            self._look_at(rare)

    def _look_at(self, types: list[QuantType]) -> None:
        source = self.source
        work = choices(self._paths, Path(source), types)
        self._look = self._bridge.submit(work, self._looked, lambda error: self._refused(source, error))
        self.changed.emit()

    def make(self, kind: str) -> None:
        """Make it. What `warning` says was read."""
        if self.stage is not Stage.CHOOSING:
            return
        self._stop_looking()
        self.stage, self.problem = Stage.MAKING, ""
        self._done = self._total = 0
        self._checking = False
        self._began = time.monotonic()
        wish = Wish(Path(self.source), kind, again=bool(self.warning))
        self._job = self._bridge.submit(self._make(wish, self._run), None, self._failed)
        self.changed.emit()

    def stop(self) -> None:
        """Give it up. What there is of it goes."""
        if self.stage is Stage.MAKING and self._job is not None:
            self._run += 1
            self._job.cancel()
            self._job = None
            self.stage = Stage.CHOOSING
            self.problem = tr("Stopped. Nothing was made.")
            self.changed.emit()

    def leave(self) -> None:
        """Nobody looks at it any more. What is being made goes on."""
        self.watched = False
        self._stop_looking()

    def _stop_looking(self) -> None:
        if self._look is not None:
            self._look.cancel()
            self._look = None

    # ---- what comes of it

    async def _make(self, wish: Wish, run: int) -> None:
        async with aclosing(quantize(self._paths, self._library, wish)) as reports:
            async for report in reports:
                self._bridge.deliver(self._take, run, report)

    def _take(self, run: int, report: MakingReport) -> None:
        if run != self._run:  # it was stopped meanwhile
            return
        match report:
            case Making(done, total):
                self._done, self._total = done, total
            case Checking():
                self._checking = True
            case Planned():
                self._began = time.monotonic()
            case Ready(entry):
                self._job = None
                self.stage, self.result = Stage.DONE, entry.path
                self.made.emit(entry.path)
                if not self.watched:
                    self.notice.emit(Notice(self.end_words))
        self.changed.emit()

    @property
    def end_words(self) -> str:
        """That it is there."""
        return tr(
            "{file} is ready. It is among your models, and can be removed there again.",
            file=os.path.basename(self.result),
        )

    def _looked(self, found: Choices) -> None:
        if found.source.path != self.source or self.stage not in (Stage.LOOKING, Stage.CHOOSING):
            return  # an answer that was under way when another model was asked about
        self._look = None
        if self._choices is not None:
            sizes = {**self._choices.bytes, **found.bytes}
            found = replace(found, bytes=sizes, measured=self._choices.measured | found.measured)
        self._choices, self.stage = found, Stage.CHOOSING
        if not self.rows:
            self.stage = Stage.REFUSED
            self.problem = tr("This model is as small as it gets: no type would make it smaller.")
        self.changed.emit()

    def _refused(self, source: str, error: Exception) -> None:
        if source != self.source or self.stage is not Stage.LOOKING:
            return
        self.problem = self._words(error)
        self._look, self.stage = None, Stage.REFUSED
        self.changed.emit()

    def _failed(self, error: Exception) -> None:
        self.problem = self._words(error)
        self._job, self.stage = None, Stage.CHOOSING
        if not self.watched:
            self.notice.emit(Notice(self.problem, str(error)))
        self.changed.emit()

    def _words(self, error: Exception) -> str:
        if isinstance(error, OSError):
            error = QuantizeFailed(Problem.DISK, str(error))
        if not isinstance(error, QuantizeFailed):
            raise error
        return quantization_fault(error.problem, error.detail, error.facts, self.source).text


def _possible(known: Choices) -> list[tuple[QuantType, int]]:
    return [
        (kind, known.bytes[kind.name])
        for kind in quant_types()
        if known.bytes.get(kind.name, known.source.size) < known.source.size
        and not kind.measured
        and kind.name not in known.measured
    ]


def _minutes(seconds: float) -> str:
    minutes = round(seconds / 60)
    return tr("{count} minutes", count=minutes) if minutes > 1 else tr("a minute")
