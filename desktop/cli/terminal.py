"""What is printed for a person or another program, and what of it may reach a terminal.

Standard output carries only what was asked for; progress and problems go to standard error.
"""

from __future__ import annotations

import json
import sys


def print_json(value: object) -> None:
    print(json.dumps(value, ensure_ascii=False, indent=2))


def safe(text: str) -> str:
    """A model's words for a terminal: escape sequences could retitle it, move its cursor or write its clipboard."""
    return "".join(
        c
        for c in text
        if c in "\n\t" or c.isprintable() or (c.isspace() and c not in "\r\v\f\x1c\x1d\x1e\x85")
    )


def printable(text: str) -> str:
    """Untrusted text for a terminal: without the control characters that could move its cursor or change it."""
    return "".join(character if character.isprintable() else " " for character in text)


def failed(sentence: str, code: int = 1) -> int:
    """Say why it did not work. Returns the exit status."""
    print(printable(sentence), file=sys.stderr)
    return code
