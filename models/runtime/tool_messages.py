"""A conversation with tools in the form that templates expect, and in plain words for templates that know no tools.

The form of definitions, calls and results is the one that Hugging Face documents for `apply_chat_template` in
transformers ("Tool use"). Templates differ in details of it, so each is tried (`models.runtime.template`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from models.runtime.tool_splitter import ID_LENGTH, LETTERS
from models.runtime.values import CalledTool, Effort, Tool, Turn


@dataclass(frozen=True, slots=True)
class ToolForm:
    """How a template takes calls and results. `native` False: not at all, or not whole."""

    native: bool
    arguments_as_text: bool = False
    empty_is_none: bool = False  # the content of an assistant's turn that has only calls


PLAIN = ToolForm(native=False)
FORMS = tuple(ToolForm(True, as_text, is_none) for as_text in (False, True) for is_none in (False, True))
"""The forms to try, the usual one first."""

PROBE_TOOL = Tool(
    "probe_tool", "Probe four.", '{"type": "object", "properties": {"probe": {"type": "string"}}}'
)
PROBE_TURNS = (
    Turn("user", "Probe two."),
    Turn("assistant", "", calls=(CalledTool("abcdefghi", "probe_tool", '{"probe": "Probe five"}'),)),
    Turn("tool", "Probe six", call_id="abcdefghi"),
)
PROBE_TEXTS = ("probe_tool", "Probe five", "Probe six")
"""What a template must show of these to know tools."""

_HOW_TO_CALL = (
    "You can use tools. To use one, write nothing but a call in this form, with the tool's name and its arguments as a "
    'JSON object:\n<tool_call>{"name": "…", "arguments": {}}</tool_call>\n'
    "The result then comes in <tool_response></tool_response>. Use a tool only if it is needed. These are the tools:"
)


def definitions(tools: Sequence[Tool]) -> list[dict[str, Any]] | None:
    """The tools as a template gets them; None for none."""
    if not tools:
        return None
    return [
        {
            "type": "function",
            "function": {
                "name": tool.name,
                "description": tool.description,
                "parameters": _object(tool.parameters) or {"type": "object", "properties": {}},
            },
        }
        for tool in tools
    ]


def message(
    turn: Turn, content: Any, form: ToolForm, names: dict[str, str], thinking_key: str
) -> dict[str, Any]:
    """One message for a template. `names`: what the calls so far were for, by their ids; added to here.

    `thinking_key`: under which name this template wants the reasoning before a call.
    """
    made: dict[str, Any] = {"role": turn.role, "content": content}
    if turn.role == "tool":
        made |= {"tool_call_id": short_id(turn.call_id), "name": names.get(turn.call_id, "")}
    if turn.calls:
        names |= {call.id: call.name for call in turn.calls}
        made["tool_calls"] = [_call(call, form) for call in turn.calls]
        if not turn.text:
            made["content"] = None if form.empty_is_none else ""
        if turn.reasoning:
            made[thinking_key] = turn.reasoning
            if thinking_key == "thinking":  # gpt-oss: the one or the other
                made["content"] = ""
    return made


def in_plain_words(turns: Sequence[Turn], tools: Sequence[Tool]) -> list[Turn]:
    """The same conversation for a template that knows system, user and assistant only."""
    plain = [_plain(turn) for turn in turns]
    if tools:
        text = "\n".join(
            [
                _HOW_TO_CALL,
                *(json.dumps(entry["function"], ensure_ascii=False) for entry in definitions(tools) or ()),
            ]
        )
        if plain and plain[0].role == "system":
            plain[0] = replace(plain[0], text=f"{plain[0].text}\n\n{text}")
        else:
            plain.insert(0, Turn("system", text))
    return plain


def with_soft_switch(turns: Sequence[Turn], effort: Effort) -> list[Turn]:
    """`/no_think` or `/think` at the end of the system prompt, as SmolLM3 and Nemotron read them."""
    word = "/no_think" if effort is Effort.OFF else "/think"
    if turns and turns[0].role == "system":
        return [replace(turns[0], text=f"{turns[0].text}\n\n{word}"), *turns[1:]]
    return [Turn("system", word), *turns]


def short_id(call_id: str) -> str:
    """An id as Mistral's templates demand it: nine letters and digits. The same for the same id."""
    if len(call_id) == ID_LENGTH and call_id.isascii() and call_id.isalnum():
        return call_id
    digest = hashlib.sha256(call_id.encode("utf-8", "surrogatepass")).digest()
    return "".join(LETTERS[byte % len(LETTERS)] for byte in digest[:ID_LENGTH])


def _call(call: CalledTool, form: ToolForm) -> dict[str, Any]:
    arguments: Any = call.arguments if form.arguments_as_text else _object(call.arguments) or {}
    return {
        "id": short_id(call.id),
        "type": "function",
        "function": {"name": call.name, "arguments": arguments},
    }


def _plain(turn: Turn) -> Turn:
    if turn.role == "tool":
        return replace(turn, role="user", text=f"<tool_response>\n{turn.text}\n</tool_response>")
    if not turn.calls:
        return turn
    written = [
        f'<tool_call>{{"name": {json.dumps(call.name, ensure_ascii=False)}, "arguments": {call.arguments}}}</tool_call>'
        for call in turn.calls
    ]
    return replace(turn, text="\n".join(filter(None, [turn.text, *written])), calls=())


def _object(text: str) -> dict[str, Any] | None:
    try:
        value = json.loads(text or "{}")
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None
