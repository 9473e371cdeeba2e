"""What stands before a test server: TLS under any name, and a record of every byte that came in.

With `support.proxies.Proxy` before it, the addresses of the catalogue (https://api.anthropic.com …) lead here, and
nothing leaves this machine.
"""

from __future__ import annotations

import socket
import socketserver
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress


class FrontDoor(socketserver.ThreadingTCPServer):
    """Passes bytes on to a port of this machine, both ways, and keeps what clients sent."""

    allow_reuse_address = daemon_threads = True
    request_queue_size = 64

    def __init__(self, leads_to: int, context: ssl.SSLContext | None = None) -> None:
        self.leads_to = leads_to
        self.context = context
        self._heard: list[bytearray] = []
        self._closed = 0
        self._change = threading.Condition()
        super().__init__(("127.0.0.1", 0), _Passing)
        self.port: int = self.server_address[1]
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def heard(self) -> bytes:
        """All that clients have sent, decrypted, one connection after the other."""
        with self._change:
            return b"\n".join(bytes(one) for one in self._heard)

    @property
    def closed(self) -> int:
        """How many connections clients have closed."""
        with self._change:
            return self._closed

    def wait_until_closed(self, count: int, seconds: float = 30.0) -> bool:
        with self._change:
            return self._change.wait_for(lambda: self._closed >= count, seconds)

    def begin(self) -> bytearray:
        with self._change:
            self._heard.append(bytearray())
            return self._heard[-1]

    def end(self) -> None:
        with self._change:
            self._closed += 1
            self._change.notify_all()

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients that refuse the certificate or go away are what is tested."""


class _Passing(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        door = self.server
        assert isinstance(door, FrontDoor)
        client: socket.socket = self.request
        if door.context is not None:
            client = door.context.wrap_socket(client, server_side=True)
        record = door.begin()
        with client, socket.create_connection(("127.0.0.1", door.leads_to)) as far:
            back = threading.Thread(target=_carry, args=(far, client), daemon=True)
            back.start()
            with suppress(OSError):
                while data := client.recv(65536):
                    record += data
                    far.sendall(data)
            door.end()
            with suppress(OSError):
                far.shutdown(socket.SHUT_RDWR)
            back.join(5)


def _carry(source: socket.socket, target: socket.socket) -> None:
    """Until the source has ended, well or badly; then the target hears the same."""
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    with suppress(OSError):
        target.shutdown(socket.SHUT_RDWR)


@contextmanager
def front_door(leads_to: int, context: ssl.SSLContext | None = None) -> Iterator[FrontDoor]:
    with FrontDoor(leads_to, context) as door:
        yield door
        door.shutdown()
