"""The desktop's side of the broker: requests as streams of events. asyncio; never blocks the loop."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator
from typing import Protocol

from models.codec import ProtocolError
from models.runtime.link import ParentSide
from providers.gate.faults import BrokerGone, GateError
from providers.gate.protocol import (
    Cancel,
    Chunk,
    Ended,
    Event,
    Failed,
    Fetch,
    GateFault,
    Ready,
    read_event,
    to_record,
)
from providers.gate.rules import Purpose

_UNREAD = 64  # events that one request may have waiting before the broker has to wait
_READY_SECONDS = 30.0
_LAST_ROWS_SECONDS = 5.0


class BrokerLink(ParentSide, Protocol):
    """The parent's end of a broker."""

    def hang_up(self) -> None:
        """End the child's input: it closes its rows and ends by itself."""


class BrokerClient:
    """One running broker. All methods belong to one event loop. `close` ends it."""

    def __init__(self, link: BrokerLink) -> None:
        self._link = link
        self._inboxes: dict[int, _Inbox] = {}
        self._last = 0
        self._ready: asyncio.Future[Ready] = asyncio.get_running_loop().create_future()
        self._gone: BrokerGone | None = None
        self._pump = asyncio.create_task(self._receive())

    async def ready(self) -> Ready:
        """What the broker said of itself when it had started. Raises `BrokerGone`."""
        try:
            return await asyncio.wait_for(asyncio.shield(self._ready), _READY_SECONDS)
        except TimeoutError as error:
            raise BrokerGone("it did not start in time") from error

    async def request(self, message: object) -> AsyncGenerator[Event, None]:
        """Ask for one thing: the events of its answer, without the last. Raises `GateError`, `BrokerGone`.

        Closing the iterator gives the request up: the connection is cut.
        """
        if self._gone is not None:
            raise self._gone
        self._last += 1
        number, inbox = self._last, _Inbox()
        self._inboxes[number] = inbox
        ended = False
        self._link.send(to_record(number, message))
        try:
            while True:
                event = await inbox.get()
                match event:
                    case BrokerGone():
                        ended = True
                        raise event
                    case Ended():
                        ended = True
                        return
                    case Failed(fault, rule, detail):
                        ended = True
                        raise GateError(fault, rule, detail)
                    case _:
                        yield event
        finally:
            del self._inboxes[number]
            inbox.close()
            if not ended:
                self._link.send(to_record(number, Cancel()))

    async def fetch(self, url: str, purpose: Purpose, limit: int) -> bytes:
        """The body of one resource whose status is 200. Raises `GateError` (UNREADABLE for another status)."""
        pieces: list[bytes] = []
        status = 0
        events = self.request(Fetch(url, purpose, limit))
        try:
            async for event in events:
                status = getattr(event, "status", status)
                if isinstance(event, Chunk):
                    pieces.append(event.data)
        finally:
            await events.aclose()
        if status != 200:
            raise GateError(GateFault.UNREADABLE, detail=f"status {status}")
        return b"".join(pieces)

    async def close(self) -> None:
        """End the broker in good order. What is under way ends with `BrokerGone`."""
        self._link.hang_up()
        try:
            await asyncio.wait_for(self._link.wait(), _LAST_ROWS_SECONDS)
        except TimeoutError:
            self._link.kill()
            await self._link.wait()
        await self._pump

    async def _receive(self) -> None:
        """Hand every event to the request that it belongs to, until the broker has gone."""
        complaint = ""
        try:
            while (record := await self._link.receive()) is not None:
                number, event = read_event(record)
                if isinstance(event, Ready):
                    if not self._ready.done():
                        self._ready.set_result(event)
                elif (inbox := self._inboxes.get(number)) is not None:
                    await inbox.put(event)
        except ProtocolError as error:
            complaint = str(error)
            self._link.kill()
        self._gone = BrokerGone(complaint or self._link.last_words)
        if not self._ready.done():
            self._ready.set_exception(self._gone)
            self._ready.exception()  # whoever does not ask is not to be warned
        for inbox in list(self._inboxes.values()):
            inbox.end(self._gone)


class _Inbox:
    """The events of one request. Makes the sender wait when the reader is slow."""

    def __init__(self) -> None:
        self._events: deque[Event | BrokerGone] = deque()
        self._changed = asyncio.Event()
        self._closed = False

    async def put(self, event: Event) -> None:
        self._events.append(event)
        self._changed.set()
        while len(self._events) >= _UNREAD and not self._closed:
            self._changed.clear()
            await self._changed.wait()

    def end(self, gone: BrokerGone) -> None:
        self._events.append(gone)
        self._changed.set()

    async def get(self) -> Event | BrokerGone:
        while not self._events:
            self._changed.clear()
            await self._changed.wait()
        event = self._events.popleft()
        self._changed.set()
        return event

    def close(self) -> None:
        self._closed = True
        self._changed.set()
