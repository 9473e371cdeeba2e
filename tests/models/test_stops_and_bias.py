"""Texts that end an answer, and words that come more or less often."""

from __future__ import annotations

import asyncio
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.workers import GREEDY, ask

from models.runtime.engine import Engine
from models.runtime.faults import Fault, RuntimeFault, StopReason
from models.runtime.formats import Thinking, ThinkingSplitter
from models.runtime.stops import StopSplitter
from models.runtime.values import Bias, Sampling

THINK = Thinking("<think>", "</think>")


def joined(text: str, stops: list[str], places: list[int]) -> tuple[str, str, bool]:
    """Answer, thinking, and whether it stopped, for a text that comes in pieces."""
    splitter = StopSplitter(ThinkingSplitter(THINK), stops)
    ends = sorted({min(place, len(text)) for place in places} | {0, len(text)})
    spans = []
    for start, end in itertools.pairwise(ends):
        if splitter.stopped:
            break
        spans += splitter.feed(text[start:end])
    spans += splitter.finish()
    parts = {True: "", False: ""}
    for span in spans:
        assert isinstance(span, tuple) and span[0]
        parts[span[1]] += span[0]
    return parts[False], parts[True], splitter.stopped


@given(
    st.text("abc \n", max_size=30),
    st.lists(st.text("abc", min_size=1, max_size=4), min_size=1, max_size=3),
    st.lists(st.integers(0, 60), max_size=8),
    st.booleans(),
)
def test_an_answer_ends_before_the_first_stop_however_it_was_cut(
    text: str, stops: list[str], places: list[int], thinks: bool
) -> None:
    found = [place for place in map(text.find, stops) if place >= 0]
    expected = text[: min(found)] if found else text
    whole = f"<think>abc abc</think>{text}" if thinks else text
    answer, thinking, stopped = joined(whole, stops, places)
    if thinks:  # white space after the thinking belongs to neither
        assert answer == (expected.lstrip() if text.strip() else answer)
        assert thinking == "abc abc"  # a stop in it ends nothing
    else:
        assert answer == expected
    assert stopped == bool(found)


def test_a_model_stops_before_the_text_and_does_not_show_it(runner: asyncio.Runner, engine: Engine) -> None:
    question = "Count from one to ten in digits: 1, 2, 3,"
    free = runner.run(ask(engine, question, GREEDY, 40)).text
    stop = free[8:14]
    assert stop.strip()
    ended = runner.run(ask(engine, question, Sampling(temperature=0.0, stop=("never said", stop)), 40))
    assert ended.text == free[: free.index(stop)]
    assert ended.completed.reason is StopReason.STOP
    assert runner.run(ask(engine, question, GREEDY, 40)).text == free


def test_a_word_can_be_kept_out_and_another_brought_in(runner: asyncio.Runner, engine: Engine) -> None:
    question = "What is the capital of France? One word."
    assert "Paris" in runner.run(ask(engine, question, GREEDY, 12)).text
    without = Sampling(temperature=0.0, bias=(Bias("Paris", -100.0),))
    assert "Paris" not in runner.run(ask(engine, question, without, 12)).text
    only = Sampling(temperature=0.0, bias=(Bias("London", 100.0),))
    assert runner.run(ask(engine, question, only, 3)).text.split()[0].startswith("London")


def test_a_word_of_several_tokens_is_refused_and_the_model_stays(
    runner: asyncio.Runner, engine: Engine
) -> None:
    before = engine.pid
    with pytest.raises(RuntimeFault) as caught:
        runner.run(ask(engine, "Hi", Sampling(bias=(Bias("Antidisestablishment", 1.0),)), 4))
    assert caught.value.fault is Fault.WORD_OF_SEVERAL_TOKENS
    assert caught.value.facts["word"] == "Antidisestablishment" and engine.pid == before
