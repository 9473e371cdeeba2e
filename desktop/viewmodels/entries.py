"""From a stored message to the entry on screen: its texts as they are, everything else in words."""

from __future__ import annotations

from desktop.i18n import tr
from desktop.store.records import Message, Status
from desktop.viewmodels.transcript import Entry
from desktop.words.models import model_fault
from desktop.words.remote import money, provider_name
from models.runtime.faults import StopReason
from providers.errors import kind_of

_PLAIN_ENDS = ("", StopReason.STOP.value)
"""Ends that need no words."""


def entry_of(message: Message) -> Entry:
    """The entry for one message. Cheap for a question: opening a conversation makes thousands."""
    if message.role == "user":
        return Entry(
            *(message.id, "user", message.text),
            branch=message.branch,
            branches=message.branches,
            images=message.attachments,
        )
    problem, detail = _problem(message)
    return Entry(
        message_id=message.id,
        role=message.role,
        text=message.text,
        reasoning=message.reasoning,
        reasoning_seconds=message.reasoning_ms / 1000,
        status=message.status.value,
        problem=problem,
        problem_detail=detail,
        footnote=_footnote(message),
        author=message.model,
        branch=message.branch,
        branches=message.branches,
    )


def _problem(message: Message) -> tuple[str, str]:
    """What the person should know about this answer, and its technical detail."""
    if message.status is Status.COMPLETE and message.stop_reason in _PLAIN_ENDS and not message.omitted_turns:
        return "", ""
    if message.status is Status.FAILED:
        sentence = model_fault(
            kind_of(message.fault), message.fault_detail, message.fault_facts, message.model
        )
        return sentence.text, sentence.detail
    if message.status is Status.INTERRUPTED:
        return tr("Alcove was closed while this was being written. What had arrived is here."), ""
    if message.status is Status.STOPPED and not message.text:
        return tr("Stopped before the first word."), ""
    if message.stop_reason == StopReason.CONTEXT_FULL:
        return tr(
            "The model's context is full, so the answer ends here. Ask it to continue, or give it more context."
        ), ""
    if message.stop_reason == StopReason.CONTENT_FILTERED:
        return tr("The provider cut the answer short because of what is in it."), ""
    if message.stop_reason == StopReason.TOOL_CALLS:
        return tr("The model asked for a tool here. Alcove does not carry tools out yet."), ""
    if message.stop_reason == StopReason.LENGTH:
        return tr("This is the longest answer that the settings allow. Ask to continue for the rest."), ""
    if message.omitted_turns == 1:
        return tr(
            "The conversation is longer than the model's context: its oldest message was not used here."
        ), ""
    if message.omitted_turns > 1:
        text = tr(
            "The conversation is longer than the model's context: its {count} oldest messages were not used here.",
            count=message.omitted_turns,
        )
        return text, ""
    return "", ""


def _footnote(message: Message) -> str:
    """Model, time, tokens and place, for the small line under a finished answer."""
    if message.status is Status.STREAMING:
        return ""
    line = " · ".join(part for part in (message.model, _place(message)) if part)
    if message.generated_tokens and message.generate_ms > 0:
        line += " · " + tr(
            "{seconds} s · {count} tokens · {rate} tokens/s",
            seconds=f"{(message.first_token_ms + message.generate_ms) / 1000:.1f}",
            count=f"{message.generated_tokens:,}",
            rate=f"{message.generated_tokens / message.generate_ms * 1000:.0f}",
        )
    if message.provider:
        line += " · " + _cost(message)
    if message.status is Status.STOPPED:
        line += " · " + tr("stopped")
    return line


def _place(message: Message) -> str:
    """Where an answer was made: elsewhere, here, or here because elsewhere could not."""
    if message.provider:
        return provider_name(message.provider)
    if instead_of := str(message.fault_facts.get("instead_of", "")):
        return tr("on this device, because {provider} could not answer", provider=instead_of)
    return tr("on this device")


def _cost(message: Message) -> str:
    """Unknown is not nothing."""
    if not message.cost:
        return tr("cost not known")
    return money(message.cost, message.currency)
