"""What the runtime needs from a child process, without knowing how one is started or locked.

The programme that starts a worker (`desktop.processes`) supplies these; the runtime only speaks through
them, so `models` imports nothing from the layers above it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Protocol

Record = Mapping[str, object]
"""One line of the protocol: a JSON object."""


class ParentSide(Protocol):
    """The parent's end of a child: one JSON object per line, both ways."""

    @property
    def pid(self) -> int: ...

    def send(self, record: Record) -> None:
        """Queue one record for the child. Never blocks; silently does nothing once the child has gone."""

    async def receive(self) -> Record | None:
        """The next record, or None once the child has closed its end."""

    async def wait(self) -> int:
        """The exit status: a code, or minus the signal's number (as `subprocess` counts)."""

    def kill(self) -> None:
        """End the child at once. Harmless when it has already gone."""

    @property
    def last_words(self) -> str:
        """The end of what the child wrote to stderr, at most 4,000 characters, for the details of an error."""


class WorkerSide(ParentSide, Protocol):
    """The parent's end of a worker."""

    @property
    def files(self) -> Sequence[int]:
        """Descriptors of files that were opened for it and handed over at its start."""


class ChildSide(Protocol):
    """The child's own end."""

    def send(self, record: Record) -> None:
        """Write one record and flush. Safe from any thread."""

    def receive(self) -> Record | None:
        """Block for the next record; None when the parent has gone."""


Spawn = Callable[[], Awaitable[WorkerSide]]
"""Start one locked worker."""
