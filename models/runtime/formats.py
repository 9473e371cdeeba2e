"""What families of models write besides the answer, and how it is told apart: thinking aloud, its markers.

Text goes into a splitter in whatever pieces it comes, and comes out as spans of answer and of reasoning. The
markers may be cut anywhere; what comes out, joined, does not depend on the cuts.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from models.runtime.tool_calls import json_object
from models.runtime.tool_splitter import LONGEST_CALL, Said, Span, ToolSplitter, new_id
from models.runtime.tool_syntax import Syntax, syntaxes_for
from models.runtime.values import CalledTool, Tool


@dataclass(frozen=True, slots=True)
class Thinking:
    """The two markers around a model's reasoning."""

    start: str
    end: str


_THINKING = (
    Thinking("[THINK]", "[/THINK]"),  # Mistral
    Thinking("<|channel>thought", "<channel|>"),  # Gemma 4
    Thinking("<|START_THINKING|>", "<|END_THINKING|>"),  # Cohere
    Thinking("<|inner_prefix|>", "<|inner_suffix|>"),  # Apertus
    Thinking("<seed:think>", "</seed:think>"),  # Seed-OSS
    Thinking("<mm:think>", "</mm:think>"),  # MiniMax M3
    Thinking("<thought>", "</thought>"),  # EXAONE Deep
    Thinking("◁think▷", "◁/think▷"),  # Kimi-VL
)
_USUAL = Thinking("<think>", "</think>")  # Qwen 3, DeepSeek R1, GLM, SmolLM3, Phi-4 reasoning, MiniMax M2, …

_CHANNEL, _MESSAGE = "<|channel|>", "<|message|>"
_MESSAGE_ENDS = ("<|end|>", "<|start|>", "<|return|>", "<|call|>", _CHANNEL)


@dataclass(frozen=True, slots=True)
class Format:
    """How the answers of one model are read. `thinking` None: in channels, as gpt-oss writes them (harmony)."""

    thinking: Thinking | None
    stop_text: str = ""
    ends: tuple[str, ...] = ()
    """Tokens that end an answer although the vocabulary does not say so."""

    @property
    def markers(self) -> tuple[str, ...]:
        """Texts that must reach the splitter even if the vocabulary has them as control tokens."""
        return _markers(self)

    def splitter(self, prompt: str) -> Splitter | CallingSplitter:
        """For one answer. `prompt` tells whether the template already opened the reasoning."""
        if self.thinking is None:
            return ChannelSplitter()
        return ThinkingSplitter(self.thinking, prompt.rstrip().endswith(self.thinking.start), self.stop_text)


@dataclass(frozen=True, slots=True)
class ToolFormat(Format):
    """The same while tools are offered: calls are told apart, too."""

    syntaxes: tuple[Syntax, ...] = ()

    @property
    def markers(self) -> tuple[str, ...]:
        return (*_markers(self), *(marker for syntax in self.syntaxes for marker in syntax.markers))

    def splitter(self, prompt: str) -> CallingSplitter:
        if self.thinking is None:
            return ChannelCallSplitter()
        opened = prompt.rstrip().endswith(self.thinking.start)
        return ToolSplitter(ThinkingSplitter(self.thinking, opened, self.stop_text), self.syntaxes)


def with_tools(form: Format, template: str, tools: Sequence[Tool], generic: bool) -> ToolFormat:
    """The format of an answer for which tools are offered. `generic`: by Alcove's own words, not the template's."""
    syntaxes = syntaxes_for(template, tools, generic)
    return ToolFormat(form.thinking, form.stop_text, form.ends, syntaxes)


def format_of(template: str, stop_text: str = "") -> Format:
    """The format a template speaks of. `<think>` where it says nothing: many such models think all the same.

    `stop_text`: what ends a turn in this template, if it is ordinary text to this vocabulary and no end
    token.
    """
    if _CHANNEL in template and _MESSAGE in template:
        return Format(None)
    for thinking in _THINKING:
        if thinking.start in template or thinking.end in template:
            return Format(thinking, stop_text)
    return Format(_USUAL, stop_text)


def _markers(form: Format) -> tuple[str, ...]:
    if form.thinking is None:
        return (_CHANNEL, _MESSAGE, *_MESSAGE_ENDS)
    return (form.thinking.start, form.thinking.end)


class Part(enum.Enum):
    """What the next text belongs to."""

    UNDECIDED = enum.auto()  # nothing was written yet: thinking or the answer
    THINKING = enum.auto()
    BLANK = enum.auto()  # between the two; white space here is dropped
    ANSWER = enum.auto()


class Splitter(Protocol):
    stopped: bool
    """The answer has ended by its own text; what comes after is to be thrown away."""

    @property
    def part(self) -> Part:
        """Where the text stands that was fed so far."""

    def feed(self, text: str) -> list[Span]:
        """The spans that are certain after this piece."""

    def finish(self) -> list[Span]:
        """What was held back, once nothing more comes. An unfinished marker is text like any other."""


class CallingSplitter(Protocol):
    """The same, where there may be calls of tools among the spans."""

    @property
    def stopped(self) -> bool: ...

    def feed(self, text: str) -> list[Said]: ...

    def finish(self) -> list[Said]: ...


class _State(enum.Enum):
    START = enum.auto()
    REASONING = enum.auto()
    ANSWER = enum.auto()


class ThinkingSplitter:
    """Reasoning between two markers, at the very start of an answer.

    Later on the markers are ordinary text: somebody may ask about them. White space around the reasoning is
    dropped, white space of an answer without any is kept.
    """

    def __init__(self, thinking: Thinking, opened: bool = False, stop_text: str = "") -> None:
        self.stopped = False
        self._thinking = thinking
        self._stop_text = stop_text
        self._held = ""
        self._state = _State.REASONING if opened else _State.START
        self._trim = opened  # drop white space until something else comes

    @property
    def part(self) -> Part:
        if self._state is _State.ANSWER:
            return Part.BLANK if self._trim else Part.ANSWER
        return Part.THINKING if self._state is _State.REASONING else Part.UNDECIDED

    def feed(self, text: str) -> list[Span]:
        if self._state is _State.ANSWER and not (self._trim or self._stop_text):
            return [(text, False)] if text else []  # nearly all the time
        self._held += text
        spans: list[Span] = []
        while not self.stopped and self._step(spans):
            pass
        return spans

    def finish(self) -> list[Span]:
        held, self._held = self._held, ""
        if self.stopped or not held or (self._trim and not held.strip()):
            return []
        return [(held, self._state is _State.REASONING)]

    def _step(self, spans: list[Span]) -> bool:
        """Take what is certain from the held text. True when the state changed and there may be more to take."""
        if self._trim:
            self._held = self._held.lstrip()
            if not self._held:
                return False
        match self._state:
            case _State.START:
                return self._start()
            case _State.REASONING:
                return self._take_until(self._thinking.end, spans)
            case _State.ANSWER:
                return self._take_until(self._stop_text, spans)

    def _start(self) -> bool:
        text = self._held.lstrip()
        if text.startswith(self._thinking.start):
            self._held = text[len(self._thinking.start) :]
            self._state, self._trim = _State.REASONING, True
            return True
        if self._thinking.start.startswith(text):  # true for white space alone, too
            return False
        self._state = _State.ANSWER
        return True

    def _take_until(self, marker: str, spans: list[Span]) -> bool:
        reasoning = self._state is _State.REASONING
        before, found, after = self._held.partition(marker) if marker else (self._held, "", "")
        keep = "" if found else _possible_start(before, marker)
        certain = before[: len(before) - len(keep)]
        if certain:
            spans.append((certain, reasoning))
            self._trim = False
        self._held = after if found else keep
        if not found:
            return False
        if reasoning:
            self._state, self._trim = _State.ANSWER, True
        else:
            self.stopped = True
        return True


class ChannelSplitter:
    """gpt-oss: `<|channel|>analysis<|message|>…<|end|><|start|>assistant<|channel|>final<|message|>…`.

    The channel "final" is the answer, all others are reasoning. Source: OpenAI's harmony response format.
    """

    def __init__(self) -> None:
        self.stopped = False
        self._held = ""
        self._channel: str | None = None  # None while between messages

    @property
    def part(self) -> Part:
        return Part.ANSWER if self._channel == "final" else Part.THINKING

    def feed(self, text: str) -> list[Span]:
        self._held += text
        spans: list[Span] = []
        while self._step(spans):
            pass
        return spans

    def finish(self) -> list[Span]:
        held, self._held = self._held, ""
        if not held or (self._channel is None and _CHANNEL in held):
            return []
        return [(held, self._channel not in (None, "final"))]

    def _begin(self, header: str) -> None:
        self._channel = (header.rpartition(_CHANNEL)[2].split() or [""])[0]

    def _end(self, spans: list[Span]) -> None:
        self._channel = None

    def _say(self, text: str, spans: list[Span]) -> None:
        spans.append((text, self._channel != "final"))

    def _step(self, spans: list[Span]) -> bool:
        if self._channel is None:
            header, found, rest = self._held.partition(_MESSAGE)
            if not found:
                return False
            self._begin(header)
            self._held = rest
            return True
        found_at, marker = min(
            ((self._held.find(end), end) for end in _MESSAGE_ENDS if end in self._held), default=(-1, "")
        )
        keep = "" if marker else max((_possible_start(self._held, end) for end in _MESSAGE_ENDS), key=len)
        certain = self._held[:found_at] if marker else self._held[: len(self._held) - len(keep)]
        if certain:
            self._say(certain, spans)
        if not marker:
            self._held = keep
            return False
        self._held = self._held[found_at:] if marker == _CHANNEL else self._held[found_at + len(marker) :]
        self._end(spans)
        return True


class ChannelCallSplitter:
    """gpt-oss with tools: `<|start|>assistant<|channel|>commentary to=functions.name …<|message|>{…}<|call|>`.

    The name may stand before the channel, too. A message to a tool that is no JSON object is text.
    """

    def __init__(self, make_id: Callable[[], str] = new_id) -> None:
        self.stopped = False
        self._messages = _Messages(make_id)

    def feed(self, text: str) -> list[Said]:
        """As `Splitter.feed`."""
        return self._messages.sorted(self._messages.feed(text))

    def finish(self) -> list[Said]:
        """As `Splitter.finish`. The last call ends with the answer: its marker is an end token."""
        return self._messages.sorted(self._messages.finish())


class _Messages(ChannelSplitter):
    """Sets aside what goes to tools, in its place among the spans."""

    def __init__(self, make_id: Callable[[], str]) -> None:
        super().__init__()
        self._make_id = make_id
        self._tool = ""
        self._arguments = ""
        self._calls: list[tuple[int, CalledTool]] = []  # each with the number of spans before it

    def finish(self) -> list[Span]:
        spans = super().finish()
        if self._tool:
            self._arguments += "".join(text for text, _ in spans)
            spans = []
            self._end(spans)
        return spans

    def sorted(self, spans: list[Span]) -> list[Said]:
        said: list[Said] = list(spans)
        for place, call in reversed(self._calls):
            said.insert(place, call)
        self._calls = []
        return said

    def _begin(self, header: str) -> None:
        super()._begin(header)
        found = _TO_TOOL.search(header)
        self._tool, self._arguments = (found[1] if found else ""), ""

    def _say(self, text: str, spans: list[Span]) -> None:
        if not self._tool:
            super()._say(text, spans)
            return
        self._arguments += text
        if len(self._arguments) > LONGEST_CALL:
            spans.append((self._arguments, False))
            self._tool, self._channel = "", "final"

    def _end(self, spans: list[Span]) -> None:
        if self._tool:
            arguments = json_object(self._arguments.strip() or "{}")
            if arguments is not None:
                self._calls.append((len(spans), CalledTool(self._make_id(), self._tool, arguments)))
            elif self._arguments:
                spans.append((self._arguments, False))
            self._tool = ""
        super()._end(spans)


_TO_TOOL = re.compile(r"to=(?:functions\.)?([^\s<]{1,200})")


def _possible_start(text: str, marker: str) -> str:
    """The longest end of `text` with which `marker` may begin."""
    for size in range(min(len(text), len(marker) - 1), 0, -1):
        if marker.startswith(text[-size:]):
            return text[-size:]
    return ""
