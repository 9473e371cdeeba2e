"""Files of every family, in a real locked worker: calls for tools, thinking, the end of an answer, other templates."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from support.gguf_files import CHATML, CONTROL, ENDLESS_TEMPLATE, write_model
from support.gguf_scripted import write_scripted
from support.workers import GREEDY, engine_with, spawn_worker, starter

from models.library.knowledge import form_for, known_template, template_forms
from models.runtime.engine import Engine
from models.runtime.faults import Fault, RuntimeFault, StopReason
from models.runtime.protocol import Called, Completed, Piece
from models.runtime.template import ChatTemplate
from models.runtime.values import CalledTool, Effort, LoadOptions, Tool, Turn
from providers.base import ChatRequest
from providers.events import Event, TextDelta, ToolCall
from providers.local import LocalModel

WEATHER = Tool(
    "weather", "The weather of a town", '{"type": "object", "properties": {"town": {"type": "string"}}}'
)

# In our own words, what templates of these families do: each is short, and speaks its family's markers.
HERMES = (
    "{%- if tools %}{{ '<|im_start|>system\n<tools>' + (tools | tojson) + '</tools>\nWrite <tool_call>.<|im_end|>\n' }}"
    "{%- endif %}{%- for m in messages %}{{ '<|im_start|>' + ('user' if m.role == 'tool' else m.role) + '\n' }}"
    "{%- if m.role == 'tool' %}{{ '<tool_response>' + m.content + '</tool_response>' }}{%- elif m.content %}"
    "{{ m.content }}{%- endif %}{%- for c in m.tool_calls %}{{ '<tool_call>{\"name\": \"' + c.function.name + '\", ' }}"
    "{{ '\"arguments\": ' + (c.function.arguments | tojson) + '}</tool_call>' }}{%- endfor %}{{ '<|im_end|>\n' }}"
    "{%- endfor %}{%- if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{%- endif %}"
)
MISTRAL = (
    "{%- if tools %}{{ '[AVAILABLE_TOOLS]' + (tools | tojson) + '[/AVAILABLE_TOOLS]' }}{%- endif %}"
    "{%- for m in messages %}{%- if m.role == 'user' %}{{ '[INST]' + m.content + '[/INST]' }}"
    "{%- elif m.role == 'tool' %}{{ '[TOOL_RESULTS]' + m.content + '[/TOOL_RESULTS]' }}{%- elif m.tool_calls %}"
    "{%- for c in m.tool_calls %}{%- if c.id | length != 9 %}{{ raise_exception('nine letters') }}{%- endif %}"
    "{{ '[TOOL_CALLS]' + c.function.name + '[ARGS]' + (c.function.arguments | tojson) }}{%- endfor %}{{ eos_token }}"
    "{%- elif m.role == 'assistant' %}{{ m.content + eos_token }}{%- else %}{{ m.content }}{%- endif %}{%- endfor %}"
)
HARMONY = (
    "{#- message.thinking is read -#}"
    "{{ '<|start|>system<|message|>Reasoning: ' + (reasoning_effort or 'medium') + '<|end|>' }}"
    "{%- if tools %}{{ '<|start|>developer<|message|>' + (tools | tojson) + '<|end|>' }}{%- endif %}"
    "{%- for m in messages %}{%- if m.tool_calls %}{%- if m.thinking %}"
    "{{ '<|start|>assistant<|channel|>analysis<|message|>' + m.thinking + '<|end|>' }}"
    "{%- endif %}{%- for c in m.tool_calls %}{{ '<|start|>assistant to=functions.' + c.function.name }}"
    "{{ '<|channel|>commentary json<|message|>' + (c.function.arguments | tojson) + '<|call|>' }}{%- endfor %}"
    "{%- elif m.role == 'assistant' %}{{ '<|start|>assistant<|channel|>final<|message|>' + m.content + '<|end|>' }}"
    "{%- else %}{{ '<|start|>' + m.role + '<|message|>' + m.content + '<|end|>' }}{%- endif %}{%- endfor %}"
    "{%- if add_generation_prompt %}{{ '<|start|>assistant' }}{%- endif %}"
)
LLAMA4 = (
    "{%- for m in messages %}{{ '<|header_start|>' + m.role + '<|header_end|>\n\n' + m.content + '<|eot|>' }}"
    "{%- endfor %}{%- if add_generation_prompt %}{{ '<|header_start|>assistant<|header_end|>\n\n' }}{%- endif %}"
)
QWEN3 = HERMES[: -len("{%- endif %}")] + (
    "{%- if enable_thinking is defined and enable_thinking is false %}{{ '<think>\n\n</think>\n\n' }}"
    "{%- endif %}{%- endif %}"
)


@dataclass
class Heard:
    text: str = ""
    reasoning: str = ""
    calls: list[CalledTool] = field(default_factory=list)
    completed: Completed | None = None


async def hear(
    engine: Engine,
    turns: Sequence[Turn],
    tools: Sequence[Tool] = (),
    effort: Effort = Effort.AUTOMATIC,
    max_tokens: int = 40,
) -> Heard:
    heard = Heard()
    async for report in engine.generate(turns, GREEDY, max_tokens, tools=tools, effort=effort):
        match report:
            case Piece(text, True):
                heard.reasoning += text
            case Piece(text, False):
                heard.text += text
            case Called(call):
                heard.calls.append(call)
            case Completed():
                heard.completed = report
    return heard


def answer_of(path: Path, turns: Sequence[Turn], tools: Sequence[Tool] = (), template: str = "") -> Heard:
    async def talk() -> Heard:
        engine = Engine(spawn_worker)
        try:
            async for _ in engine.load(path, LoadOptions(), template):
                pass
            return await hear(engine, turns, tools)
        finally:
            await engine.close()

    return asyncio.run(talk())


ASKED = [Turn("user", "How is the weather in Rome?")]
SCRIPTS: dict[str, tuple[str, list[str], tuple[str, ...], str, str]] = {
    "Qwen": (
        HERMES,
        ["I", " look", ".", "\n<tool_call>", '\n{"name": "wea', 'ther", "arguments": {"to', 'wn": "Rome"}}',
         "\n</tool_call>"],
        (*CONTROL, "<tool_response>"),
        "\n",
        "<|im_end|>",
    ),
    "Mistral": (
        MISTRAL,
        ["[TOOL_CALLS]", "weather", "[ARGS]", '{"town": ', '"Rome"}'],
        ("<s>", "</s>", "[INST]", "[/INST]", "[TOOL_CALLS]", "[ARGS]"),
        "[/INST]",
        "</s>",
    ),
    "gpt-oss": (
        HARMONY,
        ["<|channel|>", "commentary to=func", "tions.weather ", "<|constrain|>", "json", "<|message|>",
         '{"town": "R', 'ome"}'],
        ("<|return|>", "<|call|>", "<|end|>", "<|start|>", "<|channel|>", "<|message|>", "<|constrain|>"),
        "t",
        "<|call|>",
    ),
}  # fmt: skip


@pytest.mark.parametrize("family", SCRIPTS)
def test_a_model_that_asks_for_a_tool_is_understood(tmp_path: Path, family: str) -> None:
    template, script, control, begins_after, end = SCRIPTS[family]
    path = write_scripted(
        tmp_path / "scripted.gguf", [*script, end], template=template, control=control,
        begins_after=begins_after, eos=end,
    )  # fmt: skip
    heard = answer_of(path, ASKED, [WEATHER])
    assert [(call.name, json.loads(call.arguments)) for call in heard.calls] == [
        ("weather", {"town": "Rome"})
    ]
    assert heard.text.strip() in ("I look.", "") and not heard.reasoning
    assert heard.completed is not None and heard.completed.reason is StopReason.STOP


def test_a_call_is_an_event_for_who_offered_tools_and_text_for_everybody_else(tmp_path: Path) -> None:
    template, script, control, begins_after, end = SCRIPTS["Qwen"]
    path = write_scripted(
        tmp_path / "scripted.gguf", [*script, end], template=template, control=control,
        begins_after=begins_after, eos=end,
    )  # fmt: skip

    async def both() -> tuple[list[Event], str]:
        model = LocalModel(Engine(spawn_worker), path)
        try:
            offered = ChatRequest(tuple(ASKED), GREEDY, tools=(WEATHER,))
            events = [event async for event in model.stream(offered)]
            plain = [event async for event in model.stream(ChatRequest(tuple(ASKED), GREEDY))]
        finally:
            await model.close()
        return events, "".join(event.text for event in plain if isinstance(event, TextDelta))

    events, text = asyncio.run(both())
    (call,) = (event for event in events if isinstance(event, ToolCall))
    assert (call.name, json.loads(call.arguments)) == ("weather", {"town": "Rome"}) and len(call.id) == 9
    assert text == "".join(script)


def test_results_go_back_and_the_model_goes_on(runner: asyncio.Runner, engine: Engine) -> None:
    """The starter's template knows no tools: Alcove's own words tell it of them, and the rest stays a chat."""
    turns = [
        Turn("system", "Be brief."),
        *ASKED,
        Turn("assistant", "", calls=(CalledTool("abc", "weather", '{"town": "Rome"}'),)),
        Turn("tool", "Sunny, 24 degrees.", call_id="abc"),
    ]
    with_tools = runner.run(hear(engine, turns, [WEATHER], max_tokens=4))
    assert with_tools.completed is not None and with_tools.completed.prompt_tokens > 100


def test_an_answer_ends_where_its_template_ends_a_turn_even_if_the_file_names_another_token(
    tmp_path: Path,
) -> None:
    control = ("<|endoftext|>", "<|eot|>", "<|header_start|>", "<|header_end|>")
    path = write_scripted(
        tmp_path / "llama4.gguf", ["Four", ".", "<|eot|>", "and", " more"], template=LLAMA4, control=control,
        eos="<|endoftext|>",
    )  # fmt: skip
    heard = answer_of(path, ASKED)
    assert heard.text == "Four." and heard.completed is not None
    assert heard.completed.reason is StopReason.STOP


def test_the_table_knows_the_end_that_a_template_does_not_show(tmp_path: Path) -> None:
    hides_end = LLAMA4.replace("m.content + '<|eot|>'", "m.content")
    control = ("<|endoftext|>", "<|eom|>", "<|header_start|>", "<|header_end|>")
    script = ["Four", ".", "<|eom|>", "and", " more"]
    path = write_scripted(
        tmp_path / "llama4.gguf", script, template=hides_end, control=control, eos="<|endoftext|>"
    )
    assert answer_of(path, ASKED).text == "Four."
    other = hides_end.replace("header_start", "header_begin")
    assert answer_of(path, ASKED, template=other).text.startswith("Four.and more")


def test_how_much_a_model_thinks_can_be_chosen_where_its_template_knows_it(tmp_path: Path) -> None:
    async def efforts(template: str) -> tuple[Effort, ...]:
        async with engine_with(write_model(tmp_path / "effort.gguf", template=template)) as engine:
            assert engine.loaded is not None
            return engine.loaded.efforts

    assert asyncio.run(efforts(QWEN3)) == (Effort.OFF, Effort.ON)
    assert ChatTemplate(HARMONY, "", "").efforts == (Effort.LOW, Effort.MEDIUM, Effort.HIGH)
    assert ChatTemplate(CHATML, "", "").efforts == ()
    soft = "{% if '/no_think' in messages[0].content %}[quiet]{% endif %}" + CHATML
    template = ChatTemplate(soft, "", "")
    assert template.efforts == (Effort.OFF, Effort.ON)
    assert template.render(ASKED, effort=Effort.OFF).startswith("[quiet]")
    assert "[quiet]" not in template.render(ASKED, effort=Effort.ON)


def test_thinking_that_is_switched_off_is_off_in_the_prompt() -> None:
    template = ChatTemplate(QWEN3, "", "")
    off, usual = (template.render(ASKED, effort=effort) for effort in (Effort.OFF, Effort.AUTOMATIC))
    assert off == usual + "<think>\n\n</think>\n\n"
    assert "Reasoning: high" in ChatTemplate(HARMONY, "", "").render(ASKED, effort=Effort.HIGH)


CALLED = [
    *ASKED,
    Turn(
        "assistant",
        "",
        calls=(CalledTool("call_00001", "weather", '{"town": "Rome"}'),),
        reasoning="Look it up.",
    ),
    Turn("tool", "Sunny.", call_id="call_00001"),
]


def test_calls_and_results_go_back_as_the_family_writes_them() -> None:
    assert (
        ChatTemplate(HERMES, "", "")
        .render(CALLED, [WEATHER])
        .endswith(
            '<tool_call>{"name": "weather", "arguments": {"town": "Rome"}}</tool_call><|im_end|>\n'
            "<|im_start|>user\n<tool_response>Sunny.</tool_response><|im_end|>\n<|im_start|>assistant\n"
        )
    )
    assert (
        ChatTemplate(MISTRAL, "<s>", "</s>")
        .render(CALLED, [WEATHER])
        .endswith('[TOOL_CALLS]weather[ARGS]{"town": "Rome"}</s>[TOOL_RESULTS]Sunny.[/TOOL_RESULTS]')
    )
    harmony = ChatTemplate(HARMONY, "", "").render(CALLED, [WEATHER])
    assert (
        "<|channel|>analysis<|message|>Look it up.<|end|><|start|>assistant to=functions.weather" in harmony
    )


def test_a_template_that_knows_no_tools_is_told_of_them_in_plain_words() -> None:
    text = ChatTemplate(CHATML, "", "").render(CALLED, [WEATHER])
    assert text.startswith("<|im_start|>system\nYou can use tools.") and '"name": "weather"' in text
    assert '<tool_call>{"name": "weather", "arguments": {"town": "Rome"}}</tool_call>' in text
    assert "<|im_start|>user\n<tool_response>\nSunny.\n</tool_response><|im_end|>" in text
    assert ChatTemplate(CHATML, "", "").render(ASKED) == ChatTemplate(CHATML, "", "").render(ASKED, [])


def test_another_template_can_take_the_place_of_the_files_own(tmp_path: Path) -> None:
    bare = write_scripted(tmp_path / "base.gguf", ["Hello", "<|im_end|>"], template=None)
    with pytest.raises(RuntimeFault) as caught:
        answer_of(bare, ASKED)
    assert caught.value.fault is Fault.NO_TEMPLATE
    chatml = next(form for form in template_forms() if form.name == form_for("Qwen", ""))
    assert answer_of(bare, ASKED, template=chatml.text).text == "Hello"


def test_a_changed_template_loads_the_model_again(tmp_path: Path) -> None:
    path = write_scripted(tmp_path / "model.gguf", ["Hello", "<|im_end|>"])

    async def reload() -> tuple[int | None, int | None, int | None]:
        async with engine_with(path) as engine:
            first = engine.pid
            async for _ in engine.load(path, LoadOptions(), ""):
                pass
            same = engine.pid
            async for _ in engine.load(path, LoadOptions(), CHATML + "\n"):
                pass
            return first, same, engine.pid

    first, same, other = asyncio.run(reload())
    assert first == same and other not in (None, first)


def test_a_template_can_be_read_and_recognised_without_loading_the_model() -> None:
    seen = asyncio.run(Engine(spawn_worker).read_template(starter()))
    assert "<|im_start|>" in seen.text and not seen.problem and not seen.takes_tools
    known = known_template(seen.sha256)
    assert known is not None and known.family == "SmolLM"
    assert known_template("0" * 64) is None


def test_a_template_is_tried_out_before_it_is_taken(tmp_path: Path) -> None:
    good, bad, endless = (tmp_path / name for name in ("good.jinja", "bad.jinja", "endless.jinja"))
    good.write_text(CHATML, "utf-8")
    bad.write_text("the same words whatever is said", "utf-8")
    endless.write_text(ENDLESS_TEMPLATE, "utf-8")
    engine = Engine(spawn_worker)
    assert asyncio.run(engine.read_template(starter(), good)).text == CHATML
    for file, fault in ((bad, Fault.TEMPLATE_BROKEN), (endless, Fault.TEMPLATE_ENDLESS)):
        with pytest.raises(RuntimeFault) as caught:
            asyncio.run(engine.read_template(starter(), file))
        assert caught.value.fault is fault
    assert asyncio.run(engine.read_template(starter(), endless, try_out=False)).text == ENDLESS_TEMPLATE


@pytest.mark.parametrize("name", [form.name for form in template_forms()])
def test_every_form_shows_the_whole_conversation(name: str) -> None:
    (form,) = (form for form in template_forms() if form.name == name)
    turns = [Turn("system", "S1"), Turn("user", "U1"), Turn("assistant", "A1"), Turn("user", "U2")]
    text = ChatTemplate(form.text, "<s>", "</s>").render(turns)
    places = [text.index(part) for part in ("S1", "U1", "A1", "U2")]
    assert places == sorted(places)
