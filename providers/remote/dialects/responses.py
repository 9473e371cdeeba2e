"""OpenAI's Responses, which xAI speaks too.

Source: the API reference of OpenAI (platform.openai.com/docs/api-reference/responses and …/responses-streaming) and of
xAI. Nothing is to be kept there: `store` is false, so what a model thought comes back encrypted, to be sent again.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from decimal import Decimal
from functools import partial
from typing import Any

from models.runtime.faults import StopReason
from models.runtime.values import ConstraintKind, Effort, Tool, Turn
from providers.events import (
    Billed,
    CostBasis,
    Event,
    Finished,
    ReasoningDelta,
    ReasoningRecord,
    TextDelta,
    Usage,
)
from providers.remote.answers import EventReader, tool_call, unless_broken_off
from providers.remote.asking import (
    base64_of,
    instructions,
    object_of,
    paired,
    parameters_of,
    posted,
    schema_of,
    type_of,
    unsupported,
)
from providers.remote.dialects import openai_chat
from providers.remote.faults import RemoteFailure, RemoteFault
from providers.remote.frames import at, count, items, table, text
from providers.remote.refusals import failure_said, refusal
from providers.remote.values import ChatCall, HttpCall, RemoteModelInfo, Service

_MOST_ITEMS = 1_000  # of what a model thought or called, in one answer
_TICKS = Decimal(10) ** 10  # of xAI's, in one US dollar


class _Responses:
    def chat(self, call: ChatCall, service: Service) -> HttpCall:
        body: dict[str, object] = {
            "model": call.model,
            "input": [item for turn in paired(call.turns) if turn.role != "system" for item in _items(turn)],
            "stream": True,
            "store": False,
            "include": ["reasoning.encrypted_content"],
        }
        if said := instructions(call.turns):
            body["instructions"] = said
        if call.max_tokens is not None:
            body["max_output_tokens"] = call.max_tokens
        if call.temperature is not None:
            body["temperature"] = call.temperature
        if call.top_p is not None:
            body["top_p"] = call.top_p
        if call.tools:
            body["tools"] = [_tool(tool) for tool in call.tools]
        if call.effort is not Effort.AUTOMATIC:
            level = {Effort.OFF: "none", Effort.ON: "medium"}.get(call.effort, call.effort.value)
            body["reasoning"] = (
                {"effort": level} if call.effort is Effort.OFF else {"effort": level, "summary": "auto"}
            )
        if (form := _form(call)) is not None:
            body["text"] = {"format": form}
        return posted("/responses", body, {"accept": "text/event-stream"})

    def reader(self, service: Service) -> EventReader:
        return EventReader(_Answer())

    def failure(self, status: int, headers: Mapping[str, str], body: bytes) -> RemoteFailure:
        return refusal(status, headers, body)

    def models(self, service: Service) -> HttpCall:
        return openai_chat.DIALECT.models(service)

    def read_models(self, body: bytes, service: Service) -> tuple[RemoteModelInfo, ...]:
        return openai_chat.DIALECT.read_models(body, service)


DIALECT = _Responses()


# ---- the request


def _items(turn: Turn) -> Iterator[dict[str, object]]:
    """A turn as input items: what was thought first, then what was said, then what was called."""
    if turn.role == "tool":
        yield {"type": "function_call_output", "call_id": turn.call_id, "output": turn.text}
        return
    if turn.role == "assistant" and turn.reasoning_record:
        record = object_of(turn.reasoning_record) or {}
        yield from (item for item in items(record, "responses") if isinstance(item, dict))
    content: list[dict[str, object]] = [
        {"type": "input_image", "image_url": f"data:{type_of(image)};base64,{base64_of(image)}"}
        for image in turn.images
    ]
    if turn.text:
        kind = "output_text" if turn.role == "assistant" else "input_text"
        content.append({"type": kind, "text": turn.text})
    if content:
        yield {"type": "message", "role": turn.role, "content": content}
    for call in turn.calls:
        yield {"type": "function_call", "call_id": call.id, "name": call.name, "arguments": call.arguments}


def _tool(tool: Tool) -> dict[str, object]:
    made: dict[str, object] = {
        "type": "function",
        "name": tool.name,
        "parameters": parameters_of(tool),
        "strict": False,
    }
    if tool.description:
        made["description"] = tool.description
    return made


def _form(call: ChatCall) -> dict[str, object] | None:
    if call.stop:
        raise unsupported("stop")
    if call.constraint is None:
        return None
    match call.constraint.kind:
        case ConstraintKind.JSON:
            return {"type": "json_object"}
        case ConstraintKind.SCHEMA:
            return {"type": "json_schema", "name": "answer", "schema": schema_of(call.constraint.text)}
        case ConstraintKind.GRAMMAR:
            raise unsupported("grammar")


# ---- the answer


class _Answer:
    def __init__(self) -> None:
        self._calls: list[tuple[str, str, str]] = []  # id, name, arguments
        self._thought: list[dict[str, Any]] = []
        self._usage: Usage | None = None
        self._billed: Billed | None = None
        self._stop: StopReason | None = None
        self._has_text = False

    def event(self, data: Mapping[str, Any]) -> Iterator[Event]:
        match text(data, "type"):
            case "response.output_text.delta" | "response.refusal.delta":
                if said := text(data, "delta"):
                    self._has_text = True
                    yield TextDelta(said)
            case "response.reasoning_summary_text.delta" | "response.reasoning_text.delta":
                if said := text(data, "delta"):
                    yield ReasoningDelta(said)
            case "response.output_item.done":
                self._item(table(data, "item"))
            case "response.completed" | "response.incomplete":
                yield from self._over(table(data, "response"))
            case "response.failed":
                raise failure_said(at(data, "response", "error") or data)
            case "error":
                raise failure_said(at(data, "error") or data)
            case "":
                yield from self._plain(data)

    def end(self) -> Iterator[Event]:
        if self._stop is None:
            raise RemoteFailure(RemoteFault.CUT_OFF)
        calls = [
            call for item in self._calls for call in unless_broken_off(partial(tool_call, *item), self._stop)
        ]
        yield from calls
        if self._thought:
            yield ReasoningRecord(json.dumps({"responses": self._thought}, separators=(",", ":")))
        if self._usage is not None:
            yield self._usage
        if self._billed is not None:
            yield self._billed
        waits = calls and self._stop is StopReason.STOP
        yield Finished(StopReason.TOOL_CALLS if waits else self._stop)

    def _plain(self, data: Mapping[str, Any]) -> Iterator[Event]:
        """No event: an error as the whole body, or a whole answer."""
        if data.get("error"):
            raise failure_said(data["error"])
        if text(data, "object") == "response":
            yield from self._over(data)
        elif "detail" in data or "message" in data:
            raise failure_said(data)

    def _item(self, item: Mapping[str, Any]) -> None:
        if len(self._calls) + len(self._thought) >= _MOST_ITEMS:
            raise RemoteFailure(RemoteFault.TOO_LARGE)
        match text(item, "type"):
            case "function_call" if name := text(item, "name"):
                call_id = text(item, "call_id") or f"call_{len(self._calls)}"
                self._calls.append((call_id, name, text(item, "arguments")))
            case "reasoning" if text(item, "encrypted_content"):
                kept = {
                    name: item[name]
                    for name in ("type", "id", "summary", "encrypted_content")
                    if name in item
                }
                self._thought.append(kept)

    def _over(self, response: Mapping[str, Any]) -> Iterator[Event]:
        if not self._has_text:  # what did not come in pieces comes as a whole
            for item in items(response, "output"):
                for part in items(item, "content"):
                    if said := text(part, "text") or text(part, "refusal"):
                        self._has_text = True
                        yield TextDelta(said)
        match text(response, "status"), text(response, "incomplete_details", "reason"):
            case "failed", _:
                raise failure_said(at(response, "error") or response)
            case _, "max_output_tokens":
                self._stop = StopReason.LENGTH
            case _, "content_filter":
                self._stop = StopReason.CONTENT_FILTERED
            case _:
                self._stop = StopReason.STOP
        if used := table(response, "usage"):
            self._count(used)

    def _count(self, used: Mapping[str, Any]) -> None:
        self._usage = Usage(
            prompt_tokens=count(used, "input_tokens"),
            reused_tokens=count(used, "input_tokens_details", "cached_tokens"),
            generated_tokens=count(used, "output_tokens"),
            reasoning_tokens=count(used, "output_tokens_details", "reasoning_tokens"),
        )
        ticks = at(used, "cost_in_usd_ticks")
        if type(ticks) is int and 0 <= ticks < 1 << 53:
            self._billed = Billed(f"{Decimal(ticks) / _TICKS:f}", "USD", CostBasis.REPORTED)
