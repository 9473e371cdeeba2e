"""Chat templates of every kind are rendered as their authors meant them, and no further."""

from __future__ import annotations

import sys

import pytest
from support.gguf_files import CHATML

from models.runtime.faults import Fault, RuntimeFault
from models.runtime.template import ChatTemplate, regular
from models.runtime.values import Turn

CHAT = [
    Turn("system", "Be brief."),
    Turn("user", "One?"),
    Turn("assistant", "Two."),
    Turn("user", "Three?"),
]

# The idioms of real templates, each reduced to the point.
REFUSES_SYSTEM = (  # Gemma 2
    "{{ bos_token }}{% if messages[0]['role'] == 'system' %}{{ raise_exception('No system role') }}{% endif %}"
    "{% for message in messages %}{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}{% endif %}"
    "{% set role = 'model' if message['role'] == 'assistant' else message['role'] %}"
    "{{ '<start_of_turn>' + role + '\n' + message['content'] | trim + '<end_of_turn>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{'<start_of_turn>model\n'}}{% endif %}"
)
DROPS_SYSTEM = (
    "{% for m in messages %}{% if m.role != 'system' %}[{{ m.role }}]{{ m.content }}{% endif %}{% endfor %}"
    "[assistant]"
)
WANTS_PARTS = (  # vision models
    "{% for m in messages %}<{{ m.role }}>{% for part in m['content'] %}{% if part['type'] == 'text' %}"
    "{{ part['text'] }}{% endif %}{% endfor %}{% endfor %}<assistant>"
)
THINKS = (  # Qwen 3
    "{%- for m in messages %}\n    {{- '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' }}\n{%- endfor %}\n"
    "{%- if add_generation_prompt %}\n    {{- '<|im_start|>assistant\n' }}\n"
    "    {%- if enable_thinking is defined and enable_thinking is false %}\n        {{- '<think>\n\n</think>\n\n' }}\n"
    "    {%- endif %}\n{%- endif %}"
)


def rendered(template: str, turns: list[Turn]) -> str:
    return ChatTemplate(template, "<s>", "</s>").render(turns)


def fault_of(template: str) -> RuntimeFault:
    with pytest.raises(RuntimeFault) as caught:
        ChatTemplate(template, "<s>", "</s>")
    return caught.value


def test_a_plain_template_is_followed_to_the_letter() -> None:
    assert rendered(CHATML, CHAT) == (
        "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nOne?<|im_end|>\n"
        "<|im_start|>assistant\nTwo.<|im_end|>\n<|im_start|>user\nThree?<|im_end|>\n<|im_start|>assistant\n"
    )


def test_a_system_prompt_opens_the_first_message_where_the_template_refuses_one() -> None:
    assert rendered(REFUSES_SYSTEM, CHAT).startswith(
        "<s><start_of_turn>user\nBe brief.\n\nOne?<end_of_turn>\n"
    )


def test_a_system_prompt_is_not_lost_where_the_template_drops_it_silently() -> None:
    assert rendered(DROPS_SYSTEM, CHAT).startswith("[user]Be brief.\n\nOne?[assistant]Two.")


def test_texts_are_given_as_parts_where_the_template_wants_them_so() -> None:
    assert rendered(WANTS_PARTS, CHAT) == "<system>Be brief.<user>One?<assistant>Two.<user>Three?<assistant>"


def test_white_space_is_trimmed_as_template_authors_expect_and_thinking_is_on() -> None:
    assert rendered(THINKS, CHAT[1:2]) == "<|im_start|>user\nOne?<|im_end|>\n<|im_start|>assistant\n"


def test_the_tools_of_real_templates_are_there() -> None:
    template = (
        "{% for m in messages %}{% if m.role == 'skip' %}{% continue %}{% endif %}{{ m.content }}{% endfor %}"
        "{% generation %}!{% endgeneration %}{{ {'a': '<&\u00fc'} | tojson }}{{ eos_token }}"
        "{{ strftime_now('%Y') | length }}"
        "{% if tools is not none %}tools{% endif %}"
    )
    assert rendered(template, CHAT[1:2]) == 'One?!{"a": "<&ü"}</s>4'


def test_a_conversation_with_gaps_still_alternates() -> None:
    stopped_early = [Turn("user", "One?"), Turn("assistant", ""), Turn("user", "Still there?")]
    assert regular(stopped_early, takes_system=True) == [Turn("user", "One?\n\nStill there?")]
    assert "One?\n\nStill there?" in rendered(REFUSES_SYSTEM, stopped_early)


def test_what_a_template_writes_after_an_answer_is_known() -> None:
    assert ChatTemplate(CHATML, "", "").after_answer() == "<|im_end|>\n"


@pytest.mark.parametrize("template", ["", "   \n"])
def test_an_empty_template_is_no_template(template: str) -> None:
    assert fault_of(template).fault is Fault.NO_TEMPLATE


@pytest.mark.parametrize(
    "template",
    [
        "{% for %}",
        "{{ raise_exception('never') }}",
        "{{ 1 / 0 }}",
        "{{ messages.nothing.at.all }}",
        "the same words whatever is said",
        "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
        "{{ ''.__class__.__mro__[1].__subclasses__() }}{% for m in messages %}{{ m.content }}{% endfor %}",
        "{{ messages.append(1) }}{% for m in messages %}{{ m.content }}{% endfor %}",
        "{% include '/etc/passwd' %}",
    ],
)
def test_a_template_that_fails_or_tries_to_get_out_is_broken(template: str) -> None:
    assert fault_of(template).fault is Fault.TEMPLATE_BROKEN


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits the memory of a thread of work")
def test_a_template_cannot_take_all_memory() -> None:
    fault = fault_of("{{ 'a' * 10**11 }}" + CHATML)
    assert fault.fault is Fault.TEMPLATE_BROKEN and "MemoryError" in fault.detail
