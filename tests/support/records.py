"""Messages for tests that need one and no database."""

from __future__ import annotations

from typing import Any

from desktop.store.records import Message, Status


def message(**changes: Any) -> Message:
    """A complete, empty message with the given fields."""
    fields: dict[str, Any] = {
        "id": 1,
        "conversation_id": 1,
        "parent_id": None,
        "role": "assistant",
        "text": "",
        "reasoning": "",
        "status": Status.COMPLETE,
        "created_at": 0.0,
        "finished_at": 0.0,
        "model": "",
        "fault": "",
        "fault_detail": "",
        "fault_facts": {},
        "prompt_tokens": 0,
        "reused_tokens": 0,
        "generated_tokens": 0,
        "context_tokens": 0,
        "omitted_turns": 0,
        "first_token_ms": 0.0,
        "prompt_ms": 0.0,
        "generate_ms": 0.0,
        "reasoning_ms": 0.0,
        "stop_reason": "",
        "provider": "",
        "cost": "",
        "currency": "",
        "cost_basis": "",
        "priced_on": "",
        "branch": 1,
        "branches": 1,
    }
    return Message(**(fields | changes))
