"""Anthropic's Messages API.

Read against https://platform.claude.com/docs/en/api/messages, …/en/build-with-claude/streaming and …/thinking, and
…/en/api/errors (autumn 2026). What a model was thinking comes in blocks with a signature; they go back unchanged, in
their places among text and calls, and only to the model that made them: others refuse them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from models.runtime.faults import StopReason
from models.runtime.values import Constraint, ConstraintKind, Effort, Image, Turn
from providers.events import Event, Finished, ReasoningDelta, TextDelta, ToolCall, Usage
from providers.remote.answers import EventReader, own_id, reworded, tool_call, unless_broken_off
from providers.remote.asking import (
    arguments_of,
    base64_of,
    instructions,
    paired,
    parameters_of,
    posted,
    schema_of,
    type_of,
    unsupported,
)
from providers.remote.dialect import Reader
from providers.remote.faults import RemoteFailure, RemoteFault
from providers.remote.frames import at, count, table, text
from providers.remote.listing import cut_name, listed
from providers.remote.parts import MOST_PARTS, Record, parts_of
from providers.remote.refusals import failure_said, refusal
from providers.remote.values import ChatCall, HttpCall, RemoteModelInfo, Service

_VERSION = {"anthropic-version": "2023-06-01"}
_MODEL_VERSION = re.compile(r"claude-(?:[a-z]+-)?(\d{1,2})(?:[-.](\d{1,2}))?(?!\d)")
_DIALECT = "anthropic"
_THOUGHTS = ("thinking", "redacted_thinking")
_SHORTEST_BUDGET = 1_024  # tokens, the least that is taken
_BUDGETS = {Effort.LOW: 2_048, Effort.HIGH: 16_384}
_MIDDLE_BUDGET = 8_192

_REASONS = {
    "max_tokens": StopReason.LENGTH,
    "tool_use": StopReason.TOOL_CALLS,
    "refusal": StopReason.CONTENT_FILTERED,
    "model_context_window_exceeded": StopReason.CONTEXT_FULL,
}

_CACHED = ("cache_read_input_tokens", "cache_creation_input_tokens")  # counted apart from input_tokens
_RULES = (
    (RemoteFault.NO_CREDIT, r"(api )?usage limits?\b.{0,80}regain access|your billing"),
    (RemoteFault.CONTEXT_TOO_LONG, r"exceeds? the maximum size|exceed context limit"),
    (RemoteFault.CONTENT_REFUSED, r"blocked by content filtering"),
    (RemoteFault.IMAGE_REFUSED, r"could not process image"),
    (RemoteFault.FORBIDDEN, r"organization has been disabled"),
)

_Blocks = list[dict[str, object]]


@dataclass(frozen=True, slots=True)
class _Model:
    """What a model takes, told by its version: the requests of the newer ones refuse what the older ones want."""

    version: tuple[int, int]
    must_think: bool  # refuses to be told not to

    @property
    def thinks_by_budget(self) -> bool:
        return (3, 7) <= self.version < (4, 6)

    @property
    def thinks_by_effort(self) -> bool:
        return self.version >= (4, 6)

    @property
    def thinks_unasked(self) -> bool:
        return self.version >= (5, 0)

    @property
    def is_sampled(self) -> bool:
        """Whether temperature and top_p are taken."""
        return self.version < (4, 7)

    @property
    def keeps_to_schemas(self) -> bool:
        return self.version >= (4, 5)

    @property
    def most_tokens(self) -> int:
        """What is asked for where nobody chose: `max_tokens` is no option here. Thinking counts among them."""
        if self.version < (3, 5):
            return 4_096
        return 8_192 if self.version < (3, 7) else 32_000


def _model(name: str) -> _Model:
    """By the name: claude-3-7-sonnet-20250219, claude-opus-4-1, claude-opus-5. A Claude without number is a new one."""
    found = _MODEL_VERSION.search(name)
    if found:
        version = (int(found[1]), int(found[2] or 0))
        named_so = "fable" in name or "mythos" in name
        return _Model(version, must_think=named_so or version >= (5, 5))
    # Somebody else's model behind the same API: it is asked for nothing peculiar.
    return _Model((5, 5), must_think=True) if "claude" in name else _Model((3, 5), must_think=False)


def _chat(call: ChatCall) -> HttpCall:
    model = _model(call.model)
    turns = paired(call.turns)
    body: dict[str, object] = {
        "model": call.model,
        "max_tokens": call.max_tokens or model.most_tokens,
        "messages": _messages(turns, call.model),
        "stream": True,
    }
    if system := instructions(call.turns):
        body["system"] = system
    if call.stop:
        body["stop_sequences"] = _stops(call.stop)
    if call.tools:
        body["tools"] = [
            {
                "name": tool.name,
                "input_schema": parameters_of(tool),
                **({"description": tool.description} if tool.description else {}),
            }
            for tool in call.tools
        ]
    thinking, effort = _thinking(call, model, turns)
    if thinking:
        body["thinking"] = thinking
    if model.is_sampled and thinking.get("type", "disabled") == "disabled":
        body.update(_sampling(call))
    if config := _output(call.constraint, effort, model):
        body["output_config"] = config
    return posted("/messages", body, _VERSION)


def _stops(stop: tuple[str, ...]) -> list[str]:
    if any(not end.strip() for end in stop):
        raise unsupported("stop")  # white space alone is refused
    return list(stop)


def _sampling(call: ChatCall) -> dict[str, object]:
    """One of the two: some models refuse both together. Temperatures end at 1 here, elsewhere at 2."""
    if call.temperature is not None:
        return {"temperature": min(call.temperature, 1.0)}
    return {"top_p": call.top_p} if call.top_p is not None else {}


def _thinking(call: ChatCall, model: _Model, turns: tuple[Turn, ...]) -> tuple[dict[str, object], str]:
    """What to say about thinking, and the effort to say beside it. Empty: nothing, the model's own choice."""
    shown: dict[str, object] = {"type": "adaptive", "display": "summarized"}
    effort = call.effort
    if effort is Effort.OFF:
        if model.must_think:
            return shown, "low"  # the nearest there is
        return ({"type": "disabled"} if model.thinks_unasked else {}), ""
    if model.thinks_by_effort:
        if effort is Effort.AUTOMATIC:
            # It thinks all the same, but would keep it to itself.
            return (shown if model.thinks_unasked else {}), ""
        return shown, "" if effort is Effort.ON else effort.value
    if effort is Effort.AUTOMATIC or not model.thinks_by_budget or _is_amid_calls(turns, call.model):
        return {}, ""
    budget = min(_BUDGETS.get(effort, _MIDDLE_BUDGET), (call.max_tokens or model.most_tokens) // 2)
    return ({"type": "enabled", "budget_tokens": budget} if budget >= _SHORTEST_BUDGET else {}), ""


def _is_amid_calls(turns: tuple[Turn, ...], model: str) -> bool:
    """Whether results are handed in for calls without recorded thinking: thinking can't begin between them then."""
    for turn in reversed(turns):
        if turn.role == "user":
            return False
        if turn.role == "assistant" and turn.calls:
            parts = parts_of(turn, _DIALECT, partial(_is_same, asked=model))
            return not any(part.block for part in parts)
    return False


def _output(constraint: Constraint | None, effort: str, model: _Model) -> dict[str, object]:
    config: dict[str, object] = {"effort": effort} if effort else {}
    if constraint is None:
        return config
    if constraint.kind is not ConstraintKind.SCHEMA or not model.keeps_to_schemas:
        raise unsupported(constraint.kind.value)
    config["format"] = {"type": "json_schema", "schema": _closed(schema_of(constraint.text))}
    return config


def _closed(schema: object) -> object:
    """The schema, with objects that have no other names than its own: any other object is refused."""
    if isinstance(schema, list):
        return [_closed(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    parts = {name: _closed(part) for name, part in schema.items()}
    if parts.get("type") == "object" and "properties" in parts:
        parts.setdefault("additionalProperties", False)
    return parts


def _messages(turns: tuple[Turn, ...], model: str) -> list[dict[str, object]]:
    """User and assistant in strict alternation. Results of tools are the user's, and stand first in their message."""
    messages: list[tuple[str, _Blocks]] = []
    for turn in turns:
        if turn.role == "system":
            continue
        role = "assistant" if turn.role == "assistant" else "user"
        blocks = _said(turn, model) if role == "assistant" else _given(turn)
        if not blocks:
            continue
        if messages and messages[-1][0] == role:
            messages[-1][1].extend(blocks)
        else:
            messages.append((role, blocks))
    return [{"role": role, "content": blocks} for role, blocks in messages]


def _given(turn: Turn) -> _Blocks:
    if turn.role == "tool":
        result: dict[str, object] = {"type": "tool_result", "tool_use_id": turn.call_id}
        blocks = [*map(_image, turn.images), *_text(turn.text)]
        return [{**result, "content": blocks} if blocks else result]
    return [*map(_image, turn.images), *_text(turn.text)]


def _image(image: Image) -> dict[str, object]:
    source = {"type": "base64", "media_type": type_of(image), "data": base64_of(image)}
    return {"type": "image", "source": source}


def _text(said: str) -> _Blocks:
    """No block where there is nothing but white space: it would be refused."""
    return [{"type": "text", "text": said}] if said.strip() else []


def _said(turn: Turn, model: str) -> _Blocks:
    blocks: _Blocks = []
    for part in parts_of(turn, _DIALECT, partial(_is_same, asked=model)):
        if part.block is not None:
            blocks.append(part.block)
        elif part.call is not None:
            called = {"id": part.call.id, "name": part.call.name, "input": arguments_of(part.call)}
            blocks.append({"type": "tool_use", **called})
        else:
            blocks += _text(part.text)
    while blocks and blocks[-1].get("type") in _THOUGHTS:
        blocks.pop()  # an answer may not end with thinking: what followed is not sent
    return blocks


def _is_same(recorded: str, asked: str) -> bool:
    """Whether the model that answered is the one that is asked: names without a date mean the newest one with it."""
    return re.fullmatch(re.escape(asked.removesuffix("-latest")) + r"(-\d{8})?", recorded) is not None


class _Block:
    """One block of an answer while it comes in."""

    def __init__(self, start: Mapping[str, Any], answer: str, place: int) -> None:
        self._answer, self._place = answer, place
        self.kind = text(start, "type")
        self.length = 0  # of its text
        self._start = start
        self._arguments: list[str] = []
        self._thought: list[str] = []
        self._signature: list[str] = []

    def add(self, piece: Mapping[str, Any]) -> Iterator[Event]:
        """What it begins with, or what is added to it: but for arguments, the names are the same."""
        if self.kind == "text" and (said := text(piece, "text")):
            self.length += len(said)
            yield TextDelta(said)
        elif self.kind == "thinking":
            self._signature.append(text(piece, "signature"))
            if thought := text(piece, "thinking"):
                self._thought.append(thought)
                yield ReasoningDelta(thought)
        elif self.kind == "tool_use":
            self._arguments.append(text(piece, "partial_json"))

    def kept(self) -> dict[str, object] | None:
        """The block to be sent back. Thinking that nobody signed would be refused: None."""
        if self.kind == "redacted_thinking" and (data := text(self._start, "data")):
            return {"type": self.kind, "data": data}
        if self.kind == "thinking" and (signature := "".join(self._signature)):
            return {"type": self.kind, "thinking": "".join(self._thought), "signature": signature}
        return None

    def call(self) -> ToolCall:
        call_id = text(self._start, "id") or own_id(self._answer, self._place)
        arguments = "".join(self._arguments) or table(self._start, "input")
        return tool_call(call_id, text(self._start, "name"), arguments)


class _Answer:
    """What the events of a stream come to."""

    def __init__(self) -> None:
        self._model = self._id = ""
        self._usage: dict[str, int] = {}
        self._blocks: dict[int, _Block] = {}
        self._reason = ""
        self._is_over = False

    def event(self, data: Mapping[str, Any]) -> Iterator[Event]:
        match data.get("type"):
            case "message_start":
                self._model, self._id = text(data, "message", "model"), text(data, "message", "id")
                self._count(table(data, "message", "usage"))
            case "content_block_start":
                yield from self._begin(data.get("index"), table(data, "content_block"))
            case "content_block_delta":
                index = data.get("index")
                if isinstance(index, int) and index in self._blocks:
                    yield from self._blocks[index].add(table(data, "delta"))
            case "message_delta":
                self._reason = text(data, "delta", "stop_reason") or self._reason
                self._count(table(data, "usage"))
            case "message_stop":
                self._is_over = True
            case _ if "error" in data:
                raise reworded(failure_said(data["error"]), _RULES)

    def _count(self, usage: Mapping[str, Any]) -> None:
        """The counts at the end are of the whole answer, and may leave out what the beginning told."""
        for name in ("input_tokens", *_CACHED, "output_tokens"):
            if usage.get(name) is not None:
                self._usage[name] = count(usage, name)
        if thinking := count(usage, "output_tokens_details", "thinking_tokens"):
            self._usage["thinking_tokens"] = thinking

    def _begin(self, index: object, start: Mapping[str, Any]) -> Iterator[Event]:
        if not isinstance(index, int) or index in self._blocks:
            return
        if len(self._blocks) >= MOST_PARTS:
            raise RemoteFailure(RemoteFault.TOO_LARGE)
        self._blocks[index] = _Block(start, self._id, len(self._blocks))
        yield from self._blocks[index].add(start)

    def end(self) -> Iterator[Event]:
        if not self._is_over and not self._reason:
            raise RemoteFailure(RemoteFault.CUT_OFF)
        record = Record(_DIALECT)
        for block in self._blocks.values():
            if block.length:
                record.text(block.length)
            elif (kept := block.kept()) is not None:
                record.block(kept)
            elif block.kind == "tool_use":
                for call in unless_broken_off(block.call, self._stopped):
                    record.call(call.id)
                    yield call
        yield from record.event(self._model)
        if self._usage:
            reused, written = (self._usage.get(name, 0) for name in _CACHED)
            yield Usage(
                prompt_tokens=self._usage.get("input_tokens", 0) + written + reused,
                reused_tokens=reused,
                cache_write_tokens=written,
                generated_tokens=self._usage.get("output_tokens", 0),
                reasoning_tokens=self._usage.get("thinking_tokens", 0),
            )
        yield Finished(self._stopped)

    @property
    def _stopped(self) -> StopReason:
        return _REASONS.get(self._reason, StopReason.STOP)


def _described(told: Mapping[str, Any]) -> RemoteModelInfo:
    def is_able(name: str) -> bool | None:
        able = at(told, "capabilities", name, "supported")
        return able if isinstance(able, bool) else None

    return RemoteModelInfo(
        id=cut_name(text(told, "id")),
        name=cut_name(text(told, "display_name")),
        context_tokens=count(told, "max_input_tokens"),
        most_output_tokens=count(told, "max_tokens"),
        sees=is_able("image_input"),
        reasons=is_able("thinking"),
        calls_tools=True,  # all of them do
        keeps_to_json=is_able("structured_outputs"),
    )


class _Anthropic:
    def chat(self, call: ChatCall, service: Service) -> HttpCall:
        return _chat(call)

    def reader(self, service: Service) -> Reader:
        return EventReader(_Answer())

    def failure(self, status: int, headers: Mapping[str, str], body: bytes) -> RemoteFailure:
        told = refusal(status, headers, body)
        return reworded(told, _RULES) if 400 <= status < 500 else told

    def models(self, service: Service) -> HttpCall:
        return HttpCall("GET", "/models?limit=1000", dict(_VERSION))

    def read_models(self, body: bytes, service: Service) -> tuple[RemoteModelInfo, ...]:
        return tuple(model for model in map(_described, listed(body, "data")) if model.id)


DIALECT = _Anthropic()
