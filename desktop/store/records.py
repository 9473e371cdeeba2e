"""What the store hands out: plain values, never rows or connections."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TypeAlias

Option: TypeAlias = "str | int | float | bool | list[Option] | dict[str, Option] | None"
"""One choice made for a conversation, as JSON has values. What a key means is known to those who use it."""


class Status(StrEnum):
    """Where a message stands. A user's message is always `COMPLETE`."""

    COMPLETE = "complete"
    STREAMING = "streaming"  # being written now
    STOPPED = "stopped"  # by the person
    INTERRUPTED = "interrupted"  # Alcove or the machine went down while it was being written
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Conversation:
    """`head_id` is the newest message of the branch that is shown. Times: seconds since 1970, UTC.

    `options`: what was chosen for this conversation alone, by name.
    """

    id: int
    title: str
    created_at: float
    updated_at: float
    trashed_at: float | None
    head_id: int | None
    options: Mapping[str, Option] = field(default_factory=dict)


@dataclass(slots=True)
class Message:
    """One node of a conversation's tree. Messages with the same parent are alternatives (branches).

    A value: use `dataclasses.replace`, never assign. It is not `frozen` because that makes building 10,000 of
    them, which opening a long conversation does, five times as slow.
    """

    id: int
    conversation_id: int
    parent_id: int | None
    role: str  # "user" or "assistant"
    text: str
    reasoning: str
    status: Status
    created_at: float  # seconds since 1970, UTC
    finished_at: float | None  # None while STREAMING, and when INTERRUPTED: nobody saw it end
    model: str  # name of the model that answered; empty for a user's message
    fault: str  # the Fault's value when FAILED, else empty
    fault_detail: str
    fault_facts: dict[str, int | str]  # numbers and names for the fault's sentence
    prompt_tokens: int
    reused_tokens: int
    generated_tokens: int
    context_tokens: int
    omitted_turns: int
    first_token_ms: float
    prompt_ms: float
    generate_ms: float
    reasoning_ms: float
    stop_reason: str
    provider: str  # the id of the provider that answered; empty for this device
    cost: str  # a decimal number; empty when it is not known, and for this device
    currency: str  # ISO 4217
    cost_basis: str  # a `providers.events.CostBasis`; empty for this device
    priced_on: str  # the day of the price list, ISO 8601; empty when the provider reported the cost
    branch: int  # 1-based place among its siblings, by creation
    branches: int  # number of siblings, itself included
    attachments: tuple[int, ...] = ()  # their ids; what is in them is read when it is shown


@dataclass(frozen=True, slots=True)
class NewAttachment:
    """Something to go with a question. `content` is a file of this media type, at most some megabytes."""

    content: bytes
    media_type: str  # as registered with IANA, such as "image/png"
    name: str = ""  # of the file it came from, for a person to read; never a path
    width: int = 0  # pixels
    height: int = 0
    kind: str = "image"


@dataclass(frozen=True, slots=True)
class Attachment:
    """Something that belongs to a question (`message_id`) or, without one, to a draft."""

    id: int
    conversation_id: int | None
    message_id: int | None
    kind: str
    media_type: str
    name: str
    width: int  # pixels
    height: int
    content: bytes


@dataclass(frozen=True, slots=True)
class SearchHit:
    """A place where the words of a search were found. `message_id` None: in the conversation's title."""

    conversation_id: int
    message_id: int | None
    title: str
    snippet: str  # a few words around the find, plain text


@dataclass(frozen=True, slots=True)
class Examination:
    """What is in the file, the trash included. `problems` are SQLite's own words; empty when all is well."""

    conversations: int
    messages: int
    problems: tuple[str, ...]


class OpeningKind(StrEnum):
    """What a person must be told about the opening of their conversations."""

    SET_ASIDE = "set_aside"  # the file was damaged: kept under another name, a new one begun
    READ_ONLY = "read_only"  # they can be read, nothing can be stored


@dataclass(frozen=True, slots=True)
class OpeningNotice:
    """Something out of the ordinary happened on opening.

    `kept` is where a damaged file now is. `conversations` and `messages` count what could be read from it and
    stands in the new file.
    """

    kind: OpeningKind
    kept: Path | None = None
    conversations: int = 0
    messages: int = 0
