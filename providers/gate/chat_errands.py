"""The broker's work with remote models: one answer, one list of models. All of it through the gate, with its rows.

The conversation comes with the request; the address comes from the file of enabled providers and the key from the
keychain, both at this moment. A dialect makes the request and reads what comes back; nothing else here knows one
service from another.
"""

from __future__ import annotations

import base64
import json
import random
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any
from urllib.parse import quote

from providers.events import Billed, Event, Finished, ReasoningDelta, TextDelta, Usage, Waiting
from providers.gate.chat_messages import ChatSend, ModelsFound, ModelsList, RemoteRefused
from providers.gate.enabled import Enabled
from providers.gate.errand import Errand, Spent, current_errand
from providers.gate.faults import GateError
from providers.gate.key_errands import KeyErrands
from providers.gate.key_messages import KeyTest, KeyWorks
from providers.gate.protocol import GateFault
from providers.gate.rules import Rule
from providers.gate.transport import GatedHttp, GatedResponse
from providers.keys import provider_key
from providers.remote.dialect import Dialect, Reader
from providers.remote.dialects import dialect
from providers.remote.faults import RemoteFailure, RemoteFault
from providers.remote.refusals import MOST_ERROR_BYTES, limits
from providers.remote.values import Auth, HttpCall, RemoteModelInfo, Service

MOST_TRIES = 3
LONGEST_WAIT = 30.0
"""Seconds that are waited for a busy service. One that asks for more is not asked again by itself."""
_FIRST_WAIT = 1.0
_MOST_LIST_BYTES = 16 << 20
_RECOGNISED = 8  # characters of a key by which somebody could tell which one it is

# Said before anything was done: asking again costs nothing and does nothing twice.
_BUSY = frozenset({RemoteFault.RATE_LIMITED, RemoteFault.OVERLOADED})
_BUSY_STATUS = frozenset({429, 503, 529})

_NOWHERE = "https://provider.invalid/"
"""Where a provider that nobody knows would be: its refusal is written down like any other."""

Send = Callable[[Any], None]
Price = Callable[[Service, str, Usage], Billed]
"""What an answer cost, by a list of prices; UNKNOWN where it has none."""


def no_price(service: Service, model: str, usage: Usage) -> Billed:
    """Without a list of prices."""
    return Billed()


class ChatErrands:
    """Each method runs in the thread of its request and may be given up."""

    def __init__(self, enabled: Enabled, keys: KeyErrands, price: Price = no_price) -> None:
        self._enabled = enabled
        self._keys = keys
        self._price = price

    def answer(self, asked: ChatSend, http: GatedHttp, send: Send) -> None:
        """Ask a model and pass its answer on."""
        service = self._service(asked.provider, http)
        with _Refusals(send, service) as refusals:
            speaks = dialect(service.dialect)
            call = speaks.chat(asked.call, service)
            headers = self._headers(service, call, http, refusals)

            def read(response: GatedResponse) -> None:
                if (told := limits(response.headers)) is not None:
                    send(told)
                reader = speaks.reader(service)
                for event in self._billed(service, asked.model, _events(response, reader)):
                    send(event)

            _try(http, service, speaks, call, headers, read, send)

    def models(self, asked: ModelsList, http: GatedHttp, send: Send) -> None:
        """Ask a provider which models it has."""
        service = self._service(asked.provider, http)
        with _Refusals(send, service) as refusals:
            send(ModelsFound(self._list(service, http, refusals)))

    def test_key(self, asked: KeyTest, http: GatedHttp, send: Send) -> None:
        """Ask a provider whether it takes the key that would be sent: by its list of models."""
        self._keys.look_again()
        service = self._service(asked.owner, http)
        with _Refusals(send, service) as refusals:
            self._list(service, http, refusals)
            send(KeyWorks(""))

    def _list(self, service: Service, http: GatedHttp, refusals: _Refusals) -> tuple[RemoteModelInfo, ...]:
        speaks = dialect(service.dialect)
        call = speaks.models(service)
        headers = self._headers(service, call, http, refusals)
        found: list[tuple[RemoteModelInfo, ...]] = []

        def read(response: GatedResponse) -> None:
            found.append(speaks.read_models(_whole(response, _MOST_LIST_BYTES), service))

        _try(http, service, speaks, call, headers, read, lambda _: None)
        return found[-1]

    def _service(self, provider: str, http: GatedHttp) -> Service:
        """The provider, enabled or not: whether it may be asked is for the gate to say, and to write down."""
        service = self._enabled.known(provider)
        if service is None:
            http.judge("GET", _NOWHERE, b"", carries_key=False)
            raise GateError(GateFault.REFUSED, Rule.NO_PROVIDER.value)
        return service

    def _headers(
        self, service: Service, call: HttpCall, http: GatedHttp, refusals: _Refusals
    ) -> dict[str, str]:
        """The headers with the key, once the gate has nothing against it. Raises `GateError`, `RemoteFailure`."""
        http.judge(
            call.method, service.base_url + call.path, call.body, carries_key=service.auth is not Auth.NONE
        )
        if service.auth is Auth.NONE:
            return dict(call.headers)
        secret = self._keys.secret_of(provider_key(service.id, service.base_url, service.own))
        if secret is None:
            raise RemoteFailure(RemoteFault.NO_KEY, facts={"keychain": self._keys.state.value})
        refusals.key = key = secret.reveal()
        if service.auth is Auth.BEARER:
            return {**call.headers, "authorization": f"Bearer {key}"}
        return {**call.headers, service.auth.value: key}

    def _billed(self, service: Service, model: str, events: Iterable[Event]) -> Iterator[Event]:
        """The events with the cost before the last, and what was used noted for the row of the end."""
        usage: Usage | None = None
        is_billed = False
        for event in events:
            match event:
                case Usage():
                    usage = event
                    _spent().tokens_in, _spent().tokens_out = event.prompt_tokens, event.generated_tokens
                case Billed():
                    is_billed = True
                    _note_cost(event)
                case Finished() if not is_billed:
                    billed = Billed() if usage is None else self._price(service, model, usage)
                    _note_cost(billed)
                    yield billed
            yield event


class _Refusals:
    """What a service refuses becomes an event. What the gate refuses is none: the broker says that itself.

    `key`: the one that was sent. Services like to quote it, and nobody is to read it in their words.
    """

    def __init__(self, send: Send, service: Service) -> None:
        self._send = send
        self._service = service
        self.key = ""

    def __enter__(self) -> _Refusals:
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        if not isinstance(error, RemoteFailure):
            return False
        facts = {
            name: without_key(said, self.key) if isinstance(said, str) else said
            for name, said in error.facts.items()
        }
        detail = without_key(error.detail, self.key)
        self._send(RemoteRefused(error.fault, detail, {"provider": self._service.name, **facts}))
        return True


def without_key(text: str, key: str) -> str:
    """A text without the key, nor so much of its beginning or end that it could be recognised by it."""
    if not key or not text:
        return text
    forms = _written(key)
    for length in range(
        max(map(len, forms)), min(len(key), _RECOGNISED) - 1, -1
    ):  # else a part leaves the rest
        for form in forms:
            for part in {form[:length], form[-length:]} if len(form) >= length else ():
                text = text.replace(part, "…")
    return text


def _written(key: str) -> set[str]:
    """A key as it is, and as JSON, URLs and Basic authorization would write it."""
    in_json = json.dumps(key)[1:-1]
    in_url = quote(key, safe="")
    small = re.sub("%..", lambda found: found[0].lower(), in_url)
    in_basic = base64.b64encode(key.encode()).decode()
    return {key, in_json, in_json.replace("/", "\\/"), in_url, small, quote(key), in_basic}


def _try(
    http: GatedHttp,
    service: Service,
    speaks: Dialect,
    call: HttpCall,
    headers: dict[str, str],
    read: Callable[[GatedResponse], None],
    send: Send,
) -> None:
    """One request, and again after a while where the service was busy or not there and nothing has been done yet.

    Each try passes the gate and has rows of its own. Raises `RemoteFailure`, `GateError`.
    """
    for attempt in range(1, MOST_TRIES + 1):
        _begin()
        answered = False
        try:
            with http.stream(call.method, service.base_url + call.path, headers, call.body) as response:
                answered = True
                if response.status == 200:
                    return read(response)
                failure = speaks.failure(
                    response.status, response.headers, _whole(response, MOST_ERROR_BYTES, cut=True)
                )
                is_busy = response.status in _BUSY_STATUS and failure.fault in _BUSY
        except GateError as error:
            if answered or error.fault is not GateFault.UNREACHABLE or attempt == MOST_TRIES:
                raise
            wait = _backoff(attempt)
        else:
            wait = failure.retry_after if failure.retry_after is not None else _backoff(attempt)
            if not is_busy or attempt == MOST_TRIES or wait > LONGEST_WAIT:
                raise failure
        send(Waiting(round(wait, 1), attempt))
        _pause(wait)


def _backoff(attempt: int) -> float:
    """Seconds: twice as long each time, and never the same for everybody who was turned away at once."""
    return _FIRST_WAIT * 2.0 ** (attempt - 1) * random.uniform(0.75, 1.25)


def _events(response: GatedResponse, reader: Reader) -> Iterator[Event]:
    """The events of an answer; neighbouring pieces of text that came together are one."""
    if response.headers.get("content-encoding", "identity").lower() != "identity":
        raise RemoteFailure(RemoteFault.UNREADABLE, "the answer is compressed, which it was not asked to be")
    for data in response.iter_bytes():
        yield from _joined(reader.take(data))
    yield from reader.end()


def _joined(events: Iterable[Event]) -> Iterator[Event]:
    kind: type[TextDelta | ReasoningDelta] = TextDelta
    waiting: list[str] = []  # texts of that kind
    try:
        for event in events:
            if waiting and type(event) is not kind:
                yield kind("".join(waiting))
                waiting = []
            if isinstance(event, TextDelta | ReasoningDelta):
                kind = type(event)
                waiting.append(event.text)
            else:
                yield event
    except RemoteFailure:
        if waiting:  # it came before what was wrong, and is the person's
            yield kind("".join(waiting))
        raise
    if waiting:
        yield kind("".join(waiting))


def _whole(response: GatedResponse, most: int, *, cut: bool = False) -> bytes:
    """A whole body. Raises `RemoteFailure` (TOO_LARGE), unless it may be `cut`."""
    if response.headers.get("content-encoding", "identity").lower() != "identity":
        return b""
    pieces, size = [], 0
    for piece in response.iter_bytes():
        pieces.append(piece)
        size += len(piece)
        if size > most:
            if cut:
                break
            raise RemoteFailure(RemoteFault.TOO_LARGE)
    return b"".join(pieces)[:most]


# ---- the errand of this thread


def _errand() -> Errand:
    errand = current_errand()
    assert errand is not None
    return errand


def _spent() -> Spent:
    return _errand().spent


def _begin() -> None:
    """Nothing is known of what this try uses, and that is not nothing."""
    _errand().spent = Spent()


def _note_cost(billed: Billed) -> None:
    _spent().cost, _spent().currency = billed.cost, billed.currency


def _pause(seconds: float) -> None:
    """Raises `GateError` when the errand is given up meanwhile."""
    if _errand().pause(seconds):
        raise GateError(GateFault.CANCELLED)
