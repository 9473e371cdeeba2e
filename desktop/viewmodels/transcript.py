"""The conversation on screen as a list of entries, with one signal for each way it can change.

Knows nothing of widgets and nothing of the database: `viewmodels.chat` fills it, `views.transcript` draws it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

if TYPE_CHECKING:
    from desktop.viewmodels.images import ImagesViewModel


@dataclass(slots=True)
class Entry:
    """One message as it is shown. Texts are untrusted Markdown. A value: use `dataclasses.replace`, never assign;
    it is not `frozen` because making 10,000 of them, for a long conversation, would take twice as long."""

    message_id: int
    role: str  # "user" or "assistant"
    text: str = ""
    reasoning: str = ""
    reasoning_seconds: float = 0.0
    status: str = "complete"  # complete, streaming, stopped, interrupted, failed
    problem: str = ""  # the sentence for a person when something went wrong or was left out
    problem_detail: str = ""
    footnote: str = ""  # small line under an answer: model, time, tokens, why
    branch: int = 1  # this one is number `branch` of `branches` alternatives
    branches: int = 1
    author: str = ""  # the model's name, for screen readers; empty for a person's message
    images: tuple[int, ...] = ()  # attachments of a person's message


class TranscriptModel(QObject):
    """Rows count from 0, oldest first."""

    was_reset = Signal()  # everything may have changed
    prepended = Signal(int)  # this many rows were added before the first
    appended = Signal(int)  # a row was added at this index (always the end)
    changed = Signal(int)  # a row was replaced
    text_added = Signal(int, str)  # streamed answer text was added to the end of a row
    reasoning_added = Signal(int, str)
    truncated = Signal(int)  # only this many rows are left

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.entries: list[Entry] = []
        self.images: ImagesViewModel | None = None  # where the pixels of `Entry.images` come from

    def reset(self, entries: list[Entry]) -> None:
        self.entries = list(entries)
        self.was_reset.emit()

    def prepend(self, entries: list[Entry]) -> None:
        self.entries[:0] = entries
        self.prepended.emit(len(entries))

    def append(self, entry: Entry) -> None:
        self.entries.append(entry)
        self.appended.emit(len(self.entries) - 1)

    def replace(self, row: int, entry: Entry) -> None:
        self.entries[row] = entry
        self.changed.emit(row)

    def add_text(self, row: int, text: str) -> None:
        self.entries[row] = replace(self.entries[row], text=self.entries[row].text + text)
        self.text_added.emit(row, text)

    def add_reasoning(self, row: int, text: str) -> None:
        entry = self.entries[row]
        self.entries[row] = replace(entry, reasoning=entry.reasoning + text)
        self.reasoning_added.emit(row, text)

    def truncate(self, count: int) -> None:
        del self.entries[count:]
        self.truncated.emit(count)

    def row_of(self, message_id: int) -> int | None:
        for row in range(len(self.entries) - 1, -1, -1):
            if self.entries[row].message_id == message_id:
                return row
        return None
