"""An answer while it is being received."""

from __future__ import annotations

from itertools import count

from hypothesis import given
from hypothesis import strategies as st
from support.records import message

from desktop.chat.reply import Reply
from desktop.store.records import Status
from models.runtime.faults import Fault, StopReason
from providers.errors import ProviderError
from providers.events import Finished, PromptProgress, ReasoningDelta, TextDelta, Usage

EMPTY = message(status=Status.STREAMING)


@given(st.lists(st.text()), st.lists(st.text()))
def test_every_word_received_is_in_the_message(reasoning: list[str], text: list[str]) -> None:
    reply = Reply(EMPTY)
    for part in reasoning:
        reply.take(ReasoningDelta(part))
    for part in text:
        reply.take(TextDelta(part))
        assert reply.message().text.endswith(part)
    assert reply.message().reasoning == "".join(reasoning)
    assert reply.message().text == "".join(text)


def test_it_is_changed_until_it_was_asked_for() -> None:
    reply = Reply(EMPTY)
    reply.take(PromptProgress(1, 2, 0))
    assert not reply.changed
    reply.take(TextDelta("a"))
    assert reply.changed
    reply.message()
    assert not reply.changed


def test_a_finished_answer_is_complete_with_its_counts() -> None:
    reply = Reply(EMPTY)
    reply.take(TextDelta("Hello"))
    reply.take(Usage(prompt_tokens=5, generated_tokens=1, generate_ms=10.0))
    reply.take(Finished(StopReason.STOP, omitted_turns=2))
    done = reply.message()
    assert (done.status, done.stop_reason, done.omitted_turns) == (Status.COMPLETE, "stop", 2)
    assert (done.prompt_tokens, done.generated_tokens) == (5, 1)
    assert done.finished_at is not None
    assert reply.ended


def test_a_failed_answer_keeps_what_had_arrived_and_why() -> None:
    reply = Reply(EMPTY)
    reply.take(TextDelta("Hal"))
    reply.fail(ProviderError(Fault.NOT_ENOUGH_MEMORY, "ggml said no", {"need_bytes": 5}))
    failed = reply.message()
    assert (failed.text, failed.status) == ("Hal", Status.FAILED)
    assert (failed.fault, failed.fault_detail, failed.fault_facts) == (
        "not_enough_memory",
        "ggml said no",
        {"need_bytes": 5},
    )


def test_a_stopped_answer_says_so() -> None:
    reply = Reply(EMPTY)
    reply.take(TextDelta("Hal"))
    reply.stop()
    assert reply.message().status is Status.STOPPED


def test_the_time_of_reasoning_is_measured_from_its_first_to_the_answers_first_word() -> None:
    seconds = count()
    reply = Reply(EMPTY, clock=lambda: float(next(seconds)))
    reply.take(ReasoningDelta("hm"))  # at 0
    reply.take(ReasoningDelta(" hm"))
    reply.take(TextDelta("Yes"))  # at 1: the clock is read only at the two ends
    assert reply.message().reasoning_ms == 1000
