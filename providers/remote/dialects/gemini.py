"""Google's Gemini API: generateContent, streamed.

Read against https://ai.google.dev/api/generate-content, …/gemini-api/docs/thinking, …/thought-signatures and
…/troubleshooting (autumn 2026). Parts of an answer may carry a signature of what the model was thinking. They go back
with it, in the parts as they came, and only to the model that made them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any
from urllib.parse import quote

from models.runtime.faults import StopReason
from models.runtime.values import CalledTool, ConstraintKind, Effort, Tool, Turn
from providers.events import Event, Finished, ReasoningDelta, TextDelta, ToolCall, Usage
from providers.remote.answers import EventReader, is_own_id, own_id, reworded, tool_call
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
from providers.remote.frames import at, count, items, read_json, table, text
from providers.remote.listing import cut_name, listed, not_for_chat
from providers.remote.parts import Record, parts_of
from providers.remote.refusals import MOST_ERROR_BYTES, failure_said, refusal
from providers.remote.values import ChatCall, HttpCall, RemoteModelInfo, Service

_DIALECT = "gemini"
_MODEL_VERSION = re.compile(r"gemini-(\d{1,2})(?:\.(\d{1,2}))?(?![\d])")
# Of the same families, but made for something else than thinking: asked for their thoughts they refuse.
_THOUGHTLESS = re.compile(r"image|tts|audio|live|embedding|robotics")
_BUDGETS = {
    Effort.LOW: 1_024,
    Effort.MEDIUM: 8_192,
    Effort.HIGH: 24_576,
    Effort.ON: -1,
}  # tokens; -1: as it likes
_LEAST_BUDGET = 128  # of the models that can't be told not to think
_UNSIGNED = "skip_thought_signature_validator"
"""What Google documents for calls that another model made, where its newer models insist on a signature."""

_METHOD = "generateContent"
_FILTERED = ("SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "IMAGE_SAFETY", "LANGUAGE")
_REASONS = {"MAX_TOKENS": StopReason.LENGTH} | dict.fromkeys(_FILTERED, StopReason.CONTENT_FILTERED)
_BROKEN = (
    "MALFORMED_FUNCTION_CALL",
    "MALFORMED_RESPONSE",
    "UNEXPECTED_TOOL_CALL",
    "TOO_MANY_TOOL_CALLS",
    "MISSING_THOUGHT_SIGNATURE",
)
_PAID = re.compile(r"prepa(id|yment)|credits? (are|is|have been) depleted|enable billing", re.IGNORECASE)
_WAIT = re.compile(r"([0-9]{1,6}(?:\.[0-9]{1,9})?)s")
_RULES = (
    (RemoteFault.NO_CREDIT, _PAID.pattern),
    (RemoteFault.KEY_REFUSED, r"reported as leaked"),
    (RemoteFault.FORBIDDEN, r"location is not supported"),
    (RemoteFault.IMAGE_REFUSED, r"unable to process input image|image input modality"),
)

_Parts = list[dict[str, object]]


def _chat(call: ChatCall) -> HttpCall:
    body: dict[str, object] = {"contents": _contents(paired(call.turns), call.model)}
    if system := instructions(call.turns):
        body["systemInstruction"] = {"parts": [{"text": system}]}
    if call.tools:
        body["tools"] = [{"functionDeclarations": [_declared(tool) for tool in call.tools]}]
    if config := _config(call):
        body["generationConfig"] = config
    return posted(f"/{_path(call.model)}:streamGenerateContent?alt=sse", body)


def _path(model: str) -> str:
    """Where a model is. Its name comes from a list or from a person: nothing in it may lead anywhere else."""
    kind, slash, name = model.partition("/")
    if slash and kind in ("models", "tunedModels"):
        return f"{kind}/{quote(name, safe='')}"
    return f"models/{quote(model, safe='')}"


def _declared(tool: Tool) -> dict[str, object]:
    declared: dict[str, object] = {"name": tool.name, "description": tool.description}
    if tool.parameters:
        declared["parametersJsonSchema"] = parameters_of(tool)
    return declared


def _config(call: ChatCall) -> dict[str, object]:
    config: dict[str, object] = {}
    if call.temperature is not None:
        config["temperature"] = call.temperature
    if call.top_p is not None:
        config["topP"] = call.top_p
    if call.stop:
        config["stopSequences"] = list(call.stop)
    if call.max_tokens is not None:
        config["maxOutputTokens"] = call.max_tokens
    if call.constraint is not None:
        if call.constraint.kind is ConstraintKind.GRAMMAR:
            raise unsupported("grammar")
        config["responseMimeType"] = "application/json"
        if call.constraint.kind is ConstraintKind.SCHEMA:
            config["responseJsonSchema"] = schema_of(call.constraint.text)
    if thinking := _thinking(call.model, call.effort):
        config["thinkingConfig"] = thinking
    return config


def _version(model: str) -> tuple[int, int]:
    """(2, 5) of gemini-2.5-flash; the newest for gemini-flash-latest; (0, 0) for a model of another family."""
    if found := _MODEL_VERSION.search(model):
        return int(found[1]), int(found[2] or 0)
    return (3, 1) if "gemini" in model and model.endswith("latest") else (0, 0)


def _thinking(model: str, effort: Effort) -> dict[str, object]:
    """Its thoughts are always asked for, where there are any: the model thinks whether they are shown or not."""
    version = _version(model)
    if version < (2, 5) or _THOUGHTLESS.search(model):
        return {}
    shown: dict[str, object] = {"includeThoughts": True}
    if effort is Effort.AUTOMATIC:
        return shown
    if version < (3, 0):
        if effort is Effort.OFF:
            return {"thinkingBudget": _LEAST_BUDGET if "pro" in model else 0}
        return {**shown, "thinkingBudget": _BUDGETS[effort]}
    if effort is Effort.ON:
        return shown
    return {**shown, "thinkingLevel": _level(effort, version, model)}


def _level(effort: Effort, version: tuple[int, int], model: str) -> str:
    """None of these can be told not to think, and not all know a middle."""
    if effort in (Effort.OFF, Effort.LOW):
        return "low"
    return "high" if effort is Effort.HIGH or ("pro" in model and version < (3, 1)) else "medium"


def _contents(turns: tuple[Turn, ...], model: str) -> list[dict[str, object]]:
    """User and model in alternation. All results of one turn's calls stand together, as the calls did."""
    names: dict[str, str] = {}  # of the called tools, by the ids of the newest calls
    contents: list[tuple[str, _Parts]] = []
    for turn in turns:
        if turn.role == "system":
            continue
        names |= {call.id: call.name for call in turn.calls}
        role = "model" if turn.role == "assistant" else "user"
        parts = _said(turn, model) if role == "model" else _given(turn, names)
        if contents and contents[-1][0] == role:
            contents[-1][1].extend(parts)
        else:
            contents.append((role, parts))
    return [{"role": role, "parts": parts} for role, parts in contents]


def _given(turn: Turn, names: dict[str, str]) -> _Parts:
    images: _Parts = [
        {"inlineData": {"mimeType": type_of(image), "data": base64_of(image)}} for image in turn.images
    ]
    if turn.role == "tool":
        answer: dict[str, object] = {"name": names[turn.call_id], "response": {"output": turn.text}}
        return [{"functionResponse": _with_id(answer, turn.call_id)}, *images]
    return [*images, {"text": turn.text}] if turn.text else images


def _with_id(part: dict[str, object], call_id: str) -> dict[str, object]:
    """Only ids that the service gave are told to it again."""
    return part if is_own_id(call_id) else {"id": call_id, **part}


def _called(call: CalledTool) -> dict[str, object]:
    return {"functionCall": _with_id({"name": call.name, "args": arguments_of(call)}, call.id)}


def _said(turn: Turn, model: str) -> _Parts:
    parts: _Parts = []
    for part in parts_of(turn, _DIALECT, partial(_is_same, asked=model)):
        signed = {"thoughtSignature": part.signature} if part.signature else {}
        if part.block is not None:
            parts.append(part.block)
        elif part.call is not None:
            parts.append({**_called(part.call), **signed})
        else:
            parts.append({"text": part.text, **signed})
    return _signed(parts) if _version(model) >= (3, 0) else parts


def _signed(parts: _Parts) -> _Parts:
    """The first call of each answer must be signed."""
    for place, part in enumerate(parts):
        if "functionCall" in part:
            return [*parts[:place], {"thoughtSignature": _UNSIGNED, **part}, *parts[place + 1 :]]
    return parts


def _is_same(recorded: str, asked: str) -> bool:
    return asked.removeprefix("models/") == recorded or asked.endswith("latest")


class _Answer:
    """What the pieces of a stream come to: each is a whole response of its own."""

    def __init__(self) -> None:
        self._model = self._id = ""
        self._record = Record(_DIALECT)
        self._calls: list[ToolCall] = []
        self._usage: Mapping[str, Any] = {}
        self._reason = ""

    def event(self, data: Mapping[str, Any]) -> Iterator[Event]:
        if "error" in data:
            raise _failure(failure_said(data["error"]), data["error"])
        if reason := text(data, "promptFeedback", "blockReason"):
            raise RemoteFailure(RemoteFault.CONTENT_REFUSED, reason)
        self._model = text(data, "modelVersion") or self._model
        self._id = self._id or text(data, "responseId")
        self._usage = table(data, "usageMetadata") or self._usage
        for part in items(data, "candidates", 0, "content", "parts"):
            yield from self._part(part)
        if reason := text(data, "candidates", 0, "finishReason"):
            if reason in _BROKEN:
                said = text(data, "candidates", 0, "finishMessage") or reason
                raise RemoteFailure(RemoteFault.SERVER_FAILED, said)
            self._reason = reason

    def _part(self, part: object) -> Iterator[Event]:
        signature, said = text(part, "thoughtSignature"), text(part, "text")
        if called := table(part, "functionCall"):
            self._called(called, signature)
        elif at(part, "thought") is True:
            if signature:
                self._record.block({"text": said, "thought": True, "thoughtSignature": signature})
            if said:
                yield ReasoningDelta(said)
        elif said or signature:
            self._record.text(len(said), signature)
            if said:
                yield TextDelta(said)

    def _called(self, called: Mapping[str, Any], signature: str) -> None:
        call_id = text(called, "id") or own_id(self._id, len(self._calls))
        call = tool_call(call_id, text(called, "name"), called.get("args") or {})
        self._record.call(call_id, signature)
        self._calls.append(call)

    def end(self) -> Iterator[Event]:
        if not self._reason:
            raise RemoteFailure(RemoteFault.CUT_OFF)
        yield from self._calls
        yield from self._record.event(self._model)
        if self._usage:
            thought = count(self._usage, "thoughtsTokenCount")
            yield Usage(
                prompt_tokens=count(self._usage, "promptTokenCount"),
                reused_tokens=count(self._usage, "cachedContentTokenCount"),
                generated_tokens=count(self._usage, "candidatesTokenCount") + thought,
                reasoning_tokens=thought,
            )
        reason = _REASONS.get(self._reason, StopReason.STOP)
        yield Finished(StopReason.TOOL_CALLS if self._calls and reason is StopReason.STOP else reason)


def _failure(told: RemoteFailure, error: object) -> RemoteFailure:
    """A refusal in Google's own terms. Of quotas, only the one that is nothing at all has to do with money."""
    told = reworded(told, _RULES)
    if text(error, "status") != "RESOURCE_EXHAUSTED" or _PAID.search(told.detail):
        return told
    details = items(error, "details")
    violations = [one for detail in details for one in items(detail, "violations")]
    if any(text(one, "quotaValue") == "0" for one in violations) or re.search(r"limit: 0\b", told.detail):
        return RemoteFailure(RemoteFault.NO_CREDIT, told.detail)
    waits = [found for one in details if (found := _WAIT.fullmatch(text(one, "retryDelay")))]
    # What a day allows is not there again after the seconds that it says all the same.
    wait = told.retry_after or (float(waits[0][1]) if waits else None)
    if wait is None or any("PerDay" in text(one, "quotaId") for one in violations):
        return RemoteFailure(RemoteFault.RATE_LIMITED, told.detail)
    return RemoteFailure(RemoteFault.RATE_LIMITED, told.detail, {"retry_after": max(1, round(wait))}, wait)


def _error_in(body: bytes) -> object:
    """The error in a body, which may be in a list; None where there is none to be read."""
    try:
        value = read_json(body.decode("utf-8", "replace"))
    except RemoteFailure:
        return None
    return at(value, 0, "error") if isinstance(value, list) else at(value, "error")


def _described(told: Mapping[str, Any]) -> RemoteModelInfo:
    thinks = told.get("thinking")
    return RemoteModelInfo(
        id=cut_name(text(told, "name").removeprefix("models/")),
        name=cut_name(text(told, "displayName")),
        context_tokens=count(told, "inputTokenLimit"),
        most_output_tokens=count(told, "outputTokenLimit"),
        reasons=thinks if isinstance(thinks, bool) else None,
    )


class _Gemini:
    def chat(self, call: ChatCall, service: Service) -> HttpCall:
        return _chat(call)

    def reader(self, service: Service) -> Reader:
        return EventReader(_Answer())

    def failure(self, status: int, headers: Mapping[str, str], body: bytes) -> RemoteFailure:
        told = refusal(status, headers, body)
        return _failure(told, _error_in(body[:MOST_ERROR_BYTES])) if 400 <= status < 500 else told

    def models(self, service: Service) -> HttpCall:
        return HttpCall("GET", "/models?pageSize=1000")

    def read_models(self, body: bytes, service: Service) -> tuple[RemoteModelInfo, ...]:
        answering = (
            told for told in listed(body, "models") if _METHOD in items(told, "supportedGenerationMethods")
        )
        return tuple(model for model in map(_described, answering) if model.id and not not_for_chat(model.id))


DIALECT = _Gemini()
