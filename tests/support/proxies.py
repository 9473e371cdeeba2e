"""A proxy on loopback that leads wherever somebody wants to go to one port of this machine."""

from __future__ import annotations

import http.server
import socket
import socketserver
import threading
from contextlib import suppress


class Proxy(socketserver.ThreadingTCPServer):
    """Understands CONNECT, and joins the two ends."""

    allow_reuse_address = daemon_threads = True

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []
        self.leads_to = 0  # a port of this machine, wherever somebody wants to go
        super().__init__(("127.0.0.1", 0), _Connect)
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def place(self) -> str:
        return f"127.0.0.1:{self.server_address[1]}"


def _carry(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)


class _Connect(http.server.BaseHTTPRequestHandler):
    def do_CONNECT(self) -> None:
        proxy = self.server
        assert isinstance(proxy, Proxy)
        proxy.asked.append((self.path, self.headers.get("Proxy-Authorization", "")))
        if not proxy.leads_to:
            self.wfile.write(b"HTTP/1.1 403 No\r\n\r\n")
            return
        with socket.create_connection(("127.0.0.1", proxy.leads_to)) as far:
            self.wfile.write(b"HTTP/1.1 200 Go\r\n\r\n")
            back = threading.Thread(target=_carry, args=(far, self.connection))
            back.start()
            _carry(self.connection, far)
            back.join()
        self.close_connection = True

    def do_GET(self) -> None:
        raise AssertionError("this machine is not reached through a proxy")

    def log_message(self, format: str, *args: object) -> None:
        pass
