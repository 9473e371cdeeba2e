"""OpenAI's Chat Completions, and the many services and servers that speak it with differences of their own.

Source: the API reference of OpenAI (platform.openai.com/docs/api-reference/chat) and those of Mistral AI, DeepSeek,
Together AI, Fireworks AI, Groq, OpenRouter, vLLM, LM Studio and llama.cpp's server. Differences that a request must
respect are quirks of a service (`values.Quirk`); those of an answer are taken as they come, whoever sends them.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal, InvalidOperation
from functools import partial

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
from providers.remote.answers import own_id, tool_call, unless_broken_off, unless_cut, whole
from providers.remote.asking import base64_of, paired, parameters_of, posted, schema_of, type_of, unsupported
from providers.remote.faults import RemoteFailure, RemoteFault
from providers.remote.frames import EventStream, Fraction, at, count, items, read_json, table, text
from providers.remote.listing import cut_name, listed, not_for_chat
from providers.remote.refusals import failure_said, refusal
from providers.remote.values import ChatCall, HttpCall, Quirk, RemoteModelInfo, Service

MOST_CALLS = 128
"""Of tools, in one answer."""
_LONGEST_AMOUNT = 40  # of money, in digits

_STOPS = {
    "stop": StopReason.STOP,
    "eos": StopReason.STOP,
    "length": StopReason.LENGTH,
    "max_tokens": StopReason.LENGTH,
    "model_length": StopReason.CONTEXT_FULL,
    "content_filter": StopReason.CONTENT_FILTERED,
    "tool_calls": StopReason.TOOL_CALLS,
    "function_call": StopReason.TOOL_CALLS,
}
# Where a reason is that the service failed in the middle: what has come is not the answer.
_FAILED = {
    "error": RemoteFault.SERVER_FAILED,  # Mistral, OpenRouter
    "insufficient_system_resource": RemoteFault.OVERLOADED,  # DeepSeek
}


class _OpenAIChat:
    def chat(self, call: ChatCall, service: Service) -> HttpCall:
        body: dict[str, object] = {
            "model": call.model,
            "messages": [_message(turn, service) for turn in paired(call.turns)],
            "stream": True,
        }
        if Quirk.NO_STREAM_OPTIONS not in service.quirks:
            body["stream_options"] = {"include_usage": True}
        if Quirk.USAGE_ON_REQUEST in service.quirks:
            body["usage"] = {"include": True}
        if Quirk.NO_DATA_COLLECTION in service.quirks:
            body["provider"] = {"data_collection": "deny"}
        if call.max_tokens is not None:
            new = Quirk.MAX_COMPLETION_TOKENS in service.quirks
            body["max_completion_tokens" if new else "max_tokens"] = call.max_tokens
        if call.temperature is not None:
            body["temperature"] = call.temperature
        if call.top_p is not None:
            body["top_p"] = call.top_p
        if call.stop:
            body["stop"] = list(call.stop)
        if call.tools:
            body["tools"] = [_tool(tool) for tool in call.tools]
        body.update(_effort(call.effort, service))
        body.update(_form(call, service))
        return posted("/chat/completions", body, {"accept": "text/event-stream"})

    def reader(self, service: Service) -> _Reader:
        return _Reader()

    def failure(self, status: int, headers: Mapping[str, str], body: bytes) -> RemoteFailure:
        return refusal(status, headers, body)

    def models(self, service: Service) -> HttpCall:
        return HttpCall("GET", "/models", {"accept": "application/json"})

    def read_models(self, body: bytes, service: Service) -> tuple[RemoteModelInfo, ...]:
        return tuple(_model(entry, service) for entry in listed(body, "data") if _chats(entry, service))


DIALECT = _OpenAIChat()


# ---- the request


def _message(turn: Turn, service: Service) -> dict[str, object]:
    if turn.role == "tool":
        return {"role": "tool", "tool_call_id": _call_id(turn.call_id, service), "content": turn.text}
    message: dict[str, object] = {"role": turn.role, "content": _content(turn)}
    if turn.calls:
        message["tool_calls"] = [
            {
                "id": _call_id(call.id, service),
                "type": "function",
                "function": {"name": call.name, "arguments": call.arguments},
            }
            for call in turn.calls
        ]
        if Quirk.REPLAYS_REASONING in service.quirks and turn.reasoning:
            message["reasoning_content"] = turn.reasoning
    return message


def _call_id(given: str, service: Service) -> str:
    """The id of a call as this service takes it: another service may have made the call."""
    if Quirk.SHORT_CALL_IDS not in service.quirks or re.fullmatch("[A-Za-z0-9]{9}", given):
        return given
    return hashlib.sha256(given.encode("utf-8", "replace")).hexdigest()[:9]


def _content(turn: Turn) -> object:
    if not turn.images:
        return turn.text
    parts: list[dict[str, object]] = [
        {"type": "image_url", "image_url": {"url": f"data:{type_of(image)};base64,{base64_of(image)}"}}
        for image in turn.images
    ]
    if turn.text:
        parts.append({"type": "text", "text": turn.text})
    return parts


def _tool(tool: Tool) -> dict[str, object]:
    function: dict[str, object] = {"name": tool.name, "parameters": parameters_of(tool)}
    if tool.description:
        function["description"] = tool.description
    return {"type": "function", "function": function}


def _effort(effort: Effort, service: Service) -> dict[str, object]:
    if effort is Effort.AUTOMATIC:
        return {}
    if Quirk.TAKES_GRAMMAR in service.quirks:  # llama.cpp: what the template knows
        return {"chat_template_kwargs": {"enable_thinking": effort is not Effort.OFF}}
    if Quirk.THINKING_SWITCH in service.quirks:
        if effort in (Effort.OFF, Effort.ON):
            return {"thinking": {"type": "disabled" if effort is Effort.OFF else "enabled"}}
        return {"thinking": {"type": "enabled"}, "reasoning_effort": effort.value}
    level = {Effort.OFF: "none", Effort.ON: "medium"}.get(effort, effort.value)
    if Quirk.REASONING_OBJECT in service.quirks:
        return {"reasoning": {"enabled": False} if effort is Effort.OFF else {"effort": level}}
    return {"reasoning_effort": level}


def _form(call: ChatCall, service: Service) -> dict[str, object]:
    """What the answer is held to. Raises `RemoteFailure` for what this service can't be held to."""
    if call.constraint is None:
        return {}
    match call.constraint.kind:
        case ConstraintKind.JSON:
            return {"response_format": {"type": "json_object"}}
        case ConstraintKind.SCHEMA:
            if Quirk.NO_SCHEMA in service.quirks:
                raise unsupported("schema")
            schema = {"name": "answer", "schema": schema_of(call.constraint.text)}
            return {"response_format": {"type": "json_schema", "json_schema": schema}}
        case ConstraintKind.GRAMMAR:
            if Quirk.TAKES_GRAMMAR not in service.quirks:
                raise unsupported("grammar")
            return {"grammar": call.constraint.text}


# ---- the answer


class _Call:
    """One call of a tool while it comes in."""

    def __init__(self) -> None:
        self.id = ""
        self.name = ""
        self.arguments: list[str] = []

    def add(self, part: object) -> None:
        self.id = self.id or text(part, "id")
        self.name = self.name or text(part, "function", "name")
        arguments = at(part, "function", "arguments")
        if isinstance(arguments, str):
            self.arguments.append(arguments)
        elif isinstance(arguments, dict) and not self.arguments:
            self.arguments.append(json.dumps(arguments))

    def is_another(self, part: object) -> bool:
        """Whether this part begins another call: some services give every call the same place, or none.

        Not by the id alone: there are servers that make up a new one for each part of a call.
        """
        call_id, name = text(part, "id"), text(part, "function", "name")
        if not name or not self.name:
            return False
        return call_id != self.id if call_id and self.id else name != self.name


class _Calls:
    """The calls of an answer, in the order in which they began."""

    def __init__(self) -> None:
        self._begun: list[_Call] = []
        self._at: dict[int, _Call] = {}

    def take(self, parts: list[object]) -> None:
        for place, part in enumerate(parts):
            self._of(part, place if len(parts) > 1 else None).add(part)

    def made(self, answer: str, stopped: StopReason) -> Iterator[Event]:
        for number, call in enumerate(self._begun):
            call_id, arguments = call.id or own_id(answer, number), "".join(call.arguments)
            yield from unless_broken_off(partial(tool_call, call_id, call.name, arguments), stopped)

    def _of(self, part: object, place: int | None) -> _Call:
        """The call that a part belongs to. `place`: among several in one piece, for services that number none."""
        index = at(part, "index")
        spot = index if type(index) is int and 0 <= index < MOST_CALLS else place
        known = self._at.get(spot) if spot is not None else self._named(text(part, "id"))
        if known is not None and not known.is_another(part):
            return known
        if len(self._begun) >= MOST_CALLS:
            raise RemoteFailure(RemoteFault.TOO_LARGE)
        made = _Call()
        self._begun.append(made)
        if spot is not None:
            self._at[spot] = made
        return made

    def _named(self, call_id: str) -> _Call | None:
        """The call with this id; the last one if there is none."""
        last = self._begun[-1] if self._begun else None
        return next((call for call in self._begun if call_id and call.id == call_id), last)


class _Reader:
    """Chunks of a completion. Some servers send one whole completion, or an error, in place of a stream."""

    def __init__(self) -> None:
        self._stream = EventStream()
        self._calls = _Calls()
        self._id = ""
        self._usage: Usage | None = None
        self._billed: Billed | None = None
        self._stop: StopReason | None = None
        self._is_done = False  # "[DONE]" came

    def take(self, data: bytes) -> Iterator[Event]:
        for frame in self._stream.take(data):
            yield from map(whole, self._frame(frame.data))

    def end(self) -> Iterator[Event]:
        for frame in self._stream.end():
            yield from map(whole, self._frame(unless_cut(frame.data)))
        if self._stop is None and not self._is_done and (stray := self._stream.stray.strip()):
            yield from map(whole, self._chunk(read_json(unless_cut(stray) if stray[0] == "{" else stray)))
        if self._stop is None and not self._is_done:
            raise RemoteFailure(RemoteFault.CUT_OFF)
        yield from map(whole, self._calls.made(self._id, self._stop or StopReason.STOP))
        if self._usage is not None:
            yield self._usage
        if self._billed is not None:
            yield self._billed
        yield Finished(self._stop or StopReason.STOP)

    def _frame(self, data: str) -> Iterator[Event]:
        if data.strip() == "[DONE]":
            self._is_done = True
        elif data.strip():
            yield from self._chunk(read_json(data))

    def _chunk(self, chunk: object) -> Iterator[Event]:
        if not isinstance(chunk, dict):
            raise RemoteFailure(RemoteFault.UNREADABLE)
        if chunk.get("error"):
            raise failure_said(chunk["error"])
        if text(chunk, "object") == "error" or (text(chunk, "detail") and "choices" not in chunk):
            raise failure_said(chunk)
        self._id = self._id or text(chunk, "id")
        for choice in items(chunk, "choices")[:1]:
            # "message" is that of a whole completion.
            yield from self._said(table(choice, "delta") or table(choice, "message"))
            if at(choice, "error"):
                raise failure_said(at(choice, "error"))
            if (reason := text(choice, "finish_reason")) in _FAILED:
                raise RemoteFailure(_FAILED[reason])
            if reason:
                self._stop = _STOPS.get(reason, StopReason.STOP)
        for used in (table(chunk, "usage"), table(chunk, "x_groq", "usage")):
            if used:
                self._count(used)

    def _said(self, delta: Mapping[str, object]) -> Iterator[Event]:
        if thought := text(delta, "reasoning_content") or text(delta, "reasoning") or _detailed(delta):
            yield ReasoningDelta(thought)
        content = delta.get("content")
        if isinstance(content, str) and content:
            yield TextDelta(content)
        elif isinstance(content, list):
            yield from _parts(content)
        if refused := text(delta, "refusal"):
            yield TextDelta(refused)
        self._calls.take(items(delta, "tool_calls"))

    def _count(self, used: Mapping[str, object]) -> None:
        self._usage = Usage(
            prompt_tokens=count(used, "prompt_tokens"),
            reused_tokens=count(used, "prompt_tokens_details", "cached_tokens")
            or count(used, "prompt_cache_hit_tokens"),
            generated_tokens=count(used, "completion_tokens"),
            reasoning_tokens=count(used, "completion_tokens_details", "reasoning_tokens"),
        )
        if cost := _amount(at(used, "cost")):
            self._billed = Billed(cost, "USD", CostBasis.REPORTED)


def _amount(cost: object) -> str:
    """An amount of money in plain digits, those that the service wrote; "" for what is none."""
    if not isinstance(cost, Fraction | int) or isinstance(cost, bool) or not 0 <= cost < 1e9:
        return ""
    written = cost.written if isinstance(cost, Fraction) else str(cost)
    if len(written) > _LONGEST_AMOUNT:
        return ""
    try:
        value = Decimal(written)
    except InvalidOperation:
        return ""
    # As digits, 1e-999999999 would be a billion of them.
    return f"{value.copy_abs():f}" if value.adjusted() > -_LONGEST_AMOUNT else ""


def _detailed(delta: Mapping[str, object]) -> str:
    """What OpenRouter's models think, where it comes in details alone."""
    details = items(delta, "reasoning_details")
    return "".join(text(detail, "text") or text(detail, "summary") for detail in details)


def _parts(content: Iterable[object]) -> Iterator[Event]:
    """Mistral's content in parts: text, and what the model thinks."""
    for part in content:
        if text(part, "type") == "thinking":
            for thought in items(part, "thinking"):
                if said := text(thought, "text"):
                    yield ReasoningDelta(said)
        elif said := text(part, "text"):
            yield TextDelta(said)


# ---- the list of models


def _chats(entry: object, service: Service) -> bool:
    kind = text(entry, "type")
    if kind and kind not in ("chat", "language", "model", "llm", "base", "fine-tuned"):
        return False
    if at(entry, "capabilities", "completion_chat") is False or at(entry, "active") is False:
        return False
    outputs = items(entry, "architecture", "output_modalities")
    return (not outputs or "text" in outputs) and not not_for_chat(text(entry, "id"))


def _model(entry: object, service: Service) -> RemoteModelInfo:
    takes = items(entry, "architecture", "input_modalities")
    knows = items(entry, "supported_parameters")
    sees = at(entry, "capabilities", "vision")
    return RemoteModelInfo(
        id=cut_name(text(entry, "id")),
        name=cut_name(text(entry, "name") or text(entry, "display_name")),
        context_tokens=next(
            (
                found
                for name in ("context_length", "context_window", "max_context_length", "max_model_len")
                if (found := count(entry, name))
            ),
            count(entry, "meta", "n_ctx_train"),
        ),
        most_output_tokens=count(entry, "max_completion_tokens")
        or count(entry, "top_provider", "max_completion_tokens"),
        sees="image" in takes if takes else sees if isinstance(sees, bool) else None,
        reasons="reasoning" in knows if knows else _flag(entry, "reasoning"),
        calls_tools="tools" in knows if knows else _flag(entry, "function_calling"),
        keeps_to_json="response_format" in knows if knows else None,
    )


def _flag(entry: object, name: str) -> bool | None:
    found = at(entry, "capabilities", name)
    return found if isinstance(found, bool) else None
