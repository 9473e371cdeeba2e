"""The window's one line to the broker: made when something first wants the hub, closed with the window."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from providers.gate.client import BrokerClient


class HubLink:
    """All methods belong to core."""

    def __init__(self) -> None:
        self._client: BrokerClient | None = None

    async def client(self) -> BrokerClient:
        """The broker, once it is there. Raises `Offline`, `BrokerGone`."""
        from desktop.hub import connect

        if self._client is None:
            self._client = connect()
        await self._client.ready()
        return self._client

    async def close(self) -> None:
        if self._client is not None:
            await self._client.close()
