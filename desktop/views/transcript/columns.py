"""How wide the columns of a table are: as their text if there is room, else narrower, else the table scrolls."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from desktop.views.transcript.content import Span, plain_text

Measure = Callable[[str], float]

_READ = 400  # characters of a cell that are measured
WIDEST = 420  # pixels a column takes without wrapping, at most
NARROWEST = 120  # pixels that a column with long text keeps


class Columns:
    """Widths in pixels without padding, for text of 15 px. They only grow while rows come in."""

    def __init__(self, count: int, measure: Measure, measure_header: Measure) -> None:
        self._measure = measure
        self._measure_header = measure_header
        self._wanted = [0.0] * count
        self._seen = 0

    def read(self, rows: Sequence[tuple[tuple[Span, ...], ...]]) -> None:
        """Take in the rows that were added since; the last one of before may have grown."""
        start = max(0, self._seen - 1)
        for number, row in enumerate(rows[start:], start):
            measure = self._measure if number else self._measure_header
            for index, cell in enumerate(row):
                text = plain_text(cell)[:_READ]
                width = max((measure(line) for line in text.split("\n")), default=0.0)
                self._wanted[index] = max(self._wanted[index], width + 2)
        self._seen = len(rows)

    def fit(self, room: int, padding: int, scale: float) -> list[int]:
        """The widths, padding included, for `room` pixels; their sum may be more."""
        wanted = [min(width, WIDEST * scale) + padding for width in self._wanted]
        if sum(wanted) <= room:
            return [round(width + 0.5) for width in wanted]
        least = [min(width, NARROWEST * scale + padding) for width in wanted]
        spare = room - sum(least)
        if spare <= 0:
            return [round(width + 0.5) for width in least]
        hunger = sum(wanted) - sum(least)
        return [int(low + (high - low) * spare / hunger) for low, high in zip(least, wanted, strict=True)]
