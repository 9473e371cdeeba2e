"""Split models: NAME-00001-of-00003.gguf and its fellows are one model (llama.cpp's gguf-split)."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

_PART = re.compile(
    r"(?P<stem>.+)-(?P<number>[0-9]{5})-of-(?P<count>[0-9]{5})\.gguf", re.IGNORECASE | re.DOTALL
)
_MOST_NAMED = 100


def is_part(name: str) -> bool:
    """Whether a file's name is that of one part of several."""
    match = _PART.fullmatch(name)
    return match is not None and 1 <= int(match["number"]) <= int(match["count"])


def stem(name: str) -> str:
    """A file's name without its ending, and without the number of its part."""
    match = _PART.fullmatch(name)
    return match["stem"] if match else os.path.splitext(name)[0]


class Splits:
    """The parts seen in one folder, by model."""

    def __init__(self) -> None:
        self._models: dict[tuple[str, int], dict[int, str]] = {}

    def add(self, folder: str, name: str) -> None:
        """A file of which `is_part` is true."""
        match = _PART.fullmatch(name)
        assert match is not None
        parts = self._models.setdefault(_model(match), {})
        parts.setdefault(int(match["number"]), os.path.join(folder, name))

    def knows(self, name: str) -> bool:
        """Whether a part of the same model was added before."""
        match = _PART.fullmatch(name)
        return match is not None and _model(match) in self._models

    def all(self) -> Iterator[tuple[tuple[str, ...], tuple[int, ...]]]:
        """For each model the parts in their order, and the numbers of those that are missing (the first 100)."""
        for (_, count), parts in self._models.items():
            missing = (number for number in range(1, count + 1) if number not in parts)
            yield tuple(parts[number] for number in sorted(parts)), _first(missing)


def _model(match: re.Match[str]) -> tuple[str, int]:
    return match["stem"], int(match["count"])


def _first(numbers: Iterator[int]) -> tuple[int, ...]:
    return tuple(number for number, _ in zip(numbers, range(_MOST_NAMED), strict=False))
