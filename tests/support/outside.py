"""Servers on loopback that stand for the outside, and real brokers that reach for them."""

from __future__ import annotations

import http.server
import json
import os
import ssl
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from desktop.processes.adopted import AdoptedProcess
from desktop.processes.switch import Position, Switch, write_switch
from desktop.processes.way_out import end_broker, start_broker
from providers.gate.client import BrokerClient

ROOT = Path(__file__).parents[2]


@dataclass(slots=True)
class Answer:
    """What a server says to one path. `pieces` wait for `Outside.go_on` between them when `held`."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b"hello"
    held: bool = False


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients that go away in the middle are what is tested."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


class Outside:
    """A real HTTP server in a thread, and what it was asked."""

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        self.answers: dict[str, Answer] = {}
        self.asked: list[tuple[str, str, dict[str, str]]] = []  # method, path with query, headers
        self.went_away = threading.Event()  # a client that was being answered
        self.go_on = threading.Event()
        self._server = _Server(("127.0.0.1", 0), _handler(self))
        if context is not None:
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.port: int = self._server.server_address[1]
        scheme, host = ("http", "127.0.0.1") if context is None else ("https", "localhost")
        self.url = f"{scheme}://{host}:{self.port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        self.go_on.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def paths(self) -> list[str]:
        return [path for _, path, _ in self.asked]


def _handler(outside: Outside) -> type[http.server.BaseHTTPRequestHandler]:
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 20

        def do_GET(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            self.rfile.read(length)
            outside.asked.append((self.command, self.path, {k.lower(): v for k, v in self.headers.items()}))
            answer = outside.answers.get(self.path.partition("?")[0], Answer())
            head = f"HTTP/1.1 {answer.status} Said\r\n"
            headers = {"Content-Length": str(len(answer.body)), **answer.headers}
            if "Transfer-Encoding" in headers:
                del headers["Content-Length"]
            self.close_connection = headers.get("Connection") == "close"
            head += "".join(f"{name}: {value}\r\n" for name, value in headers.items()) + "\r\n"
            try:
                if answer.held:
                    half = len(answer.body) // 2
                    self.wfile.write(head.encode("latin-1") + answer.body[:half])
                    self.wait_for_the_client_to_go()
                    self.wfile.write(answer.body[half:])
                else:
                    self.wfile.write(head.encode("latin-1") + answer.body)
            except OSError:
                outside.went_away.set()
                self.close_connection = True

        do_POST = do_HEAD = do_GET

        def wait_for_the_client_to_go(self) -> None:
            self.connection.settimeout(0.02)
            while not outside.go_on.is_set():
                try:
                    if self.connection.recv(1) == b"":
                        outside.went_away.set()
                        raise OSError
                except TimeoutError:
                    continue

        def log_message(self, format: str, *args: object) -> None:
            pass

    return Handler


@contextmanager
def outside(context: ssl.SSLContext | None = None) -> Iterator[Outside]:
    server = Outside(context)
    try:
        yield server
    finally:
        server.close()


def set_switch(home: Path, position: Position, server: Outside | None = None) -> None:
    """The switch of the Alcove at `home`; the server stands as the hub's mirror."""
    url = "" if server is None else server.url
    write_switch(str(home), Switch(position, url, plain_http=url.startswith("http://")))


@asynccontextmanager
async def broker(home: Path, environ: Mapping[str, str] | None = None) -> AsyncIterator[BrokerClient]:
    """A real broker child for the Alcove at `home`, ready, and gone afterwards."""
    given = {"PATH": os.environ["PATH"], **({} if environ is None else environ)}
    process = start_broker(str(home), given)
    client = BrokerClient(AdoptedProcess(process))
    try:
        await client.ready()
        yield client
    finally:
        await client.close()
        end_broker(process)


def ledger_rows(home: Path) -> list[dict[str, object]]:
    path = home / "ledger" / "ledger.jsonl"
    return [json.loads(line) for line in path.read_bytes().splitlines()] if path.exists() else []


def requests_in(home: Path) -> list[dict[str, object]]:
    return [row for row in ledger_rows(home) if row["kind"] == "request"]


@dataclass(frozen=True, slots=True)
class Certificates:
    """A certificate authority of our own, and what it vouches for on this machine."""

    authority: Path
    context: ssl.SSLContext


def certificates(folder: Path, *names: str, trusted: bool = True) -> Certificates:
    """Made by openssl, for "localhost" or these names. `trusted` False: the server vouches for itself."""
    names = names or ("localhost",)
    key, certificate, authority = folder / "server.key", folder / "server.pem", folder / "authority.pem"

    def openssl(*arguments: str) -> None:
        subprocess.run(["openssl", *arguments], check=True, capture_output=True, cwd=folder)

    new_key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    openssl("req", "-x509", *new_key, "-keyout", "authority.key", "-out", "authority.pem", "-days", "2",
            "-subj", "/CN=Test authority")  # fmt: skip
    signed_by = ("-CA", "authority.pem", "-CAkey", "authority.key") if trusted else ()
    openssl("req", "-x509", *new_key, "-keyout", "server.key", "-out", "server.pem", "-days", "2",
            "-subj", f"/CN={names[0]}", "-addext", "subjectAltName=" + ",".join(f"DNS:{name}" for name in names),
            "-addext", "basicConstraints=critical,CA:FALSE", *signed_by)  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return Certificates(authority, context)
