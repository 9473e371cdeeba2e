"""Cohere's chat API, version 2.

Read against https://docs.cohere.com/reference/chat-stream, …/docs/reasoning, …/docs/tool-use-streaming and
…/reference/errors (autumn 2026). What a model thought and planned before it called tools goes back with the calls.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from models.runtime.faults import StopReason
from models.runtime.values import CalledTool, Constraint, ConstraintKind, Effort, Image, Tool, Turn
from providers.events import Event, Finished, ReasoningDelta, ReasoningRecord, TextDelta, ToolCall, Usage
from providers.remote.answers import EventReader, own_id, tool_call, unless_broken_off
from providers.remote.asking import (
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
from providers.remote.listing import cut_name, listed
from providers.remote.parts import MOST_PARTS, Record, parts_of
from providers.remote.refusals import failure_said, refusal
from providers.remote.values import ChatCall, HttpCall, RemoteModelInfo, Service

_DIALECT = "cohere"
_BUDGETS = {Effort.LOW: 1_024, Effort.MEDIUM: 4_096, Effort.HIGH: 16_384}  # tokens

_REASONS = {
    "MAX_TOKENS": StopReason.LENGTH,
    "TOOL_CALL": StopReason.TOOL_CALLS,
    "ERROR_TOXIC": StopReason.CONTENT_FILTERED,
}
# Statuses that only this service has: "invalid token" and "request cancelled".
_BY_STATUS = {498: RemoteFault.KEY_REFUSED, 499: RemoteFault.SERVER_FAILED}

_Message = dict[str, object]


def _chat(call: ChatCall) -> HttpCall:
    body: dict[str, object] = {
        "model": call.model,
        "messages": [_message(turn) for turn in paired(call.turns)],
        "stream": True,
    }
    if call.temperature is not None:
        body["temperature"] = call.temperature
    if call.top_p is not None:
        body["p"] = min(max(call.top_p, 0.01), 0.99)  # the ends are refused
    if call.stop:
        body["stop_sequences"] = list(call.stop)
    if call.max_tokens is not None:
        body["max_tokens"] = call.max_tokens
    if call.tools:
        body["tools"] = [_tool(tool) for tool in call.tools]
    if call.constraint is not None:
        body["response_format"] = _format(call.constraint, with_tools=bool(call.tools))
    if call.effort is not Effort.AUTOMATIC:
        body["thinking"] = _thinking(call.effort)
    return posted("/v2/chat", body)


def _thinking(effort: Effort) -> dict[str, object]:
    if effort is Effort.OFF:
        return {"type": "disabled"}
    budget = _BUDGETS.get(effort)
    return {"type": "enabled"} if budget is None else {"type": "enabled", "token_budget": budget}


def _format(constraint: Constraint, *, with_tools: bool) -> dict[str, object]:
    if constraint.kind is ConstraintKind.GRAMMAR:
        raise unsupported("grammar")
    if with_tools:
        raise unsupported("tools")  # one or the other
    if constraint.kind is ConstraintKind.SCHEMA:
        return {"type": "json_object", "json_schema": schema_of(constraint.text)}
    return {"type": "json_object"}


def _tool(tool: Tool) -> dict[str, object]:
    function: dict[str, object] = {"name": tool.name, "parameters": parameters_of(tool)}
    if tool.description:
        function["description"] = tool.description
    return {"type": "function", "function": function}


def _message(turn: Turn) -> _Message:
    if turn.role == "tool":
        return {"role": "tool", "tool_call_id": turn.call_id, "content": turn.text}
    if turn.role == "assistant":
        return _said(turn)
    if not turn.images:
        return {"role": turn.role, "content": turn.text}
    content: list[_Message] = [*map(_image, turn.images)]
    if turn.text:
        content.append({"type": "text", "text": turn.text})
    return {"role": turn.role, "content": content}


def _image(image: Image) -> _Message:
    address = f"data:{type_of(image)};base64,{base64_of(image)}"
    return {"type": "image_url", "image_url": {"url": address}}


def _said(turn: Turn) -> _Message:
    message: _Message = {"role": "assistant"}
    content: list[_Message] = []
    for part in parts_of(turn, _DIALECT, lambda _: True) if turn.calls else ():
        if part.block is not None and isinstance(plan := part.block.get("tool_plan"), str):
            message["tool_plan"] = plan
        elif part.block is not None:
            content.append(part.block)
    if turn.text:
        content.append({"type": "text", "text": turn.text})
    if content:
        message["content"] = content
    if turn.calls:
        message["tool_calls"] = [_called(call) for call in turn.calls]
    return message


def _called(call: CalledTool) -> _Message:
    function = {"name": call.name, "arguments": call.arguments or "{}"}
    return {"id": call.id, "type": "function", "function": function}


class _Call:
    """A call while it comes in."""

    def __init__(self, place: int) -> None:
        self._place = place
        self._id = self._name = ""
        self._arguments: list[str] = []

    def add(self, piece: Mapping[str, Any]) -> None:
        self._id = self._id or text(piece, "id")
        self._name = self._name or text(piece, "function", "name")
        self._arguments.append(text(piece, "function", "arguments"))

    def made(self) -> ToolCall:
        return tool_call(self._id or own_id(self._name, self._place), self._name, "".join(self._arguments))


class _Answer:
    """What the events of a stream come to."""

    def __init__(self) -> None:
        self._calls: dict[int, _Call] = {}
        self._thought: list[str] = []
        self._plan: list[str] = []
        self._usage: Mapping[str, Any] = {}
        self._reason = ""

    def event(self, data: Mapping[str, Any]) -> Iterator[Event]:
        match data.get("type"):
            case "content-start" | "content-delta":
                yield from self._said(table(data, "delta", "message", "content"))
            case "tool-plan-delta":
                if plan := text(data, "delta", "message", "tool_plan"):
                    self._plan.append(plan)
                    yield ReasoningDelta(plan)
            case "tool-call-start" | "tool-call-delta":
                self._called(data.get("index"), table(data, "delta", "message", "tool_calls"))
            case "message-end":
                self._ended(table(data, "delta"))
            case None if "message" in data or "error" in data:  # an error, where an event should be
                raise failure_said(data if "message" in data else data["error"])

    def _said(self, content: Mapping[str, Any]) -> Iterator[Event]:
        if thought := text(content, "thinking"):
            self._thought.append(thought)
            yield ReasoningDelta(thought)
        if said := text(content, "text"):
            yield TextDelta(said)

    def _called(self, index: object, piece: Mapping[str, Any]) -> None:
        if not isinstance(index, int):
            return
        if index not in self._calls:
            if len(self._calls) >= MOST_PARTS:
                raise RemoteFailure(RemoteFault.TOO_LARGE)
            self._calls[index] = _Call(len(self._calls))
        self._calls[index].add(piece)

    def _ended(self, delta: Mapping[str, Any]) -> None:
        self._usage = table(delta, "usage")
        self._reason = text(delta, "finish_reason") or "COMPLETE"
        if self._reason in ("ERROR", "TIMEOUT"):
            raise RemoteFailure(RemoteFault.SERVER_FAILED, text(delta, "error") or self._reason)

    def end(self) -> Iterator[Event]:
        if not self._reason:
            raise RemoteFailure(RemoteFault.CUT_OFF)
        stopped = _REASONS.get(self._reason, StopReason.STOP)
        calls = [made for call in self._calls.values() for made in unless_broken_off(call.made, stopped)]
        yield from calls
        if calls:
            yield from self._recorded()
        # What is billed, which is less than the model reads: Cohere's own words before the question cost nothing.
        if counted := table(self._usage, "billed_units") or table(self._usage, "tokens"):
            yield Usage(
                prompt_tokens=count(counted, "input_tokens"),
                reused_tokens=count(self._usage, "cached_tokens"),
                generated_tokens=count(counted, "output_tokens"),
            )
        yield Finished(stopped)

    def _recorded(self) -> list[ReasoningRecord]:
        """A model is to read again what led to its calls; what led to an answer is done with."""
        record = Record(_DIALECT)
        if self._thought:
            record.block({"type": "thinking", "thinking": "".join(self._thought)})
        if self._plan:
            record.block({"tool_plan": "".join(self._plan)})
        return record.event("")


def _described(told: Mapping[str, Any]) -> RemoteModelInfo:
    name = cut_name(text(told, "name"))
    able = items(told, "features") if isinstance(told.get("features"), list) else None
    return RemoteModelInfo(
        id=name,
        name=name,
        context_tokens=count(told, "context_length"),
        # These two are not told of every model that can:
        sees=True if "vision" in (able or ()) or "vision" in name else None,
        reasons=True if "reasoning" in (able or ()) or "reasoning" in name else None,
        calls_tools=None if able is None else "tools" in able,
        keeps_to_json=None if able is None else "json_mode" in able or "json_schema" in able,
    )


class _Cohere:
    def chat(self, call: ChatCall, service: Service) -> HttpCall:
        return _chat(call)

    def reader(self, service: Service) -> Reader:
        return EventReader(_Answer())

    def failure(self, status: int, headers: Mapping[str, str], body: bytes) -> RemoteFailure:
        told = refusal(status, headers, body)
        own = _BY_STATUS.get(status)
        return told if own is None else RemoteFailure(own, told.detail, told.facts, told.retry_after)

    def models(self, service: Service) -> HttpCall:
        return HttpCall("GET", "/v1/models?endpoint=chat&page_size=1000")

    def read_models(self, body: bytes, service: Service) -> tuple[RemoteModelInfo, ...]:
        return tuple(model for model in map(_described, listed(body, "models")) if model.id)


DIALECT = _Cohere()
