"""Where the providers are that a person has switched on: asked of their file anew for each request."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

from providers.gate.rules import Endpoint
from providers.remote.chosen import FILE, FOLDER, Chosen, read_chosen
from providers.remote.values import Service

_USUAL_PORTS = {"https": 443, "http": 80}


class Enabled(Mapping[str, Endpoint]):
    """The endpoints of the enabled providers, by their ids. Any thread may ask; nothing is enabled in doubt.

    A change in the window holds from the next request on, without a new start: the network switch says whether there
    is a broker at all, this says for which hosts.
    """

    def __init__(self, home: str) -> None:
        self._home = home
        self._path = os.path.join(home, FOLDER, FILE)
        self._lock = threading.Lock()
        self._seen: tuple[int, int, int] | None = None
        self._chosen = Chosen()
        self._endpoints: dict[str, Endpoint] = {}

    @property
    def chosen(self) -> Chosen:
        """What the file says now."""
        self._look()
        return self._chosen

    def service(self, provider: str) -> Service | None:
        """An enabled provider; None for any other."""
        return self.chosen.services.get(provider)

    def known(self, provider: str) -> Service | None:
        """A provider, enabled or not."""
        return self.chosen.known.get(provider)

    def __getitem__(self, provider: str) -> Endpoint:
        self._look()
        return self._endpoints[provider]

    def __iter__(self) -> Iterator[str]:
        self._look()
        return iter(self._endpoints)

    def __len__(self) -> int:
        self._look()
        return len(self._endpoints)

    def _look(self) -> None:
        with self._lock:
            try:
                found = os.stat(self._path)
                seen = (found.st_ino, found.st_mtime_ns, found.st_size)
            except OSError:
                self._seen, self._chosen, self._endpoints = None, Chosen(), {}
                return
            if seen != self._seen:
                chosen = read_chosen(self._home)
                services = chosen.services.values()
                self._endpoints = {service.id: endpoint_of(service, chosen) for service in services}
                self._chosen, self._seen = chosen, seen


def endpoint_of(service: Service, chosen: Chosen) -> Endpoint:
    """Where a service is, as the gate compares it. Raises ValueError for an address that is none."""
    parts = urlsplit(service.base_url)
    models = chosen.models.get(service.id)
    return Endpoint(
        host=parts.hostname or "",
        port=parts.port or _USUAL_PORTS[parts.scheme],
        scheme=parts.scheme,
        path=parts.path,
        models=None if models is None else frozenset(models),
    )
