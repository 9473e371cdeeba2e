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
from providers.keys import KeyPlace, Owner, Secret, hub_key, key_problem

NO_KEY = "no_key"
_SAY_WHY = frozenset({HubKind.GATED_NO_TOKEN.value, NO_KEY})

_AGAIN_AFTER = 60.0
"""Seconds until a keychain that is not there, or did not answer, is asked again: each try may take long."""

Send = Callable[[Any], None]
Handler = Callable[[Any, GatedHttp, Send], None]


class KeyErrands:
    """What a broker knows of keys. Each method runs in the thread of the request that needs it."""

    def __init__(self, setting: Setting, library: LazyHub) -> None:
        self._endpoint = setting.mirror.url.rstrip("/") or PUBLIC_HUB
        self._hub = hub_key(self._endpoint)
        self._library = library
        self._held: dict[Owner, Secret] = {}
        self._not_before = 0.0  # of time.monotonic()
        self._state = KeychainState.READY
        self._lock = threading.Lock()

    def token_for(self, endpoint: str) -> str | None:
        """The person's token for a hub; None for none, for another hub, and where the keychain does not give it.

        What is open to everybody can be fetched all the same, so a keychain in the way is no fault here.
        """
        place = hub_key(endpoint)
        if place != self._hub:
            return None
        secret = self._secret(place)
        if secret is None or key_problem(secret.reveal()) is not None:
            return None
        return secret.reveal()

    def _secret(self, place: KeyPlace) -> Secret | None:
        held = self._held.get(place.owner)
        if held is not None:
            return held
        with self._lock:
            if time.monotonic() < self._not_before:
                return None
            try:
                found = keychain.read(place.service)
                self._state = KeychainState.READY
            except KeychainFault as fault:
                self._state = fault.state
                if fault.state is not KeychainState.LOCKED:
                    self._not_before = time.monotonic() + _AGAIN_AFTER
                return None
            return found

    def explained(self, handler: Handler) -> Handler:
        """The handler, whose refusals for want of a key say what the keychain had to do with it."""

        def handle(asked: Any, http: GatedHttp, send: Send) -> None:
            def told(event: Any) -> None:
                if isinstance(event, HubRefused) and event.code in _SAY_WHY:
                    event = replace(event, facts={**event.facts, "keychain": self._state.value})
                send(event)

            handler(asked, http, told)

        return handle

    # ---- handlers

    def hold(self, asked: KeyHold, _: GatedHttp, send: Send) -> None:
        problem = key_problem(asked.key)
        if problem is not None:
            return send(HubRefused(problem.value))
        self._held[asked.owner] = Secret(asked.key)
        send(KeyHeld(True))

    def drop(self, asked: KeyDrop, _: GatedHttp, send: Send) -> None:
        self._held.pop(asked.owner, None)
        send(KeyHeld(False))

    def test(self, asked: KeyTest, _: GatedHttp, send: Send) -> None:
        self._not_before = 0.0  # a person asked: look again
        token = self.token_for(self._endpoint)
        if token is None:
            return send(HubRefused(NO_KEY))
        try:
            send(KeyWorks(self._library().whoami(self._endpoint, token)))
        except HubFault as fault:
            send(HubRefused(fault.kind.value, fault.detail, fault.facts))
