"""OpenAI's Responses, which xAI speaks too.

Source: the API reference of OpenAI (platform.openai.com/docs/api-reference/responses and …/responses-streaming) and of
xAI. Nothing is to be kept there: `store` is false, so what a model thought comes back encrypted, to be sent again.
"""

from __future__ import annotations

import re
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
    TextDelta,
    Usage,
)
from providers.remote.answers import EventReader, own_id, tool_call, unless_broken_off
from providers.remote.asking import (
    base64_of,
    instructions,
    is_deep,
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
from providers.remote.parts import Record, parts_of
from providers.remote.refusals import failure_said, refusal
from providers.remote.values import ChatCall, HttpCall, RemoteModelInfo, Service

_DIALECT = "responses"
_OF_A_THOUGHT = ("type", "id", "summary", "encrypted_content")  # what is sent back of it
_TICKS = Decimal(10) ** 10  # of xAI's, in one US dollar


class _Responses:
    def chat(self, call: ChatCall, service: Service) -> HttpCall:
        body: dict[str, object] = {
            "model": call.model,
            "input": [
                item
                for turn in paired(call.turns)
                if turn.role != "system"
                for item in _items(turn, call.model)
            ],
            "stream": True,
            "store": False,
        }
        if _thinks(call.model):
            body["include"] = ["reasoning.encrypted_content"]
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


def _items(turn: Turn, model: str) -> Iterator[dict[str, object]]:
    """A turn as input items."""
    if turn.role == "tool":
        yield {"type": "function_call_output", "call_id": turn.call_id, "output": turn.text}
        return
    if turn.role == "assistant":
        yield from _said(turn, model)
        return
    content: list[dict[str, object]] = [
        {"type": "input_image", "image_url": f"data:{type_of(image)};base64,{base64_of(image)}"}
        for image in turn.images
    ]
    if turn.text:
        content.append({"type": "input_text", "text": turn.text})
    yield {"type": "message", "role": turn.role, "content": content}


def _said(turn: Turn, model: str) -> list[dict[str, object]]:
    """What was thought, said and called, in its order. A thought that nothing follows any more would be refused."""
    made: list[dict[str, object]] = []
    for part in parts_of(turn, _DIALECT, partial(_is_same, asked=model)):
        if made and made[-1]["type"] == "reasoning" and part.block is not None:
            made.pop()
        if part.block is not None:
            made.append({**part.block, "type": "reasoning"})
        elif part.call is not None:
            called = {"call_id": part.call.id, "name": part.call.name, "arguments": part.call.arguments}
            made.append({"type": "function_call", **called})
        elif part.text:
            content = [{"type": "output_text", "text": part.text}]
            made.append({"type": "message", "role": "assistant", "content": content})
    return made[:-1] if made and made[-1]["type"] == "reasoning" else made


def _is_same(recorded: str, asked: str) -> bool:
    """Whether the model that answered is the one that is asked: names without a date mean the newest one with it."""
    return re.fullmatch(re.escape(asked.removesuffix("-latest")) + r"(-[0-9][0-9-]*)?", recorded) is not None


def _thinks(model: str) -> bool:
    """Whether what a model thinks can be asked for: OpenAI's that do not think refuse the whole request."""
    return re.match(r"(ft:)?(gpt-[34]|chatgpt|gpt-5(\.[0-9]+)?-chat)", model) is None


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
        self._calls: dict[str, tuple[str, str]] = {}  # by their ids: name, arguments
        self._record = Record(_DIALECT)
        self._id = self._model = ""
        self._usage: Usage | None = None
        self._billed: Billed | None = None
        self._stop: StopReason | None = None
        self._has_text = self._has_thought = self._has_items = False

    def event(self, data: Mapping[str, Any]) -> Iterator[Event]:
        match text(data, "type"):
            case "response.output_text.delta" | "response.refusal.delta":
                yield from self._text(text(data, "delta"))
            case "response.reasoning_summary_text.delta" | "response.reasoning_text.delta":
                if said := text(data, "delta"):
                    self._has_thought = True
                    yield ReasoningDelta(said)
            case "response.reasoning_summary_part.added" if self._has_thought:
                yield ReasoningDelta("\n\n")
            case "response.output_item.done":
                self._has_items = True
                self._item(table(data, "item"))
            case "response.created":
                self._named(table(data, "response"))
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
            call
            for call_id, item in self._calls.items()
            for call in unless_broken_off(partial(tool_call, call_id, *item), self._stop)
        ]
        yield from calls
        yield from self._record.event(self._model)
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

    def _text(self, said: str) -> Iterator[Event]:
        if said:
            self._has_text = True
            self._record.text(len(said))
            yield TextDelta(said)

    def _item(self, item: Mapping[str, Any]) -> None:
        match text(item, "type"):
            case "function_call" if name := text(item, "name"):
                call_id = text(item, "call_id") or own_id(self._id, len(self._calls))
                if call_id not in self._calls:
                    self._calls[call_id] = (name, text(item, "arguments"))
                    self._record.call(call_id)
            case "reasoning" if text(item, "encrypted_content"):
                kept = {name: item[name] for name in _OF_A_THOUGHT if name in item}
                if not is_deep(kept):
                    self._record.block(kept)

    def _named(self, response: Mapping[str, Any]) -> None:
        self._id = self._id or text(response, "id")
        self._model = self._model or text(response, "model")

    def _over(self, response: Mapping[str, Any]) -> Iterator[Event]:
        self._named(response)
        yield from self._whole(items(response, "output"))
        match text(response, "status"), text(response, "incomplete_details", "reason"):
            case "failed", _:
                raise failure_said(at(response, "error") or response)
            case (("in_progress" | "queued" | "cancelled"), _):
                return
            case _, "max_output_tokens":
                self._stop = StopReason.LENGTH
            case _, "content_filter":
                self._stop = StopReason.CONTENT_FILTERED
            case _:
                self._stop = StopReason.STOP
        if used := table(response, "usage"):
            self._count(used)

    def _whole(self, output: list[Any]) -> Iterator[Event]:
        """What did not come in pieces comes as a whole."""
        has_text, has_items = self._has_text, self._has_items
        for item in output:
            if not has_items:
                self._item(table(item))
            for part in items(item, "content") if not has_text else ():
                if text(part, "type") != "reasoning_text":
                    yield from self._text(text(part, "text") or text(part, "refusal"))

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
