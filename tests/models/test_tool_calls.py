"""Calls for tools are told from words in every family's own writing, and what is no call is never lost."""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.runtime.formats import CallingSplitter, ChannelCallSplitter, format_of, with_tools
from models.runtime.tool_splitter import LONGEST_CALL, Said
from models.runtime.values import CalledTool, Tool

WEATHER = Tool(
    "weather",
    "The weather of a town",
    json.dumps({"type": "object", "properties": {"town": {"type": "string"}, "days": {"type": "integer"}}}),
)
CLOCK = Tool("clock")
ROME = ("weather", {"town": "Rome", "days": 2})

# What a template of the family speaks of, and how it writes one call.
FAMILIES: dict[str, tuple[str, str]] = {
    "Qwen 2.5 and 3, Hermes, SmolLM3": (
        "<tool_call>",
        '<tool_call>\n{"name": "weather", "arguments": {"town": "Rome", "days": 2}}\n</tool_call>',
    ),
    "Qwen 3 Coder and 3.5": (
        "<tool_call> <function=",
        "<tool_call>\n<function=weather>\n<parameter=town>\nRome\n</parameter>\n<parameter=days>\n2\n</parameter>\n"
        "</function>\n</tool_call>",
    ),
    "Qwen 3 Coder without its outer marker": (
        "<tool_call> <function=",
        "<function=weather>\n<parameter=town>\nRome\n</parameter>\n<parameter=days>\n2\n</parameter>\n</function>",
    ),
    "Mistral 7B v0.3 and Nemo": (
        "[TOOL_CALLS]",
        '[TOOL_CALLS] [{"name": "weather", "arguments": {"town": "Rome", "days": 2}, "id": "Abc123xyz"}]',
    ),
    "Mistral Small 3.2": (
        "[TOOL_CALLS]",
        '[TOOL_CALLS]weather[CALL_ID]Abc123xyz[ARGS]{"town": "Rome", "days": 2}',
    ),
    "Ministral 3 and Magistral": (
        "[TOOL_CALLS] [THINK]",
        '[TOOL_CALLS]weather[ARGS]{"town": "Rome", "days": 2}',
    ),
    "Llama 3 with its tag": (
        "<|start_header_id|>",
        '<|python_tag|>{"name": "weather", "parameters": {"town": "Rome", "days": 2}}',
    ),
    "Llama 3 as Python": ("<|start_header_id|>", '<|python_tag|>weather.call(town="Rome", days=2)'),
    "Llama 3 without anything": (
        "<|start_header_id|>",
        '{"name": "weather", "parameters": {"town": "Rome", "days": 2}}',
    ),
    "Llama 4": ("<|header_start|>", "<|python_start|>[weather(town='Rome', days=2)]<|python_end|>"),
    "Llama 4 without markers": ("<|header_start|>", '[weather(town="Rome", days=2)]'),
    "DeepSeek V3 and R1": (
        "<｜tool▁calls▁begin｜>",
        "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>weather\n```json\n"
        '{"town": "Rome", "days": 2}\n```<｜tool▁call▁end｜><｜tool▁calls▁end｜>',
    ),
    "DeepSeek V3.1": (
        "<｜tool▁calls▁begin｜>",
        '<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>weather<｜tool▁sep｜>{"town": "Rome", "days": 2}'
        "<｜tool▁call▁end｜><｜tool▁calls▁end｜>",
    ),
    "DeepSeek V3.2": (
        "｜DSML｜",
        '<｜DSML｜function_calls>\n<｜DSML｜invoke name="weather">\n<｜DSML｜parameter name="town" string="true">Rome'
        '</｜DSML｜parameter>\n<｜DSML｜parameter name="days" string="false">2</｜DSML｜parameter>\n</｜DSML｜invoke>\n'
        "</｜DSML｜function_calls>",
    ),
    "Phi 4 mini": (
        "<|tool|>",
        '<|tool_call|>[{"name": "weather", "arguments": {"town": "Rome", "days": 2}}]<|/tool_call|>',
    ),
    "Phi 4 mini, its other form": (
        "<|tool|>",
        'functools[{"name": "weather", "arguments": {"town": "Rome", "days": 2}}]',
    ),
    "Gemma 4": ("<|tool_call>", '<|tool_call>call:weather{days:2,town:<|"|>Rome<|"|>}<tool_call|>'),
    "Gemma 3 in Python": ("<start_of_turn>", '```tool_code\nprint(weather(town="Rome", days=2))\n```'),
    "Gemma 3 in JSON": (
        "<start_of_turn>",
        '```json\n{"name": "weather", "parameters": {"town": "Rome", "days": 2}}\n```',
    ),
    "Command R7B": (
        "<|START_ACTION|>",
        '<|START_ACTION|>[\n{"tool_call_id": "0", "tool_name": "weather", "parameters": {"town": "Rome", "days": 2}}\n]'
        "<|END_ACTION|>",
    ),
    "Command R": (
        "Action: ```json",
        'Action: ```json\n[{"tool_name": "weather", "parameters": {"town": "Rome", "days": 2}}]\n```',
    ),
    "a template that knows no tools": (
        "nothing",
        '<tool_call>{"name": "weather", "arguments": {"town": "Rome", "days": 2}}</tool_call>',
    ),
}
BARE = {"Llama 3 without anything", "Llama 4 without markers", "Gemma 3 in JSON"}


def splitter(template: str) -> CallingSplitter:
    tools = [WEATHER, CLOCK]
    return with_tools(format_of(template), template, tools, generic=False).splitter("")


def heard(split: CallingSplitter, pieces: Sequence[str]) -> list[object]:
    """Neighbouring spans of one kind joined; calls as names and arguments, because their ids are drawn."""
    said: list[Said] = [part for piece in pieces for part in split.feed(piece)] + split.finish()
    out: list[object] = []
    for kind, group in itertools.groupby(
        said, key=lambda part: None if isinstance(part, CalledTool) else part[1]
    ):
        if kind is None:
            out += [(part.name, json.loads(part.arguments)) for part in group if isinstance(part, CalledTool)]
        else:
            out.append(("".join(part[0] for part in group if not isinstance(part, CalledTool)), kind))
    return out


def cut(text: str, places: list[int]) -> list[str]:
    ends = sorted({min(place, len(text)) for place in places} | {0, len(text)})
    return [text[start:end] for start, end in itertools.pairwise(ends)]


@pytest.mark.parametrize("family", FAMILIES)
def test_a_call_is_read_as_its_family_writes_it(family: str) -> None:
    template, written = FAMILIES[family]
    assert heard(splitter(template), [written]) == [ROME]
    assert heard(splitter(template), list(written)) == [ROME]


@pytest.mark.parametrize("family", sorted(set(FAMILIES) - BARE))
def test_words_before_and_after_a_call_stay(family: str) -> None:
    template, written = FAMILIES[family]
    text = f"Let me look. {written}\nDone."
    assert heard(splitter(template), list(text)) == [("Let me look. ", False), ROME, ("Done.", False)]


@pytest.mark.parametrize("family", FAMILIES)
def test_several_calls_follow_one_another(family: str) -> None:
    template, written = FAMILIES[family]
    assert heard(splitter(template), list(f"{written}\n{written}")) == [ROME, ROME]


@pytest.mark.parametrize("family", FAMILIES)
def test_a_call_that_was_cut_off_becomes_text_and_loses_nothing(family: str) -> None:
    template, written = FAMILIES[family]
    broken = written[: written.index("Rome") + 2]
    assert heard(splitter(template), list(broken)) == [(broken, False)]


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("<tool_call>", "<tool_call>not JSON</tool_call> and more"),
        ("<tool_call>", '<tool_call>{"name": 3}</tool_call>'),
        ("<tool_call>", '<tool_call>{"name": "weather", "arguments": [1]}</tool_call>.'),
        ("<tool_call>", "<tool_call>" + "[" * 5000 + "]" * 5000 + "</tool_call>"),
        ("<tool_call>", '<tool_call>{"name": "weather", "arguments": {"x": 1e999}}</tool_call>'),
        ("[TOOL_CALLS]", "[TOOL_CALLS] is what Mistral writes, and it goes on for a while " + "so " * 200),
        ("[TOOL_CALLS]", "[TOOL_CALLS]weather[ARGS][1, 2]"),
        ("<|start_header_id|>", "<|python_tag|>print('hello')"),
        ("<|start_header_id|>", '{"name": "Rome", "parameters": {"people": 3}}'),
        ("<|start_header_id|>", '{"town": {"name": "weather"}}'),
        ("<|header_start|>", "[weather](https://example.org) is a link"),
        ("<|header_start|>", "[weather(__import__('os').system('x'))]"),
        ("<|header_start|>", "[weather(town=open('x'))]"),
        ("<start_of_turn>", "```tool_code\nimport os\n```\nThat was code."),
        ("<start_of_turn>", "```json\n[1, 2]\n```"),
        ("<|tool|>", "import functools\nfunctools.wraps(f)"),
        ("<|tool_call>", "<|tool_call>call:weather{" + "x:{" * 100 + "}" * 100 + "}<tool_call|>"),
        ("DSML", "<｜DSML｜function_calls>nothing</｜DSML｜function_calls>"),
    ],
)  # fmt: skip
def test_what_only_looks_like_a_call_is_text(template: str, text: str) -> None:
    assert heard(splitter(template), [text]) == [(text, False)]
    assert heard(splitter(template), list(text)) == [(text, False)]


def test_arguments_may_speak_of_the_markers() -> None:
    written = '<tool_call>{"name": "weather", "arguments": {"town": "a </tool_call> \\" b"}}</tool_call>'
    assert heard(splitter("<tool_call>"), list(written)) == [("weather", {"town": 'a </tool_call> " b'})]


def test_a_call_without_its_last_marker_counts_once_the_answer_is_over() -> None:
    written = '<tool_call>\n{"name": "weather", "arguments": {"town": "Rome", "days": 2}}'
    assert heard(splitter("<tool_call>"), list(written)) == [ROME]


def test_calls_in_reasoning_are_thoughts() -> None:
    written = '<tool_call>{"name": "clock"}</tool_call>'
    text = f"<think>I could write {written}.</think>\n{written}"
    assert heard(splitter("<think><tool_call>"), list(text)) == [
        (f"I could write {written}.", True),
        ("clock", {}),
    ]


def test_a_call_has_an_id_that_every_family_takes() -> None:
    kept = splitter("[TOOL_CALLS]").feed("[TOOL_CALLS]clock[CALL_ID]Abc123xyz[ARGS]{}")
    assert kept == [CalledTool("Abc123xyz", "clock", "{}")]
    (made,) = splitter("<tool_call>").feed('<tool_call>{"name": "clock", "id": "call_0"}</tool_call>')
    assert isinstance(made, CalledTool) and len(made.id) == 9 and made.id.isalnum()


def test_an_endless_call_is_held_no_longer_than_its_limit() -> None:
    split = splitter("<tool_call>")
    text = '<tool_call>{"name": "weather", "arguments": {"town": "'
    pieces = [text, *("x" * 1000 for _ in range(LONGEST_CALL // 1000 + 2))]
    given = [part for piece in pieces for part in split.feed(piece)]
    assert sum(len(part[0]) for part in given if not isinstance(part, CalledTool)) >= LONGEST_CALL
    whole = "".join(pieces)
    assert (
        heard(splitter("<tool_call>"), [whole]) == heard(splitter("<tool_call>"), pieces) == [(whole, False)]
    )


HARMONY = (
    "<|channel|>analysis<|message|>I need the weather.<|end|><|start|>assistant"
    "<|channel|>commentary to=functions.weather "
    '<|constrain|>json<|message|>{"town": "Rome", "days": 2}<|call|>'
)


@pytest.mark.parametrize(
    "text",
    [
        HARMONY,
        HARMONY.removesuffix("<|call|>"),
        HARMONY.replace(
            "<|channel|>commentary to=functions.weather ", " to=functions.weather<|channel|>commentary "
        ),
    ],
)
def test_gpt_oss_asks_in_its_commentary(text: str) -> None:
    for pieces in ([text], list(text)):
        assert heard(ChannelCallSplitter(), pieces) == [("I need the weather.", True), ROME]


def test_gpt_oss_writing_no_json_to_a_tool_has_written_text() -> None:
    broken = HARMONY.replace('"days": 2}', "")
    for pieces in ([broken], list(broken)):
        assert heard(ChannelCallSplitter(), pieces) == [
            ("I need the weather.", True),
            ('{"town": "Rome", ', False),
        ]


def test_without_tools_gpt_oss_is_read_as_ever() -> None:
    split = format_of("<|channel|><|message|>").splitter("")
    assert [*split.feed(HARMONY), *split.finish()] == [
        ("I need the weather.", True),
        ('{"town": "Rome", "days": 2}', True),
    ]


def fragments(written: str) -> list[str]:
    """Pieces of a family's writing, and what disturbs it."""
    third = len(written) // 3
    return [
        written,
        written[:third],
        written[third : 2 * third],
        written[2 * third :],
        "\n",
        "a",
        "{",
        "[",
        '"',
        "```",
        " ",
    ]


@given(st.data(), st.sampled_from(sorted(FAMILIES)), st.lists(st.integers(0, 400), max_size=12))
def test_where_the_text_is_cut_changes_nothing(data: st.DataObject, family: str, places: list[int]) -> None:
    template, written = FAMILIES[family]
    text = "".join(data.draw(st.lists(st.sampled_from(fragments(written)), max_size=6)))
    whole = heard(splitter(template), [text])
    assert heard(splitter(template), cut(text, places)) == whole
    assert heard(splitter(template), list(text)) == whole


@given(st.data(), st.lists(st.integers(0, 400), max_size=12))
def test_where_channels_are_cut_changes_nothing(data: st.DataObject, places: list[int]) -> None:
    parts = [
        HARMONY,
        "<|message|>",
        "<|end|>",
        "<|start|>",
        "<|channel|>",
        "final",
        " to=functions.weather",
        "{}",
        "<|",
        "x",
    ]
    text = "".join(data.draw(st.lists(st.sampled_from(parts), max_size=8)))
    whole = heard(ChannelCallSplitter(), [text])
    assert heard(ChannelCallSplitter(), cut(text, places)) == whole


@given(st.data(), st.sampled_from(sorted(FAMILIES)))
def test_no_text_is_lost_but_white_space_around_calls(data: st.DataObject, family: str) -> None:
    template, written = FAMILIES[family]
    broken = [piece for piece in fragments(written) if piece != written]
    text = "".join(data.draw(st.lists(st.sampled_from(broken), max_size=6)))
    out = heard(splitter(template), list(text))
    calls = [part for part in out if not isinstance(part[1], bool)]  # type: ignore[index]
    if not calls:
        assert "".join(part[0] for part in out) == text  # type: ignore[index]
