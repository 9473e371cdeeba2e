"""A service of remote models on loopback, as well or badly behaved as a test wants it."""

from __future__ import annotations

import json
import socketserver
import struct
import threading
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socket import SO_LINGER, SOL_SOCKET

from desktop.processes.switch import Position, Switch, write_switch
from providers.remote.chosen import Chosen, own_service, write_chosen
from providers.remote.values import Auth

PROVIDER = "own-1"
MODEL = "a-model"


@dataclass(frozen=True, slots=True)
class Reply:
    """What is said to one request. The connection is closed behind it, unless it `hangs`; `resets`: not politely.

    `length`: announced, which may be more than what comes. `until`: the end waits for it.
    """

    pieces: tuple[bytes, ...] = ()
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    hangs: bool = False
    resets: bool = False
    length: int | None = None
    until: threading.Event | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """One request as it arrived. Header names in lower case."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> dict[str, object]:
        read: dict[str, object] = json.loads(self.body)
        return read


def chunk(text: str = "", **more: object) -> bytes:
    """One event of a chat completion."""
    choice: dict[str, object] = {
        "index": 0,
        "delta": {"content": text} if text else {},
        "finish_reason": None,
    }
    return b"data: " + json.dumps({"choices": [choice | more]}).encode() + b"\n\n"


def completion(*texts: str, prompt: int = 12, answer: int = 3) -> Reply:
    """A whole, well-behaved answer."""
    usage = {"choices": [], "usage": {"prompt_tokens": prompt, "completion_tokens": answer}}
    end = (chunk(finish_reason="stop"), b"data: " + json.dumps(usage).encode() + b"\n\n", b"data: [DONE]\n\n")
    return Reply((*map(chunk, texts), *end))


def refused(status: int, message: str, headers: Mapping[str, str] | None = None, **more: object) -> Reply:
    error = {"error": {"message": message, **more}}
    return Reply((json.dumps(error).encode(),), status, headers or {})


MODELS = Reply(
    (json.dumps({"data": [{"id": MODEL, "context_length": 4096}, {"id": "b-embedding"}]}).encode(),)
)


class ChatServer:
    """Answers chats from `replies`, one after the other, the last one for ever; lists of models with `models`."""

    def __init__(self) -> None:
        self.replies: deque[Reply] = deque([completion("Hello", " there")])
        self.models = MODELS
        self.asked: list[Asked] = []
        self.went_away = threading.Event()  # a client that was being answered
        self.arrived = threading.Event()
        self._server = _Server(("127.0.0.1", 0), _handler(self))
        self.port: int = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}/v1"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    @property
    def chats(self) -> list[Asked]:
        return [one for one in self.asked if one.method == "POST"]

    def reply(self) -> Reply:
        return self.replies.popleft() if len(self.replies) > 1 else self.replies[0]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@contextmanager
def chat_server() -> Iterator[ChatServer]:
    server = ChatServer()
    try:
        yield server
    finally:
        server.close()


def enable(home: Path, *servers: ChatServer | str, auth: Auth = Auth.BEARER, position: Position = Position.REMOTE,
           kind: str = "openai-compatible", on: bool = True) -> None:  # fmt: skip
    """An Alcove at `home` in which these servers are own-1, own-2 …, switched on."""
    home.mkdir(parents=True, exist_ok=True)
    write_switch(str(home), Switch(position))
    urls = [server if isinstance(server, str) else server.url for server in servers]
    own = tuple(
        own_service(number, kind, "The office", url, auth, plain_http=url.startswith("http:"))
        for number, url in enumerate(urls, start=1)
    )
    write_chosen(str(home), Chosen(tuple(service.id for service in own) if on else (), own))


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 64

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients that go away in the middle are what is tested."""


def _handler(server: ChatServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._take(b"", server.models)

        def do_POST(self) -> None:
            self._take(self.rfile.read(int(self.headers.get("content-length", "0"))), None)

        def _take(self, body: bytes, reply: Reply | None) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            server.asked.append(Asked(self.command, self.path, headers, body))
            server.arrived.set()
            self.close_connection = True
            self._say(reply or server.reply())

        def _say(self, reply: Reply) -> None:
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            if reply.length is not None:
                self.send_header("content-length", str(reply.length))
            self.send_header("connection", "close")
            self.end_headers()
            try:
                for piece in reply.pieces:
                    self.wfile.write(piece)
                    self.wfile.flush()
                if reply.until is not None:
                    reply.until.wait(60)
                if reply.hangs and self.connection.recv(1) == b"":
                    server.went_away.set()
            except OSError:
                server.went_away.set()
            if reply.resets:
                self.connection.setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))

        def log_message(self, format: str, *args: object) -> None:
            """Says nothing."""

    return Handler
