"""What the desktop asks of the broker about remote models: part of `providers.gate.protocol`.

The broker looks the provider up among those that are enabled, reads its key from the keychain, and makes the request;
the desktop names no address and holds no key.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from providers.events import (
    Billed,
    Finished,
    Limits,
    ReasoningDelta,
    ReasoningRecord,
    TextDelta,
    ToolCall,
    Usage,
    Waiting,
)
from providers.gate.rules import Label, Purpose
from providers.remote.faults import RemoteFault
from providers.remote.values import ChatCall, RemoteModelInfo

# ---- desktop -> broker


@dataclass(frozen=True, slots=True)
class ChatSend:
    """Ask a remote model. Answered by the events of the answer, `Finished` among them; or by `RemoteRefused`.

    `label` is said anew for each request by who has just asked the store and the person.
    """

    provider: str
    conversation: str
    call: ChatCall
    label: Label
    purpose: Purpose = Purpose.CHAT

    @property
    def model(self) -> str:
        return self.call.model


@dataclass(frozen=True, slots=True)
class ModelsList:
    """Ask a provider which models it has. Answered by `ModelsFound` or `RemoteRefused`."""

    provider: str
    purpose: Purpose = Purpose.MODELS


# ---- broker -> desktop


@dataclass(frozen=True, slots=True)
class ModelsFound:
    models: tuple[RemoteModelInfo, ...]


@dataclass(frozen=True, slots=True)
class RemoteRefused:
    """It did not work, or broke off. `detail`: the service's own words, a stranger's, without any key."""

    fault: RemoteFault
    detail: str = ""
    facts: dict[str, int | str] = field(default_factory=dict)


ChatEvent = (
    TextDelta
    | ReasoningDelta
    | ReasoningRecord
    | ToolCall
    | Waiting
    | Limits
    | Usage
    | Billed
    | Finished
    | ModelsFound
    | RemoteRefused
)

CHAT_REQUESTS: tuple[type, ...] = (ChatSend, ModelsList)
CHAT_EVENTS: tuple[type, ...] = (
    *(TextDelta, ReasoningDelta, ReasoningRecord, ToolCall, Waiting, Limits, Usage, Billed, Finished),
    *(ModelsFound, RemoteRefused),
)
