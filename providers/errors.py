"""How an answer can fail: a kind and its facts. The words for a person are made in `desktop.words`."""

from __future__ import annotations

from models.runtime.faults import Fault
from providers.remote.faults import RemoteFault

ErrorKind = Fault | RemoteFault
"""What a model on this machine can fail with, and what one elsewhere can. No value stands in both."""


def kind_of(value: str) -> ErrorKind:
    """The kind that was stored. What this version does not know any more is an answer that failed."""
    for kinds in (Fault, RemoteFault):
        if value in set(kinds):
            return kinds(value)
    return Fault.GENERATION_FAILED


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
