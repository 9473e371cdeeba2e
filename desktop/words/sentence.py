"""What every sentence is made of.

Faults become sentences in this folder and nowhere else: what happened, what it means for a person's words, what
to do next. The window and the command line both use them.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Sentence:
    """`text` is for reading; `detail` is what a technician would want, without anybody's words or keys."""

    text: str
    detail: str = ""


def gigabytes(count: object) -> str:
    """A number of bytes as people say it: "5.1 GB", "98 MB"."""
    size = float(count) if isinstance(count, int | float) else 0.0
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.0f} MB"


def graphics_cards(devices: str) -> list[str]:
    """The devices of a placement as people know them: "A card (8.6 GB)"."""
    from models.runtime.placement import described

    return [f"{name} ({gigabytes(total)})" if total else name for name, total in described(devices)]
