"""Whether a conversation may go to a remote model: only where the person agreed, and never over its label."""

from __future__ import annotations

import pytest

from desktop.chat.leaving import LEAVES_TO, STAYS, may_leave
from desktop.store.records import Option


def test_a_conversation_leaves_only_to_a_provider_that_was_agreed_to() -> None:
    assert not may_leave({}, "openai")
    assert may_leave({LEAVES_TO: ["openai"]}, "openai")
    assert not may_leave({LEAVES_TO: ["openai"]}, "anthropic")


@pytest.mark.parametrize("label", [True, 1, 0, "", "no", None, [], {}])
def test_any_label_but_a_plain_no_keeps_a_conversation_here(label: Option) -> None:
    assert not may_leave({STAYS: label, LEAVES_TO: ["openai"]}, "openai")
    assert may_leave({STAYS: False, LEAVES_TO: ["openai"]}, "openai")


@pytest.mark.parametrize("agreed", [None, True, "openai", {"openai": True}, [1], []])
def test_an_agreement_that_is_damaged_is_none(agreed: Option) -> None:
    assert not may_leave({LEAVES_TO: agreed}, "openai")
