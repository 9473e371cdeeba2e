"""The broker: the child process that has the network. Locked to its own folders before this file is imported.

The main thread takes requests; each is worked on in a thread of its own, through the gate and with its rows.
When the parent has gone, whatever is under way is cut off, its rows are closed, and the process ends.
"""

from __future__ import annotations

import os
import sys
import threading
import traceback
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

from models.runtime.link import ChildSide
from providers.gate.chat_errands import ChatErrands
from providers.gate.chat_messages import ChatSend, ModelsList
from providers.gate.enabled import Enabled
from providers.gate.errand import Errand
from providers.gate.faults import GateError
from providers.gate.fetch import fetch
from providers.gate.gate import Gate
from providers.gate.hub_errands import HubErrands
from providers.gate.hub_messages import (
    HubFit,
    HubLook,
    HubPull,
    HubSearch,
    QueueAdd,
    QueueCancel,
    QueueMove,
    QueuePause,
    QueueResume,
    QueueWatch,
)
from providers.gate.key_messages import KeyDrop, KeyHold, KeyTest
from providers.gate.ledger import Ledger
from providers.gate.ledger_key import LedgerKey
from providers.gate.money import Money
from providers.gate.protocol import (
    Cancel,
    Ended,
    Event,
    Failed,
    Fetch,
    GateFault,
    Ready,
    read_request,
    to_record,
)
from providers.gate.rules import Label, Mirror, Position, Purpose, Setting
from providers.gate.transport import GatedClient, GatedHttp, make_client
from providers.keys import HUB, KeyPlace, provider_key

__all__ = ["Handler", "Mirror", "Position", "Setting", "main"]

MOST_AT_ONCE = 16
_LAST_ROWS = 1.0  # seconds for what is cut off at the end to write its last rows
_DETAIL = 300

Handler = Callable[[Any, GatedHttp, Callable[[Event], None]], None]
"""Does one request: takes its message, what to send with, and where events go. Raises `GateError`.

Its end is announced for it. A library that brings its own requests runs inside as well, on a client of
`make_client`: what the handler's thread sends is sent for the handler's errand.
"""


def handlers(hub: HubErrands, chat: ChatErrands) -> dict[type, Handler]:
    """Each kind of request and what does it. Another kind is one entry here and one in `protocol.REQUESTS`."""

    def test_key(asked: KeyTest, http: GatedHttp, send: Callable[[Event], None]) -> None:
        (hub.keys.test if asked.owner == HUB else chat.test_key)(asked, http, send)

    todo: dict[type, Handler] = {
        Fetch: fetch,
        HubSearch: hub.search,
        HubLook: hub.look,
        HubPull: hub.pull,
        HubFit: hub.fit,
        QueueWatch: hub.watch,
        QueueAdd: hub.add,
        QueuePause: hub.pause,
        QueueResume: hub.resume,
        QueueCancel: hub.cancel,
        QueueMove: hub.move,
        KeyHold: hub.keys.hold,
        KeyDrop: hub.keys.drop,
        KeyTest: test_key,
        ChatSend: chat.answer,
        ModelsList: chat.models,
    }
    return {kind: hub.keys.explained(handler) for kind, handler in todo.items()}


def main(channel: ChildSide, setting: Setting, lock_summary: str, locked: bool) -> NoReturn:
    """Serve the parent until it goes away. `lock_summary`: what the lock of this process came to, in words."""
    broker = _Broker(channel, setting)
    broker.send(0, Ready(broker.position, lock_summary, locked))
    broker.serve()


class _Broker:
    def __init__(self, channel: ChildSide, setting: Setting) -> None:
        self._channel = channel
        self._enabled = Enabled(setting.home)
        money = Money(setting.home, self._enabled)
        gate = Gate(replace(setting, endpoints=self._enabled, within_budget=money.within_budget))
        self.position = gate.setting.position
        ledger = Ledger(Path(setting.home) / "ledger" / "ledger.jsonl", ask_for_key=LedgerKey())
        self._client: GatedClient = make_client(gate, ledger)
        self._http = GatedHttp(self._client)
        self._hub = HubErrands(gate.setting, self._client, self._place_of)
        self._handlers = handlers(self._hub, ChatErrands(self._enabled, self._hub.keys, money.price))
        self._errands: dict[int, Errand] = {}
        self._threads: dict[int, threading.Thread] = {}
        self._lock = threading.Lock()

    def _place_of(self, provider: str) -> KeyPlace | None:
        service = self._enabled.known(provider)
        return None if service is None else provider_key(service.id, service.base_url, service.own)

    def send(self, number: int, event: Event) -> None:
        self._channel.send(to_record(number, event))

    def serve(self) -> NoReturn:
        """The main loop. Ends the process whatever happens: without it nobody could stop what is under way."""
        status = 1
        try:
            while (record := self._channel.receive()) is not None:
                self._take(*read_request(record))
            status = 0
        except BaseException:  # a bug of the parent, told on stderr
            traceback.print_exc(file=sys.stderr)
        finally:
            self._cut_off()
            sys.stderr.flush()
            os._exit(status)  # threads that wait for a name to be resolved can't be ended in another way

    def _take(self, number: int, message: object) -> None:
        with self._lock:
            errand = self._errands.get(number)
        if isinstance(message, Cancel):
            if errand is not None:
                errand.give_up()
            return
        if errand is not None or len(self._errands) >= MOST_AT_ONCE:
            self.send(number, Failed(GateFault.BUSY))
            return
        errand = _errand_of(message)
        thread = threading.Thread(target=self._do, args=(number, message, errand), daemon=True)
        with self._lock:
            self._errands[number], self._threads[number] = errand, thread
        thread.start()

    def _do(self, number: int, message: object, errand: Errand) -> None:
        """One thread: one request."""
        end: Event = Ended()
        try:
            with errand.running():
                self._handlers[type(message)](message, self._http, lambda event: self.send(number, event))
        except GateError as error:
            fault = GateFault.CANCELLED if errand.given_up else error.fault
            end = Failed(fault, error.rule, error.detail[:_DETAIL])
        except Exception as error:  # the one place where a bug becomes a message; its words could quote a key
            end = Failed(GateFault.INTERNAL, detail=type(error).__name__)
        with self._lock:
            self._errands.pop(number, None)
            self._threads.pop(number, None)
        self.send(number, end)

    def _cut_off(self) -> None:
        with self._lock:
            errands, threads = list(self._errands.values()), list(self._threads.values())
        for errand in errands:
            errand.give_up()
        self._hub.end()
        for thread in threads:
            thread.join(_LAST_ROWS / max(1, len(threads)))


def _errand_of(message: object) -> Errand:
    """What a request is for: its own `purpose`, `provider`, `model`, `conversation`, `label`, where it has them."""

    def fact(name: str) -> str:
        return str(getattr(message, name, ""))

    purpose = Purpose(getattr(message, "purpose", Purpose.DOWNLOAD))
    label = getattr(message, "label", Label.STAYS)
    return Errand(purpose, fact("provider"), fact("model"), fact("conversation"), label=label)
