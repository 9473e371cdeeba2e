"""What the database refused, and what its opening found."""

from __future__ import annotations

from typing import TYPE_CHECKING

from desktop.i18n import tr
from desktop.store.faults import StoreFault, StoreFaultKind
from desktop.words.sentence import Sentence

if TYPE_CHECKING:
    from desktop.store.records import OpeningNotice


def store_fault(fault: StoreFault) -> Sentence:
    """The sentence for a conversation that could not be read or written."""
    return Sentence(_store_text(fault.kind), fault.detail)


def _store_text(kind: StoreFaultKind) -> str:
    match kind:
        case StoreFaultKind.DISK_FULL:
            return tr(
                "The disk is full. What was stored is safe; free some space, and Alcove stores the rest by itself."
            )
        case StoreFaultKind.READ_ONLY:
            return tr("Conversations can be read but not stored: their folder is read-only.")
        case StoreFaultKind.CORRUPT:
            return tr(
                "The file with your conversations is damaged. It was kept as it is; nothing was overwritten."
            )
        case StoreFaultKind.NEWER:
            return tr(
                "Your conversations were last used with a newer Alcove. Nothing was changed. "
                "Install that version to open them."
            )
        case StoreFaultKind.BUSY:
            return tr("Another program is using your conversations right now. Try again in a moment.")
        case StoreFaultKind.IO:
            return tr(
                "The disk with your conversations does not answer. "
                "What was stored is safe; check the disk, then try again."
            )


def opening_words(notice: OpeningNotice) -> Sentence:
    """What a person must know about the opening of their conversations."""
    from desktop.store.records import OpeningKind

    if notice.kind is OpeningKind.READ_ONLY:
        return Sentence(_store_text(StoreFaultKind.READ_ONLY))
    if notice.conversations:
        text = tr(
            "The file with your conversations was damaged. {conversations} conversations with {messages} messages "
            "could be read and are here; the damaged file was kept as it is.",
            conversations=notice.conversations,
            messages=notice.messages,
        )
    else:
        text = tr(
            "The file with your conversations is damaged and could not be read, so a new one was begun. "
            "The damaged file was kept as it is."
        )
    return Sentence(text, str(notice.kept) if notice.kept else "")
