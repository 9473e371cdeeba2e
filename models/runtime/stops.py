"""Texts that end an answer. They are looked for in the answer only, wherever the text was cut, and never shown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from models.runtime.formats import CallingSplitter, Splitter
from models.runtime.tool_splitter import Said


class StopSplitter:
    """Behind another splitter: ends the answer before the first of some texts. What may begin one is held back."""

    def __init__(self, words: Splitter | CallingSplitter, stops: Sequence[str]) -> None:
        """`stops`: none of them empty."""
        self._words = words
        self._stops = tuple(stops)
        self._held = ""
        self._met = False

    @property
    def stopped(self) -> bool:
        return self._met or self._words.stopped

    def feed(self, text: str) -> list[Said]:
        return self._look(self._words.feed(text))

    def finish(self) -> list[Said]:
        said = self._look(self._words.finish())
        held, self._held = self._held, ""
        return [*said, (held, False)] if held else said

    def _look(self, spans: Iterable[Said]) -> list[Said]:
        out: list[Said] = []
        for span in spans:
            if self._met:
                break
            if not isinstance(span, tuple) or span[1]:  # a call, or thinking: it parts the answer
                if self._held:
                    out.append((self._held, False))
                    self._held = ""
                out.append(span)
                continue
            text = self._held + span[0]
            found = min((place for place in map(text.find, self._stops) if place >= 0), default=-1)
            self._met = found >= 0
            certain = found if self._met else len(text) - self._possible(text)
            if certain:
                out.append((text[:certain], False))
            self._held = "" if self._met else text[certain:]
        return out

    def _possible(self, text: str) -> int:
        """How many of the last characters may be the beginning of a stop."""
        longest = max(map(len, self._stops)) - 1
        return next(
            (
                size
                for size in range(min(len(text), longest), 0, -1)
                if any(stop.startswith(text[-size:]) for stop in self._stops)
            ),
            0,
        )
