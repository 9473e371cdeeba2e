"""A model elsewhere as the provider of a turn: what is asked goes to the broker, what it says comes back as events.

Nothing here opens a connection or sees a key. asyncio.
"""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import replace

from providers.base import ChatRequest
from providers.errors import ProviderError
from providers.events import (
    Billed,
    Event,
    Finished,
    Limits,
    ReasoningDelta,
    ReasoningRecord,
    TextDelta,
    ToolCall,
    Usage,
    Waiting,
)
from providers.gate.chat_messages import ChatSend, RemoteRefused
from providers.gate.client import BrokerClient
from providers.gate.faults import BrokerGone, GateError
from providers.gate.rules import Label, Purpose
from providers.remote.faults import RemoteFault
from providers.remote.values import ChatCall

Connect = Callable[[], Awaitable[BrokerClient]]
"""The broker, once it is there. Raises `BrokerGone`, or LookupError when there is none: Alcove is offline."""

_EVENTS = (TextDelta, ReasoningDelta, ReasoningRecord, ToolCall, Waiting, Limits, Billed, Finished)


class RemoteModel:
    """One model of one provider. It holds nothing: two turns may use it at once."""

    def __init__(
        self, connect: Connect, provider: str, provider_name: str, model: str, name: str = ""
    ) -> None:
        """`provider`: its id; `name`: what people call the model, its id otherwise."""
        self._connect = connect
        self._provider = provider
        self._provider_name = provider_name
        self._model = model
        self._name = name or model

    @property
    def name(self) -> str:
        """What its provider calls it."""
        return self._name

    @property
    def origin(self) -> str:
        """The id of the provider."""
        return self._provider

    async def stream(self, request: ChatRequest) -> AsyncGenerator[Event, None]:
        """The answer. Closing it cuts the connection; what that answer cost is then not known.

        Local sampling, adapters and the like do not go along: they mean nothing there, and some services refuse
        what they do not know.
        """
        clock = _Clock()
        message = self._message(request)
        try:
            client = await self._connect()
            async with aclosing(client.request(message)) as events:
                async for event in events:
                    match event:
                        case RemoteRefused(fault, detail, facts):
                            raise ProviderError(fault, detail, {**facts, "provider": self._provider_name})
                        case Usage():
                            yield clock.timed(event)
                        case _ if isinstance(event, _EVENTS):
                            clock.take(event)
                            yield event
        except GateError as error:
            raise self._gate_error(error) from error
        except BrokerGone as error:
            raise ProviderError(RemoteFault.NO_BROKER, error.detail, self._facts()) from error
        except LookupError as error:
            raise ProviderError(RemoteFault.OFFLINE, "", self._facts()) from error

    async def close(self) -> None:
        """Nothing is held."""

    def call(self, request: ChatRequest) -> ChatCall:
        """What is asked of the service for a request, whoever looks at it before it is sent."""
        return ChatCall(
            model=self._model,
            turns=request.turns,
            stop=request.sampling.stop,
            max_tokens=request.max_tokens,
            constraint=request.constraint,
            tools=request.tools,
            effort=request.effort,
        )

    def _message(self, request: ChatRequest) -> ChatSend:
        label = Label.MAY_LEAVE if request.may_leave else Label.STAYS
        return ChatSend(self._provider, request.conversation, self.call(request), label, Purpose.CHAT)

    def _gate_error(self, error: GateError) -> ProviderError:
        return gate_error(error, self._facts())

    def _facts(self) -> dict[str, int | str]:
        return {"provider": self._provider_name}


def gate_error(error: GateError, facts: dict[str, int | str]) -> ProviderError:
    """What the gate refused, or did not get through, as an error of a model. `facts`: what is known besides."""
    return ProviderError(
        RemoteFault.GATE, error.detail, {**facts, "gate": error.fault.value, "rule": error.rule}
    )


class _Clock:
    """When the words of an answer came: no service tells."""

    def __init__(self) -> None:
        self._asked = time.monotonic()
        self._first: float | None = None
        self._last = self._asked

    def take(self, event: Event) -> None:
        if isinstance(event, TextDelta | ReasoningDelta):
            self._last = time.monotonic()
            self._first = self._first or self._last

    def timed(self, usage: Usage) -> Usage:
        """The usage with the times, in milliseconds, where the service has none of its own."""
        first = self._first or time.monotonic()
        to_first = (first - self._asked) * 1000
        return replace(
            usage,
            first_token_ms=to_first,
            prompt_ms=usage.prompt_ms or to_first,
            generate_ms=usage.generate_ms or max(0.0, (self._last - first) * 1000),
        )
