"""One line of the benchmark table."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Row:
    """A measured figure beside what it has to reach. `met` is None for a figure that has no target."""

    name: str
    figure: str
    target: str
    met: bool | None
    how: str  # in one line, how it was measured
