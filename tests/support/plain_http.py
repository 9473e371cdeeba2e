"""`models.http.Http` over a plain httpx client: what the gate is in the program, without its rules."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import httpx

from models.http import HttpFault, known_fault


def plain_client() -> httpx.Client:
    """A client that uses no proxy of the environment: tests stay on loopback."""
    return httpx.Client(timeout=httpx.Timeout(10), trust_env=False)


class _Answer:
    def __init__(self, response: httpx.Response) -> None:
        self._response = response
        self.status = response.status_code
        self.headers: Mapping[str, str] = {name.lower(): value for name, value in response.headers.items()}

    def iter_bytes(self) -> Iterator[bytes]:
        with _telling():
            yield from self._response.iter_bytes()


@contextmanager
def _telling() -> Iterator[None]:
    try:
        yield
    except httpx.HTTPError as error:
        raise known_fault(error) or error from None


class PlainHttp:
    """Blocking requests through one client, from any thread."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client

    @contextmanager
    def stream(self, method: str, url: str, headers: Mapping[str, str]) -> Iterator[_Answer]:
        with _telling():
            request = self._client.build_request(method, url, headers=dict(headers))
            response = self._client.send(request, stream=True, follow_redirects=False)
        try:
            yield _Answer(response)
        finally:
            response.close()


__all__ = ["HttpFault", "PlainHttp", "plain_client"]
