"""Ollama's own chat API, a server on this machine or the organisation's.

Read against https://github.com/ollama/ollama/blob/main/docs/api.md, api/types.go and server/routes.go (summer 2026). An
answer is one JSON object a line. Such a server reports no cost.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from models.runtime.faults import StopReason
from models.runtime.values import CalledTool, Constraint, ConstraintKind, Effort, Tool, Turn
from providers.events import Event, Finished, ReasoningDelta, TextDelta, ToolCall, Usage
from providers.remote.answers import LineReader, own_id, reworded, tool_call
from providers.remote.asking import (
    arguments_of,
    base64_of,
    paired,
    parameters_of,
    posted,
    schema_of,
    type_of,
    unsupported,
)
from providers.remote.dialect import Reader
from providers.remote.faults import RemoteFailure, RemoteFault
from providers.remote.frames import count, items, table, text
from providers.remote.listing import cut_name, listed, not_for_chat
from providers.remote.parts import MOST_PARTS
from providers.remote.refusals import failure_said, refusal
from providers.remote.values import ChatCall, HttpCall, RemoteModelInfo, Service

_THINKING: dict[Effort, bool | str] = {
    Effort.OFF: False,
    Effort.ON: True,
    Effort.LOW: "low",
    Effort.MEDIUM: "medium",
    Effort.HIGH: "high",
}

# The server has one status for many things.
_RULES = (
    (RemoteFault.CONTEXT_TOO_LONG, r"(input|prompt).{0,40}(longer than|exceeds).{0,10}context"),
    (RemoteFault.IMAGE_REFUSED, r"does not support vision|image input|supports one image|process image"),
)

_Message = dict[str, object]


def _chat(call: ChatCall) -> HttpCall:
    body: dict[str, object] = {
        "model": call.model,
        "messages": _messages(paired(call.turns)),
        "stream": True,
        # Else the oldest messages are left out where they don't fit, and nobody is told.
        "truncate": False,
    }
    if call.tools:
        body["tools"] = [_tool(tool) for tool in call.tools]
    if call.constraint is not None:
        body["format"] = _format(call.constraint)
    if (think := _THINKING.get(call.effort)) is not None:
        body["think"] = think
    if options := _options(call):
        body["options"] = options
    return posted("/api/chat", body)


def _options(call: ChatCall) -> dict[str, object]:
    options: dict[str, object] = {}
    if call.temperature is not None:
        options["temperature"] = call.temperature
    if call.top_p is not None:
        options["top_p"] = call.top_p
    if call.stop:
        options["stop"] = list(call.stop)
    if call.max_tokens is not None:
        options["num_predict"] = call.max_tokens
    return options


def _format(constraint: Constraint) -> object:
    if constraint.kind is ConstraintKind.GRAMMAR:
        raise unsupported("grammar")
    return schema_of(constraint.text) if constraint.kind is ConstraintKind.SCHEMA else "json"


def _tool(tool: Tool) -> _Message:
    function = {"name": tool.name, "description": tool.description, "parameters": parameters_of(tool)}
    return {"type": "function", "function": function}


def _messages(turns: tuple[Turn, ...]) -> list[_Message]:
    names: dict[str, str] = {}  # of the called tools, by the ids of the newest calls
    messages: list[_Message] = []
    for turn in turns:
        names |= {call.id: call.name for call in turn.calls}
        message: _Message = {"role": turn.role, "content": turn.text}
        if turn.images:
            message["images"] = [base64_of(image) for image in turn.images if type_of(image)]
        if turn.calls:
            message["tool_calls"] = [_called(call) for call in turn.calls]
            if turn.reasoning:
                message["thinking"] = turn.reasoning
        if turn.role == "tool":
            message["tool_name"] = names[turn.call_id]
            message["tool_call_id"] = turn.call_id
        messages.append(message)
    return messages


def _called(call: CalledTool) -> _Message:
    return {"id": call.id, "function": {"name": call.name, "arguments": arguments_of(call)}}


class _Answer:
    """What the lines of a stream come to."""

    def __init__(self) -> None:
        self._calls: list[ToolCall] = []
        self._last: Mapping[str, Any] = {}

    def event(self, data: Mapping[str, Any]) -> Iterator[Event]:
        if "error" in data:
            # Where it has a status it stands beside the words.
            error = data if isinstance(data["error"], str) else data["error"]
            raise reworded(failure_said(error), _RULES)
        if thought := text(data, "message", "thinking"):
            yield ReasoningDelta(thought)
        if said := text(data, "message", "content"):
            yield TextDelta(said)
        for called in items(data, "message", "tool_calls"):
            call_id = text(called, "id") or own_id(text(data, "created_at"), len(self._calls))
            self._called(call_id, table(called, "function"))
        if data.get("done") is True:
            self._last = data

    def _called(self, call_id: str, function: Mapping[str, Any]) -> None:
        if len(self._calls) >= MOST_PARTS:
            raise RemoteFailure(RemoteFault.TOO_LARGE)
        self._calls.append(tool_call(call_id, text(function, "name"), function.get("arguments") or {}))

    def end(self) -> Iterator[Event]:
        if not self._last:
            raise RemoteFailure(RemoteFault.CUT_OFF)
        yield from self._calls
        if "eval_count" in self._last:
            yield Usage(
                prompt_tokens=count(self._last, "prompt_eval_count"),
                generated_tokens=count(self._last, "eval_count"),
                prompt_ms=count(self._last, "prompt_eval_duration") / 1e6,  # told in nanoseconds
                generate_ms=count(self._last, "eval_duration") / 1e6,
            )
        is_cut = self._last.get("done_reason") == "length"
        whole = StopReason.TOOL_CALLS if self._calls else StopReason.STOP
        yield Finished(StopReason.LENGTH if is_cut else whole)


def _described(told: Mapping[str, Any]) -> RemoteModelInfo:
    name = cut_name(text(told, "name"))
    able = items(told, "capabilities") or None
    # The last: a model that the server only passes on to. Its questions leave the server, too.
    elsewhere = text(told, "remote_host").removeprefix("https://").removesuffix(":443")
    known = [text(told, "details", "parameter_size"), text(told, "details", "quantization_level"), elsewhere]
    said = ", ".join(one for one in known if one)
    return RemoteModelInfo(
        id=name,
        name=cut_name(f"{name} ({said})" if said else name),
        context_tokens=count(told, "details", "context_length"),
        sees=None if able is None else "vision" in able,
        reasons=None if able is None else "thinking" in able,
        calls_tools=None if able is None else "tools" in able,
        keeps_to_json=None if elsewhere else True,  # by a grammar of the server's own, whatever the model
    )


def _talks(told: Mapping[str, Any]) -> bool:
    """Older servers don't tell: models that only make vectors are known by their family there."""
    if able := items(told, "capabilities"):
        return "completion" in able
    return not (text(told, "details", "family").endswith("bert") or not_for_chat(text(told, "name")))


class _Ollama:
    def chat(self, call: ChatCall, service: Service) -> HttpCall:
        return _chat(call)

    def reader(self, service: Service) -> Reader:
        return LineReader(_Answer())

    def failure(self, status: int, headers: Mapping[str, str], body: bytes) -> RemoteFailure:
        told = refusal(status, headers, body)
        if status == 404 and "model" not in told.detail.lower():
            return RemoteFailure(RemoteFault.REQUEST_REFUSED, told.detail)  # no Ollama is there
        return reworded(told, _RULES) if status >= 400 else told

    def models(self, service: Service) -> HttpCall:
        return HttpCall("GET", "/api/tags")

    def read_models(self, body: bytes, service: Service) -> tuple[RemoteModelInfo, ...]:
        talking = filter(_talks, listed(body, "models"))
        return tuple(model for model in map(_described, talking) if model.id)


DIALECT = _Ollama()
