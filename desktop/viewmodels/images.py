"""Images in the window: those that are added to the message being written, and the pixels of those that are shown.

Pixels come from the locked child (`desktop.pictures`) as plain numbers, and are asked for when something is drawn.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Signal

from desktop.bridge import Bridge
from desktop.i18n import tr
from desktop.store.faults import StoreFault
from desktop.viewmodels.notice import Notice
from desktop.words.models import model_fault
from desktop.words.store import store_fault

if TYPE_CHECKING:
    import asyncio

    from desktop.picture_messages import Drawn
    from desktop.pictures import Pictures
    from desktop.store.records import Attachment, NewAttachment
    from desktop.store.store import Store

MOST_IMAGES = 8
"""In one message."""
_MOST_KEPT = 48 << 20  # bytes of pixels


@dataclass(frozen=True, slots=True)
class DraftImage:
    """An image that goes with the next message. `id`: of its attachment; `name`: of its file, or ""."""

    id: int
    name: str


class ImagesViewModel(QObject):
    """One for the window. Everything that reads or writes runs on core, in the order in which it was asked for."""

    draft_changed = Signal()
    arrived = Signal(int)  # pixels of this attachment
    notice = Signal(object)

    def __init__(self, bridge: Bridge, store: Store, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._bridge = bridge
        self._store = store
        self._pictures: Pictures | None = None
        self._order: asyncio.Lock | None = None
        self._conversation: int | None = None
        self._working = 0
        self._kept: OrderedDict[tuple[int, int, int], Drawn | None] = OrderedDict()
        self._asked: set[tuple[int, int, int]] = set()
        self.draft: tuple[DraftImage, ...] = ()

    # ---- the message being written

    @property
    def busy(self) -> bool:
        """Whether an image is on its way into the draft."""
        return self._working > 0

    def show_draft(self, conversation_id: int | None, draft: tuple[DraftImage, ...]) -> None:
        """Another conversation is open, with these images in its draft."""
        self._conversation = conversation_id
        self._set_draft(conversation_id, draft)

    def sent(self) -> None:
        """The images of the draft go with a question now."""
        self._set_draft(self._conversation, ())

    def follow(self, conversation_id: int) -> None:
        """The conversation that did not exist yet exists now."""
        self._conversation = conversation_id

    def read_again(self) -> None:
        """The question was not stored: its images are in the draft still."""
        self._do(self._read(self._conversation))

    def add_data(self, data: bytes) -> None:
        """Add what was pasted or dropped: the bytes of an image file."""

        async def prepare(pictures: Pictures) -> NewAttachment:
            return await pictures.prepare(data, tr("Pasted image"))

        self._do(self._add(self._conversation, prepare))

    def add_file(self, path: str) -> None:
        """Add an image file that the person chose, pasted or dropped."""

        async def prepare(pictures: Pictures) -> NewAttachment:
            return await pictures.prepare_file(Path(path))

        self._do(self._add(self._conversation, prepare))

    def remove(self, attachment_id: int) -> None:
        self._do(self._remove(self._conversation, attachment_id))

    # ---- pixels

    def pixels(self, attachment_id: int, width: int, height: int) -> Drawn | None:
        """The image within this size, or None while it is not here; then `arrived` tells when it is."""
        key = (attachment_id, width, height)
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key]
        if key not in self._asked:
            self._asked.add(key)
            self._bridge.submit(
                self._draw(key),
                lambda drawn: self._keep(key, drawn),
                lambda error: self._not_drawn(key, error),
            )
        return None

    async def close(self) -> None:
        """End the child. Runs on core."""
        if self._pictures is not None:
            await self._pictures.close()

    # ---- on core

    async def _add(
        self, conversation_id: int | None, prepare: Callable[[Pictures], Awaitable[NewAttachment]]
    ) -> tuple[int | None, tuple[DraftImage, ...]]:
        from models.runtime.faults import Fault, RuntimeFault

        async with self._in_order():
            new = await prepare(self._child())
            kept = await self._store.draft_attachments(conversation_id)
            if len(kept) >= MOST_IMAGES:
                raise RuntimeFault(Fault.TOO_MANY_IMAGES, facts={"most": MOST_IMAGES})
            await self._store.set_draft_attachments(conversation_id, [*(one.id for one in kept), new])
            return await self._read(conversation_id)

    async def _remove(
        self, conversation_id: int | None, attachment_id: int
    ) -> tuple[int | None, tuple[DraftImage, ...]]:
        async with self._in_order():
            kept = await self._store.draft_attachments(conversation_id)
            left = [one.id for one in kept if one.id != attachment_id]
            await self._store.set_draft_attachments(conversation_id, left)
            return await self._read(conversation_id)

    async def _read(self, conversation_id: int | None) -> tuple[int | None, tuple[DraftImage, ...]]:
        return conversation_id, draft_of(await self._store.draft_attachments(conversation_id))

    async def _draw(self, key: tuple[int, int, int]) -> Drawn | None:
        attachment_id, width, height = key
        try:
            content = (await self._store.attachment(attachment_id)).content
        except LookupError:  # deleted meanwhile
            return None
        return await self._child().draw(content, width, height)

    def _child(self) -> Pictures:
        if self._pictures is None:
            from desktop.pictures import Pictures

            self._pictures = Pictures()
        return self._pictures

    def _in_order(self) -> asyncio.Lock:
        if self._order is None:
            import asyncio

            self._order = asyncio.Lock()
        return self._order

    # ---- back here

    def _do(self, work: Any) -> None:
        self._working += 1
        self.draft_changed.emit()
        self._bridge.submit(work, self._done, self._failed)

    def _done(self, read: tuple[int | None, tuple[DraftImage, ...]]) -> None:
        self._working -= 1
        self._set_draft(*read)
        self.draft_changed.emit()

    def _failed(self, error: Exception) -> None:
        from models.runtime.faults import RuntimeFault

        self._working -= 1
        self.draft_changed.emit()
        if isinstance(error, RuntimeFault):
            self.notice.emit(Notice.of(model_fault(error.fault, error.detail, error.facts, "")))
        elif isinstance(error, StoreFault):
            self.notice.emit(Notice.of(store_fault(error)))
        else:
            raise error

    def _set_draft(self, conversation_id: int | None, draft: tuple[DraftImage, ...]) -> None:
        if conversation_id == self._conversation and draft != self.draft:
            self.draft = draft
            self.draft_changed.emit()

    def _keep(self, key: tuple[int, int, int], drawn: Drawn | None) -> None:
        self._asked.discard(key)
        self._kept[key] = drawn
        while len(self._kept) > 1 and sum(len(one.data) for one in self._kept.values() if one) > _MOST_KEPT:
            self._kept.popitem(last=False)
        self.arrived.emit(key[0])

    def _not_drawn(self, key: tuple[int, int, int], error: Exception) -> None:
        from models.runtime.faults import RuntimeFault

        self._keep(key, None)  # an empty frame
        if not isinstance(error, RuntimeFault | StoreFault):
            raise error


def draft_of(attachments: list[Attachment]) -> tuple[DraftImage, ...]:
    """What the composer shows of a draft's attachments."""
    return tuple(DraftImage(one.id, one.name) for one in attachments)
