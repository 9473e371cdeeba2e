"""The line of words while an answer comes along."""

from __future__ import annotations

from support.records import message

from desktop.chat.turns import Ended
from desktop.store.records import Status
from desktop.viewmodels.entries import entry_of
from desktop.viewmodels.progress import AnswerProgress
from models.runtime.values import Placement
from providers.events import LoadProgress, ModelReady, PromptProgress, TextDelta, Usage


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_loading_tells_how_far_and_how_long() -> None:
    clock = Clock()
    progress = AnswerProgress(clock)
    progress.take(LoadProgress(0.0))
    clock.now = 4.0
    progress.take(LoadProgress(0.4))
    assert progress.words(clock.now) == "Loading the model · 40 % · about 6 s left"
    assert progress.fraction == 0.4


def test_reading_counts_only_what_is_new() -> None:
    progress = AnswerProgress(Clock())
    progress.take(PromptProgress(done=2512, total=3000, reused=2000))
    assert progress.words(0) == "Reading · 2,512 of 3,000 tokens"
    assert progress.fraction == 0.512


def test_answering_tells_first_word_speed_and_context() -> None:
    clock = Clock()
    progress = AnswerProgress(clock)
    progress.take(ModelReady(Placement("CPU", False, 0, 30, "", 1, 2, 4096)))
    progress.take(PromptProgress(12, 12, 0))
    clock.now = 0.2
    for _ in range(100):
        progress.take(TextDelta("word "))
    assert progress.words(1.2) == "First word after 0.2 s · 100 tokens/s · 112 of 4,096 tokens of context"


def test_the_end_tells_the_models_own_counts() -> None:
    progress = AnswerProgress(Clock())
    progress.take(Usage(100, 0, 50, 4096, first_token_ms=210, prompt_ms=200, generate_ms=500))
    progress.take(Ended(message(), stored=True))
    assert progress.words(9) == "First word after 0.2 s · 100 tokens/s · 150 of 4,096 tokens of context"
    assert progress.fraction is None


def test_an_answer_after_left_out_messages_says_how_many() -> None:
    assert "its 4 oldest messages were not used" in entry_of(message(omitted_turns=4)).problem


def test_a_failed_answer_shows_its_sentence_with_its_numbers_also_after_a_restart() -> None:
    failed = message(
        status=Status.FAILED,
        fault="prompt_too_long",
        fault_detail="",
        fault_facts={"prompt_tokens": 9000, "room": 4000},
    )
    assert "it has 9000 tokens and there is room for 4000" in entry_of(failed).problem


def test_a_fault_this_version_does_not_know_still_gets_a_sentence() -> None:
    assert entry_of(message(status=Status.FAILED, fault="from_tomorrow")).problem.endswith(".")


def test_the_line_under_an_answer_names_the_model_the_time_and_the_speed() -> None:
    done = message(model="SmolLM2 Q4_1", generated_tokens=50, first_token_ms=200, generate_ms=500)
    assert entry_of(done).footnote == "SmolLM2 Q4_1 · on this device · 0.7 s · 50 tokens · 100 tokens/s"
