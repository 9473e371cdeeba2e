"""Reasoning and answer are told apart whatever pieces the text comes in."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.runtime.formats import ChannelSplitter, Format, Splitter, Thinking, ThinkingSplitter, format_of

THINK = Thinking("<think>", "</think>")


def split(splitter: Splitter, pieces: list[str]) -> list[tuple[str, bool]]:
    """The spans, neighbours of one kind joined."""
    spans = [span for piece in pieces for span in splitter.feed(piece)] + splitter.finish()
    assert all(text for text, _ in spans)
    return [
        ("".join(text for text, _ in group), reasoning)
        for reasoning, group in itertools.groupby(spans, key=lambda span: span[1])
    ]


def cut(text: str, places: list[int]) -> list[str]:
    ends = sorted({min(place, len(text)) for place in places} | {0, len(text)})
    return [text[start:end] for start, end in itertools.pairwise(ends)]


@pytest.mark.parametrize(
    ("text", "spans"),
    [
        ("<think>\nHm.\n</think>\n\nFour.", [("Hm.\n", True), ("Four.", False)]),
        ("  \n<think>Hm.</think>Four.", [("Hm.", True), ("Four.", False)]),
        ("<think>\n\n</think>\n\nFour.", [("Four.", False)]),
        ("<think>Hm.", [("Hm.", True)]),
        ("<think>Hm.</thi", [("Hm.</thi", True)]),
        ("<thi", [("<thi", False)]),
        ("Four.", [("Four.", False)]),
        ("  indented code", [("  indented code", False)]),
        (
            "The tag <think> opens it, </think> ends it.",
            [("The tag <think> opens it, </think> ends it.", False)],
        ),
        ("<think>a</think>b<think>c</think>", [("a", True), ("b<think>c</think>", False)]),
        ("", []),
        ("\n\n", [("\n\n", False)]),
    ],
)
def test_thinking_at_the_start_is_reasoning_and_nothing_else_is(
    text: str, spans: list[tuple[str, bool]]
) -> None:
    assert split(ThinkingSplitter(THINK), [text]) == spans
    assert split(ThinkingSplitter(THINK), list(text)) == spans


def test_reasoning_that_the_template_opened_needs_no_first_marker() -> None:
    opened = format_of("{{ '<think>' }}").splitter("<|assistant|>\n<think>\n")
    assert isinstance(opened, ThinkingSplitter)
    assert split(opened, list("\nHm.</think>\nFour.")) == [("Hm.", True), ("Four.", False)]
    closed = format_of("{{ '<think>' }}").splitter("<|assistant|>\n<think>\n\n</think>\n\n")
    assert isinstance(closed, ThinkingSplitter)
    assert split(closed, list("Four.")) == [("Four.", False)]


HARMONY = (
    "<|channel|>analysis<|message|>Adding.<|end|><|start|>assistant<|channel|>commentary to=calculator"
    "<|constrain|>json<|message|>{}<|end|><|start|>assistant<|channel|>final<|message|>Four <b> <|x|>."
)


def test_only_the_final_channel_is_the_answer() -> None:
    spans = [("Adding.{}", True), ("Four <b> <|x|>.", False)]
    assert split(ChannelSplitter(), [HARMONY]) == spans
    assert split(ChannelSplitter(), list(HARMONY)) == spans


def test_a_channel_model_that_writes_plain_text_is_still_heard() -> None:
    assert split(ChannelSplitter(), ["Four."]) == [("Four.", False)]
    assert split(ChannelSplitter(), ["<|channel|>final<|message|>Fo<|en"]) == [("Fo<|en", False)]


pieces_of_markers = st.lists(
    st.sampled_from(
        ["<think>", "</think>", "<th", "</", "think>", "\n", " ", "a", "<|im_end|>", "<|im", "é🙂"]
    ),
    max_size=14,
).map("".join)
pieces_of_channels = st.lists(
    st.sampled_from(
        ["<|channel|>", "<|message|>", "<|end|>", "<|start|>", "final", "analysis", "<|", "|>", "x", "\n"]
    ),
    max_size=14,
).map("".join)
places = st.lists(st.integers(0, 120), max_size=12)


@given(pieces_of_markers, places, st.booleans(), st.sampled_from(["", "<|im_end|>"]))
def test_where_the_text_is_cut_changes_nothing(text: str, where: list[int], opened: bool, stop: str) -> None:
    whole = split(ThinkingSplitter(THINK, opened, stop), [text])
    assert split(ThinkingSplitter(THINK, opened, stop), cut(text, where)) == whole


@given(pieces_of_channels, places)
def test_where_channels_are_cut_changes_nothing(text: str, where: list[int]) -> None:
    assert split(ChannelSplitter(), cut(text, where)) == split(ChannelSplitter(), [text])


@given(pieces_of_markers)
def test_nothing_but_markers_and_white_space_is_lost(text: str) -> None:
    spans = split(ThinkingSplitter(THINK), [text])
    kept = "".join(part for part, _ in spans)
    assert "".join(kept.split()) in ("".join(text.split()), "".join(_without_first_pair(text).split()))


def _without_first_pair(text: str) -> str:
    before, found, after = text.partition("<think>")
    if not found or before.strip():
        return text
    inside, _, rest = after.partition("</think>")
    return inside + rest


def test_a_turn_end_that_is_plain_text_ends_the_answer() -> None:
    splitter = ThinkingSplitter(THINK, stop_text="<|im_end|>")
    assert split(splitter, list("Four.<|im_end|>\nuser: and now?")) == [("Four.", False)]
    assert splitter.stopped


@pytest.mark.parametrize(
    ("template", "markers"),
    [
        ("nothing about it", ("<think>", "</think>")),
        ("{{ '[THINK]' }}", ("[THINK]", "[/THINK]")),
        ("{% set x = '<|channel>thought\n' %}", ("<|channel>thought", "<channel|>")),
        ("'<|START_THINKING|>'", ("<|START_THINKING|>", "<|END_THINKING|>")),
        ("'<seed:think>'", ("<seed:think>", "</seed:think>")),
    ],
)
def test_the_family_is_known_by_its_template(template: str, markers: tuple[str, str]) -> None:
    assert format_of(template).markers == markers


def test_gpt_oss_is_known_by_its_channels() -> None:
    form = format_of("<|start|>assistant<|channel|>final<|message|>")
    assert form == Format(None)
    assert isinstance(form.splitter("<|start|>assistant"), ChannelSplitter)
