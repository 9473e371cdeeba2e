"""The hub's own library, imported when it is first needed."""

from __future__ import annotations

import threading
from types import ModuleType

from providers.gate.transport import GatedClient


class LazyHub:
    """`models.hub` with this process's client, imported when it is first needed.

    What it is made of takes half a second to import, beside a window that is about to open. Any thread may call.
    """

    def __init__(self, client: GatedClient) -> None:
        self._client = client
        self._lock = threading.Lock()
        self._module: ModuleType | None = None

    def __call__(self) -> ModuleType:
        with self._lock:
            if self._module is None:
                from models import hub

                hub.use_client(lambda: self._client)
                self._module = hub
            return self._module
