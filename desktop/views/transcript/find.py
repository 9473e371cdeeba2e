"""Find in the conversation: through the model's texts, so that messages without widgets are found too."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from desktop.views.transcript.content import Block, Code, Formula, Prose, Table, plain_text
from desktop.views.transcript.pieces import split

if TYPE_CHECKING:
    from desktop.views.transcript.view import TranscriptView

_MARKS = str.maketrans("", "", "*_`~\\")


@dataclass(frozen=True, slots=True, order=True)
class Hit:
    """Occurrence number `count` (from 0) of `text` in a block of a part of a message."""

    row: int
    part: int
    block: int
    count: int
    text: str


def text_of(block: Block) -> str:
    """The words of a block as they can be selected in it."""
    match block:
        case Prose():
            return "\n".join(plain_text(paragraph.spans) for paragraph in block.paragraphs)
        case Code():
            return block.source
        case Table():
            return "\n".join("\n".join(map(plain_text, row)) for row in block.rows)
        case Formula():
            return ""


class Finder:
    """Goes from hit to hit, round the end of the conversation to its start."""

    def __init__(self, view: TranscriptView) -> None:
        self._view = view
        self._hit: Hit | None = None

    def forget(self) -> None:
        self._hit = None

    def find(self, text: str, forward: bool) -> bool:
        if not text.strip():
            return False
        entries = self._view.model.entries
        last = self._hit
        count = len(entries)
        start = min(last.row, count - 1) if last is not None else (0 if forward else count - 1)
        # While the search text is being typed, the hit grows where it stands.
        same = last is not None and text.casefold() == last.text.casefold()
        for step in range(count + 1):
            row = (start + step if forward else start - step) % count if count else 0
            if count == 0 or not self._may_hold(entries[row].text, text):
                continue
            hits = self._hits(row, text)
            if last is not None and row == last.row and step == 0:
                hits = [hit for hit in hits if _beyond(hit, last, forward, same)]
            for hit in hits if forward else reversed(hits):
                if self._view.show_hit(hit):
                    self._hit = hit
                    return True
        return False

    @staticmethod
    def _may_hold(source: str, text: str) -> bool:
        """Quickly, on the Markdown: a word may have marks around or in it."""
        needle = text.casefold()
        folded = source.casefold()
        return needle in folded or needle.translate(_MARKS) in folded.translate(_MARKS)

    def _hits(self, row: int, text: str) -> list[Hit]:
        entry = self._view.model.entries[row]
        pattern = re.compile(re.escape(text), re.IGNORECASE)
        hits: list[Hit] = []
        for number, part in enumerate(split(entry.text, typed=entry.role == "user")):
            if not self._may_hold(part.source, text):
                continue
            for index, block in enumerate(part.blocks):
                found = len(pattern.findall(text_of(block)))
                hits += [Hit(row, number, index, count, text) for count in range(found)]
        return hits


def _beyond(hit: Hit, last: Hit, forward: bool, same: bool) -> bool:
    here = (hit.part, hit.block, hit.count)
    before = (last.part, last.block, last.count)
    if not same:
        return here >= before if forward else here <= before
    return here > before if forward else here < before
