"""A model's own chat template: the Jinja program in its file that turns a conversation into one text.

The program comes from a stranger. It runs in Jinja's sandbox, in the locked worker, with a limit on memory;
that it ends at all is seen to by the parent, which ends the worker when it does not. What a template may
expect follows Hugging Face's transformers (`utils/chat_template_utils.py`), which template authors test
against.
"""

from __future__ import annotations

import functools
import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from itertools import product
from typing import Any

import psutil
from jinja2 import TemplateError, nodes
from jinja2.ext import Extension, loopcontrols
from jinja2.parser import Parser
from jinja2.sandbox import ImmutableSandboxedEnvironment

from models.runtime.faults import Fault, RuntimeFault
from models.runtime.tool_messages import (
    FORMS,
    PLAIN,
    PROBE_TEXTS,
    PROBE_TOOL,
    PROBE_TURNS,
    ToolForm,
    definitions,
    in_plain_words,
    message,
    with_soft_switch,
)
from models.runtime.values import Effort, Tool, Turn

if sys.platform == "linux":
    import resource

_MOST_MEMORY = 512 << 20  # bytes, for rendering once
_DETAIL = 500

_SYSTEM, _USER, _ANSWER = "Probe one.", "Probe two.", "Probe three."
_EFFORTS = (Effort.OFF, Effort.ON), (Effort.LOW, Effort.MEDIUM, Effort.HIGH)


class ChatTemplate:
    """A compiled template, and what it was found to accept."""

    def __init__(self, source: str, bos: str, eos: str) -> None:
        """Compile it and try it on a short conversation.

        Raises `RuntimeFault` NO_TEMPLATE or TEMPLATE_BROKEN.
        """
        if not source.strip():
            raise RuntimeFault(Fault.NO_TEMPLATE)
        self.source = source
        self._special = {"bos_token": bos, "eos_token": eos}
        try:
            self._template = _environment().from_string(source)
        except Exception as error:  # a compiler given a stranger's program: any error is the program's
            raise _broken(error) from error
        self._takes_system, self._takes_parts = self._try_out()

    def render(
        self, turns: Sequence[Turn], tools: Sequence[Tool] = (), effort: Effort = Effort.AUTOMATIC
    ) -> str:
        """The prompt of a conversation, up to where the answer begins. Raises `RuntimeFault` TEMPLATE_BROKEN."""
        if effort in _EFFORTS[0] and self._soft_switch:
            turns = with_soft_switch(turns, effort)
        form = PLAIN
        if tools or any(turn.calls or turn.role == "tool" for turn in turns):
            form = self.tool_form
            if not form.native:
                turns, tools = in_plain_words(turns, tools), ()
        return self._render(turns, self._takes_system, self._takes_parts, True, form, tools, effort)

    @functools.cached_property
    def tool_form(self) -> ToolForm:
        """How it takes tools, found by trying. Raises nothing: a template that takes none has the form PLAIN."""
        for form in FORMS:
            try:
                text = self._render(
                    PROBE_TURNS, self._takes_system, self._takes_parts, True, form, (PROBE_TOOL,)
                )
                without = self._render(PROBE_TURNS[:1], self._takes_system, self._takes_parts, True)
                told = self._render(
                    PROBE_TURNS[:1], self._takes_system, self._takes_parts, True, form, (PROBE_TOOL,)
                )
            except RuntimeFault:
                continue
            shows_all = all(probe in text for probe in PROBE_TEXTS)
            if shows_all and PROBE_TOOL.name in told and PROBE_TOOL.name not in without:
                return form
        return PLAIN

    @functools.cached_property
    def efforts(self) -> tuple[Effort, ...]:
        """The efforts that make a difference to it, found by trying."""
        if self._soft_switch:
            return _EFFORTS[0]
        return tuple(effort for group in _EFFORTS if self._differs(group[0], group[-1]) for effort in group)

    @functools.cached_property
    def _soft_switch(self) -> bool:
        """Whether thinking is switched by a word in the system prompt, and by nothing else."""
        return "/no_think" in self.source and not self._differs(*_EFFORTS[0])

    def _differs(self, one: Effort, other: Effort) -> bool:
        if not any(name in self.source for name in ("thinking", "reasoning_effort")):
            return False
        turns = [Turn("system", _SYSTEM), Turn("user", _USER)]
        try:
            texts = [
                self._render(turns, self._takes_system, self._takes_parts, True, effort=effort)
                for effort in (one, other)
            ]
        except RuntimeFault:
            return False
        return texts[0] != texts[1]

    def after_answer(self) -> str:
        """What the template writes after an answer: the end of its turn. "" where that cannot be seen."""
        turns = [Turn("user", _USER), Turn("assistant", _ANSWER)]
        try:
            text = self._render(turns, self._takes_system, self._takes_parts, prompt=False)
        except RuntimeFault:
            return ""
        return text.rpartition(_ANSWER)[2] if _ANSWER in text else ""

    def _try_out(self) -> tuple[bool, bool]:
        """Whether it has a place for the system prompt, and whether it wants texts as lists of parts.

        Some templates refuse a system message, some leave it out silently, and a few know only lists of
        parts.
        """
        turns = [Turn("system", _SYSTEM), Turn("user", _USER)]
        fault = RuntimeFault(Fault.TEMPLATE_BROKEN, "it leaves out what the person wrote")
        for takes_parts, takes_system in product((False, True), (True, False)):
            try:
                text = self._render(turns, takes_system, takes_parts, prompt=True)
            except RuntimeFault as error:
                fault = error
                continue
            if _SYSTEM in text and _USER in text:
                return takes_system, takes_parts
        raise fault

    def _render(
        self,
        turns: Sequence[Turn],
        takes_system: bool,
        takes_parts: bool,
        prompt: bool,
        form: ToolForm = PLAIN,
        tools: Sequence[Tool] = (),
        effort: Effort = Effort.AUTOMATIC,
    ) -> str:
        names: dict[str, str] = {}
        thinking_key = "thinking" if "message.thinking" in self.source else "reasoning_content"
        messages = [
            message(
                turn,
                [{"type": "text", "text": turn.text}] if takes_parts and turn.role != "tool" else turn.text,
                form,
                names,
                thinking_key,
            )
            for turn in regular(turns, takes_system)
        ]
        try:
            with _limited_memory():
                return self._template.render(
                    messages=messages, add_generation_prompt=prompt, tools=definitions(tools), documents=None,
                    **_thinking(effort), **self._special,
                )  # fmt: skip
        except Exception as error:  # a stranger's program ran: any error is its own
            raise _broken(error) from error


def regular(turns: Sequence[Turn], takes_system: bool) -> list[Turn]:
    """The conversation in the form every template accepts: user and assistant alternate after the system prompt.

    Answers that were stopped before their first word are left out, neighbours of one role become one turn,
    and where there is no place for a system prompt it opens the first user message.
    """
    merged: list[Turn] = []
    for turn in turns:
        if turn.role == "assistant" and not (turn.text or turn.calls):
            continue
        alone = turn.role == "tool" or turn.calls or (merged and merged[-1].calls)
        if merged and merged[-1].role == turn.role and not alone:
            merged[-1] = Turn(turn.role, f"{merged[-1].text}\n\n{turn.text}")
        else:
            merged.append(turn)
    if not takes_system and merged and merged[0].role == "system":
        system = merged.pop(0)
        if merged and merged[0].role == "user":
            merged[0] = Turn("user", f"{system.text}\n\n{merged[0].text}")
        else:
            merged.insert(0, Turn("user", system.text))
    return merged


def _thinking(effort: Effort) -> dict[str, Any]:
    """The variables by which templates let thinking be chosen: Qwen 3 and most others, DeepSeek V3.1, gpt-oss."""
    if effort in _EFFORTS[0]:
        return {"enable_thinking": effort is Effort.ON, "thinking": effort is Effort.ON}
    if effort in _EFFORTS[1]:
        return {"enable_thinking": True, "reasoning_effort": effort.value}
    return {"enable_thinking": True}


class _GenerationBlock(Extension):
    """`{% generation %}…{% endgeneration %}`: marks answers for training. Here only its content counts."""

    tags = {"generation"}  # noqa: RUF012 - Jinja's own interface

    def parse(self, parser: Parser) -> list[nodes.Node]:
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


def _environment() -> ImmutableSandboxedEnvironment:
    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[_GenerationBlock, loopcontrols]
    )
    environment.filters["tojson"] = _to_json
    environment.globals["raise_exception"] = _raise_exception
    environment.globals["strftime_now"] = lambda form: datetime.now().strftime(form)
    return environment


def _to_json(value: Any, ensure_ascii: bool = False, indent: int | None = None, **options: Any) -> str:
    """Jinja's own filter escapes `<`, `>`, `&` and `'` for HTML, which would reach the model."""
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, **{"default": _listed, **options})


def _listed(value: Any) -> list[Any]:
    """What Jinja's `map` and `select` give, which templates write down as a list."""
    if isinstance(value, Iterator):
        return list(value)
    raise TypeError(f"a {type(value).__name__} is no JSON")


def _raise_exception(message: str) -> None:
    raise TemplateError(message)


def _broken(error: Exception) -> RuntimeFault:
    return RuntimeFault(Fault.TEMPLATE_BROKEN, f"{type(error).__name__}: {error}"[:_DETAIL])


@contextmanager
def _limited_memory() -> Iterator[None]:
    """`{{ 'a' * 10**11 }}` is one line, and would be over only when the machine had begun to swap."""
    if sys.platform != "linux":
        yield
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    limit = psutil.Process().memory_info().vms + _MOST_MEMORY
    if soft != resource.RLIM_INFINITY:
        limit = min(limit, soft)
    resource.setrlimit(resource.RLIMIT_AS, (limit, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
