"""What goes into a turn and what comes out of it, as values. The window needs these before it needs the machinery."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from desktop.store.faults import StoreFault
from desktop.store.records import Conversation, Message, NewAttachment
from models.runtime.values import Adapter, Constraint, Effort, Sampling
from providers.events import Event


@dataclass(frozen=True, slots=True)
class Ask:
    """What the person wants answered, and how.

    Either a new question: `text`, below `parent_id`, in `conversation_id` (None: in a new conversation).
    Or a new answer to a question that is already there: `answer_to`. `attached` goes with a new question: new, or
    copies of attachments that are there (their ids).
    """

    system_prompt: str = ""
    sampling: Sampling = field(default_factory=Sampling)
    max_tokens: int | None = None
    conversation_id: int | None = None
    parent_id: int | None = None
    text: str = ""
    answer_to: int | None = None
    constraint: Constraint | None = None
    adapters: tuple[Adapter, ...] = ()
    attached: tuple[NewAttachment | int, ...] = ()
    effort: Effort = Effort.AUTOMATIC
    agreed_to: str = ""
    """The provider that the person has just agreed this conversation may go to."""
    stays: bool = False
    """A new conversation is labelled from its first question on: it never leaves this device."""
    instead_of: tuple[str, str] | None = None
    """What people call the provider that could not answer, and why (a `RemoteFault`)."""


@dataclass(frozen=True, slots=True)
class Started:
    """Question and empty answer are on disk."""

    conversation: Conversation
    question: Message
    answer: Message


@dataclass(frozen=True, slots=True)
class NotStored:
    """The disk refuses the answer for now; it goes on in memory. Sent once for each run of refusals."""

    fault: StoreFault


@dataclass(frozen=True, slots=True)
class Ended:
    """The answer is over. `stored` False: it is still only in memory, and is being offered to the disk."""

    answer: Message
    stored: bool


SessionEvent = Started | Event | NotStored | Ended
Emit = Callable[[SessionEvent], None]
