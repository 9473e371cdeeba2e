"""How an answer can fail: a kind and its facts. The words for a person are made in `desktop.words`."""

from __future__ import annotations

from models.runtime.faults import Fault

ErrorKind = Fault
"""Local faults are the only kinds so far; kinds of remote failures join them when there are remote models."""


class ProviderError(Exception):
    """An answer failed for a reason that lies outside this programme.

    `detail` is for the details pane and the log: the library's own words, never a secret, never conversation
    text.
    """

    def __init__(self, kind: ErrorKind, detail: str = "", facts: dict[str, int | str] | None = None) -> None:
        super().__init__(kind.value)
        self.kind = kind
        self.detail = detail
        self.facts = facts or {}
