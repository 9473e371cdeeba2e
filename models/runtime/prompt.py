"""From a conversation to tokens, so that nothing anybody says can pass for the template's own words.

A vocabulary has control tokens ("<|im_end|>"), and a text that spells one must not become one: else a pasted
page could end the user's turn and speak as somebody else. Where a turn spells one, it is replaced before the
template is rendered by a mark that no text can contain, and comes back afterwards as plain characters.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from models.runtime.formats import Format, with_tools
from models.runtime.sight import Placed, Sight
from models.runtime.template import ChatTemplate
from models.runtime.values import Effort, Image, Tool, Turn

# Unicode sets U+FDD0..U+FDEF aside for use inside a program; they are no characters and never part of a text.
_FOREIGN = re.compile("[\ufdd0-\ufdef]")
_MARK = re.compile("\ufdee([\ufdd0-\ufddf]{5})\ufdef")
_DIGITS, _FIRST_DIGIT = 5, 0xFDD0

_COUNTED_TEXTS = 1 << 14
_MOST_KEPT = 16  # prompts of other conversations


class Tokenizer(Protocol):
    """What is needed of a vocabulary."""

    def tokenize(self, text: str, special: bool) -> list[int]: ...


@dataclass(frozen=True, slots=True)
class Prompt:
    """A rendered conversation. `text` holds marks in place of spelled-out control tokens."""

    text: str
    tokens: list[int]
    images: tuple[Placed, ...] = ()

    @property
    def extra_cells(self) -> int:
        """Cells of the KV cache that images take beyond their positions in `tokens`."""
        return sum(image.rows.cells - image.rows.positions for image in self.images)

    def __len__(self) -> int:
        return len(self.tokens) + self.extra_cells


class Guard:
    """Hides spelled-out control tokens from the template and the tokenizer."""

    def __init__(self, texts: Iterable[str]) -> None:
        self._texts = sorted({text for text in texts if text.strip()})
        self._starts = {text[:2] for text in self._texts}

    def hide(self, text: str) -> str:
        """The text with marks where it spells a guarded token."""
        text = _FOREIGN.sub("\ufffd", text)
        if not any(start in text for start in self._starts):
            return text
        found = sorted((guarded for guarded in self._texts if guarded in text), key=len, reverse=True)
        if not found:
            return text
        return re.sub("|".join(map(re.escape, found)), lambda match: self._mark(match[0]), text)

    def hide_json(self, text: str) -> str:
        """The same in JSON, whose escapes could spell a token that is not there to be seen. No JSON: as text."""
        try:
            return json.dumps(self._hidden_value(json.loads(text)), ensure_ascii=False)
        except (ValueError, RecursionError):
            return self.hide(text)

    def _hidden_value(self, value: Any) -> Any:
        match value:
            case str():
                return self.hide(value)
            case list():
                return [self._hidden_value(item) for item in value]
            case dict():
                return {self.hide(key): self._hidden_value(item) for key, item in value.items()}
        return value

    def split(self, text: str) -> list[tuple[str, bool]]:
        """The parts of a rendered text: the template's (False), and hidden ones as they were spelled (True)."""
        pieces = _MARK.split(text)
        return [
            (self._spelled(piece), True) if index % 2 else (piece, False)
            for index, piece in enumerate(pieces)
            if piece
        ]

    def _mark(self, guarded: str) -> str:
        number = self._texts.index(guarded)
        digits = [chr(_FIRST_DIGIT + (number >> 4 * place & 15)) for place in range(_DIGITS)]
        return f"\ufdee{''.join(digits)}\ufdef"

    def _spelled(self, digits: str) -> str:
        return self._texts[sum(ord(digit) - _FIRST_DIGIT << 4 * place for place, digit in enumerate(digits))]


class PromptBuilder:
    """Builds the prompts of one model.

    It remembers prompts with their answers, the newest first: a model may spell its answer with other tokens than the
    tokenizer would, and only the same tokens are found again in the KV cache.
    """

    def __init__(
        self,
        template: ChatTemplate,
        tokenizer: Tokenizer,
        guard: Guard,
        bos: int | None,
        enter_stage: Callable[[str], None],
        sight: Sight | None = None,
    ) -> None:
        """`bos`: the token every prompt of this model begins with, if any. Without `sight` the model can't see."""
        self.sight = sight or Sight(None)
        self._template = template
        self._tokenizer = tokenizer
        self._guard = guard
        self._bos = bos
        self._enter_stage = enter_stage
        self.newest: list[Prompt] = []
        self._kept: list[Prompt] = []
        self._prefixed = _prefixes_space(tokenizer)
        self.count = functools.lru_cache(_COUNTED_TEXTS)(self._count)

    @property
    def efforts(self) -> tuple[Effort, ...]:
        """How much thinking may be asked for, as far as the template knows the difference."""
        return self._template.efforts

    def format_for(self, form: Format, tools: Sequence[Tool]) -> Format:
        """How an answer is read for which these tools are offered."""
        return with_tools(form, self._template.source, tools, not self._template.tool_form.native)

    def build(
        self, turns: Sequence[Turn], tools: Sequence[Tool] = (), effort: Effort = Effort.AUTOMATIC
    ) -> Prompt:
        """Render and tokenize. Raises `RuntimeFault` TEMPLATE_BROKEN."""
        self.sight.begin()
        newest = max((place for place, turn in enumerate(turns) if turn.role == "user"), default=-1)
        hidden = [self._hidden(turn, place == newest) for place, turn in enumerate(turns)]
        self._enter_stage("template")
        text = self._template.render(hidden, [self._hidden_tool(tool) for tool in tools], effort)
        self._enter_stage("prompt")
        tokens = self._tokens(text)
        return Prompt(text, tokens, self.sight.placed(text, tokens))

    def _tokens(self, text: str) -> list[int]:
        for known in (*self.newest, *self._kept):
            if text.startswith(known.text):
                return known.tokens + self._tokenize(text[len(known.text) :], continues=True)
        tokens = self._tokenize(text, continues=False)
        if self._bos is not None and tokens[:1] != [self._bos]:
            tokens.insert(0, self._bos)
        return tokens

    def _hidden(self, turn: Turn, newest: bool) -> Turn:
        hide = self._guard.hide
        hidden = replace(turn, text=self.sight.marks(turn, newest) + hide(turn.text), images=())
        if not turn.calls:
            return hidden
        calls = [
            replace(call, name=hide(call.name), arguments=self._guard.hide_json(call.arguments))
            for call in turn.calls
        ]
        return replace(hidden, calls=tuple(calls), reasoning=hide(turn.reasoning))

    def _hidden_tool(self, tool: Tool) -> Tool:
        """What describes a tool comes from elsewhere, too."""
        hide = self._guard.hide
        return Tool(hide(tool.name), hide(tool.description), self._guard.hide_json(tool.parameters))

    def remember(self, prompt: Prompt, answer: str | None, tokens: list[int]) -> None:
        """After an answer: `tokens` is what lies in the KV cache for the prompt and then `answer`.

        `answer` is None when the model wrote more than a later prompt will show of it (its reasoning).
        """
        self._kept = [
            known for known in (*self.newest, *self._kept) if not prompt.text.startswith(known.text)
        ]
        del self._kept[_MOST_KEPT:]
        self.newest = [prompt]
        if answer is not None:
            self.newest.insert(0, Prompt(prompt.text + self._guard.hide(answer), tokens))

    def know(self, prompts: Sequence[Prompt]) -> None:
        """Prompts with their answers from before: of other conversations, or of an earlier process."""
        self._kept = sorted(prompts, key=lambda prompt: len(prompt.text), reverse=True)

    def _count(self, text: str) -> int:
        return len(self._tokenizer.tokenize(text, False))

    def _tokenize(self, text: str, continues: bool) -> list[int]:
        tokens: list[int] = []
        for piece in self.sight.split(text):
            if isinstance(piece, Image):
                tokens += self.sight.tokens(piece)
            else:
                tokens += self._tokenize_text(piece, continues)
            continues = True
        return tokens

    def _tokenize_text(self, text: str, continues: bool) -> list[int]:
        tokens: list[int] = []
        for part, spelled in self._guard.split(text):
            if (
                spelled
            ):  # in two, so that tokens that are recognised even in plain text are not recognised either
                tokens += self._plain(part[:1], continues) + self._plain(part[1:], True)
            else:
                tokens += self._continued(part, True) if continues else self._tokenizer.tokenize(part, True)
            continues = True
        return tokens

    def _plain(self, text: str, continues: bool) -> list[int]:
        if not text:
            return []
        return self._continued(text, False) if continues else self._tokenizer.tokenize(text, False)

    def _continued(self, text: str, special: bool) -> list[int]:
        """Tokens of a text that follows another, where the tokenizer would put a space before a first word."""
        if self._prefixed:
            before = self._tokenizer.tokenize("\n", False)
            tokens = self._tokenizer.tokenize("\n" + text, special)
            if tokens[: len(before)] == before:
                return tokens[len(before) :]
        return self._tokenizer.tokenize(text, special)


def _prefixes_space(tokenizer: Tokenizer) -> bool:
    """Whether a text is tokenized as if a space stood before it, as SentencePiece does."""
    return tokenizer.tokenize("a", False) != tokenizer.tokenize("\na", False)[-1:]
