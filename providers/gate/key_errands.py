"""The broker's keys: read from the keychain at the moment of sending, or held in memory where there is none."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from models.hub_faults import HubFault, HubKind
from models.hub_values import PUBLIC_HUB
from providers import keychain
from providers.gate.hub_messages import HubRefused
from providers.gate.key_messages import KeyDrop, KeyHeld, KeyHold, KeyTest, KeyWorks
from providers.gate.lazy_hub import LazyHub
from providers.gate.rules import Setting
from providers.gate.transport import GatedHttp
from providers.keychain import KeychainFault, KeychainState
from providers.keys import HUB, KeyPlace, Secret, hub_key, key_problem

NO_KEY = "no_key"
_SAY_WHY = frozenset({HubKind.GATED_NO_TOKEN.value, NO_KEY})

_AGAIN_AFTER = 60.0
"""Seconds until a keychain that is not there, or did not answer, is asked again: each try may take long."""

Send = Callable[[Any], None]
Handler = Callable[[Any, GatedHttp, Send], None]


class KeyErrands:
    """What a broker knows of keys. Each method runs in the thread of the request that needs it."""

    def __init__(
        self,
        setting: Setting,
        library: LazyHub,
        place_of: Callable[[str], KeyPlace | None] = lambda owner: None,
    ) -> None:
        """`place_of`: where the key of a provider is kept; None for one that nobody knows."""
        self._endpoint = setting.mirror.url.rstrip("/") or PUBLIC_HUB
        self._hub = hub_key(self._endpoint)
        self._library = library
        self._place_of = place_of
        self._held: dict[KeyPlace, Secret] = {}  # by place: another address has another key
        self._not_before = 0.0  # of time.monotonic()
        self.state = KeychainState.READY
        self._lock = threading.Lock()

    def token_for(self, endpoint: str) -> str | None:
        """The person's token for a hub; None for none, for another hub, and where the keychain does not give it.

        What is open to everybody can be fetched all the same, so a keychain in the way is no fault here.
        """
        place = hub_key(endpoint)
        if place != self._hub:
            return None
        secret = self.secret_of(place)
        return None if secret is None else secret.reveal()

    def secret_of(self, place: KeyPlace) -> Secret | None:
        """The key of a place; None where there is none, or what is there can't be one. `state` says how that came."""
        secret = self._found(place)
        return None if secret is None or key_problem(secret.reveal()) is not None else secret

    def look_again(self) -> None:
        """A person asks: a keychain that did not answer a moment ago is asked again."""
        self._not_before = 0.0

    def _found(self, place: KeyPlace) -> Secret | None:
        held = self._held.get(place)
        if held is not None:
            return held
        with self._lock:
            if time.monotonic() < self._not_before:
                return None
            try:
                found = keychain.read(place.service)
                self.state = KeychainState.READY
            except KeychainFault as fault:
                self.state = fault.state
                if fault.state is not KeychainState.LOCKED:
                    self._not_before = time.monotonic() + _AGAIN_AFTER
                return None
            return found

    def explained(self, handler: Handler) -> Handler:
        """The handler, whose refusals for want of a key say what the keychain had to do with it."""

        def handle(asked: Any, http: GatedHttp, send: Send) -> None:
            def told(event: Any) -> None:
                if isinstance(event, HubRefused) and event.code in _SAY_WHY:
                    event = replace(event, facts={**event.facts, "keychain": self.state.value})
                send(event)

            handler(asked, http, told)

        return handle

    # ---- handlers

    def hold(self, asked: KeyHold, _: GatedHttp, send: Send) -> None:
        problem = key_problem(asked.key)
        if problem is not None:
            return send(HubRefused(problem.value))
        place = self._place(asked.owner)
        if place is None:
            return send(KeyHeld(False))
        self._held[place] = Secret(asked.key)
        send(KeyHeld(True))

    def drop(self, asked: KeyDrop, _: GatedHttp, send: Send) -> None:
        place = self._place(asked.owner)
        if place is not None:
            self._held.pop(place, None)
        send(KeyHeld(False))

    def _place(self, owner: str) -> KeyPlace | None:
        return self._hub if owner == HUB else self._place_of(owner)

    def test(self, asked: KeyTest, _: GatedHttp, send: Send) -> None:
        """Ask the hub. A provider is asked by `chat_errands`."""
        self.look_again()
        token = self.token_for(self._endpoint)
        if token is None:
            return send(HubRefused(NO_KEY))
        try:
            send(KeyWorks(self._library().whoami(self._endpoint, token)))
        except HubFault as fault:
            send(HubRefused(fault.kind.value, fault.detail, fault.facts))
