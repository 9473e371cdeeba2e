"""A hub on loopback: the answers of the Hugging Face hub that its own client needs, and its bad days.

Two real HTTP servers in threads: the hub, and its store of large files at another port, which the hub redirects
to. What goes wrong is said beforehand (`misbehave`) and happens once for each entry.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import socket
import ssl
import struct
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import parse_qs, quote, unquote, urlsplit


@dataclass
class Logged:
    """A request, from its arrival on. `sent`: bytes of the body handed to the connection so far."""

    server: str  # "hub" or "store"
    method: str
    path: str
    headers: Mapping[str, str]
    status: int = 0
    sent: int = 0


@dataclass(frozen=True)
class Misbehaviour:
    """What happens to one answer: another status, or a body that ends early, crawls, or is another one."""

    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    cut_after: int | None = None
    reset: bool = False  # a cut is a reset of the connection: what was under way is lost with it
    bytes_per_second: int | None = None
    body: bytes | None = None
    ignore_range: bool = False
    without_length: bool = False  # the end of the connection is the end of the file
    wait: threading.Event | None = None  # the answer begins when this is set


@dataclass
class Content:
    """The bytes of a file, from memory or from the disk."""

    source: bytes | Path
    sha256: str = ""
    size: int = 0

    def __post_init__(self) -> None:
        with self.open() as file:
            digest = hashlib.sha256()
            while piece := file.read(1 << 20):
                digest.update(piece)
            self.sha256 = self.sha256 or digest.hexdigest()
            self.size = file.tell()

    def open(self) -> BinaryIO:
        return io.BytesIO(self.source) if isinstance(self.source, bytes) else self.source.open("rb")


@dataclass
class Repository:
    """A model on the hub. `gated`: False, "auto" or "manual". `filler`: further files, made up while listing."""

    files: dict[str, Content]
    gated: str | bool = False
    card: str = "# A model\n\nIts words."
    licence: str = "apache-2.0"
    task: str = "text-generation"
    downloads: int = 10
    likes: int = 1
    updated: str = "2026-01-02T03:04:05.000Z"
    private: bool = False
    filler: int = 0
    sha: str = ""


class HubServer:
    """The two servers. `tokens` are known, `accepted` those whose owners accepted the conditions."""

    def __init__(
        self,
        page: int = 1000,
        redirect: bool = True,
        tls: ssl.SSLContext | None = None,
        host: str = "127.0.0.1",
    ) -> None:
        """With `tls` the hub is `host`, which somebody has to lead here."""
        self.repositories: dict[str, Repository] = {}
        self.tokens: set[str] = set()
        self.accepted: set[str] = set()
        self.log: list[Logged] = []
        self.page = page
        self.redirect = redirect
        self.linked = True  # whether the hash is told with the file, as mirrors often do not
        self.next_page_at = ""  # a hub that sends its readers to another host
        self._store: dict[str, Content] = {}
        self._misbehaviour: list[tuple[str, Misbehaviour]] = []
        self._lock = threading.Lock()
        self._servers = {name: _server(name, self) for name in ("hub", "store")}
        hub = self._servers["hub"]
        if tls is not None:
            hub.socket = tls.wrap_socket(hub.socket, server_side=True, do_handshake_on_connect=False)
        self.port = hub.server_port
        self.url = f"{'https' if tls else 'http'}://{host}:{self.port}"
        # Another name: huggingface_hub asks the host itself for what the hub says of a file.
        self.store_url = f"http://localhost:{self._servers['store'].server_port}"

    def __enter__(self) -> HubServer:
        for server in self._servers.values():
            threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        for server in self._servers.values():
            server.shutdown()
            server.server_close()

    def add(self, repo: str, files: Mapping[str, bytes | Path], **more: Any) -> Repository:
        """Put a model on the hub, or replace it."""
        contents = {path: Content(source) for path, source in files.items()}
        sha = hashlib.sha1(f"{repo}{len(self.repositories)}".encode()).hexdigest()
        repository = Repository(files=contents, sha=sha, **more)
        self.repositories[repo] = repository
        self._store |= {content.sha256: content for content in contents.values()}
        return repository

    def replace(self, repo: str, path: str, source: bytes) -> None:
        """Another content at the same place and revision."""
        content = Content(source)
        self.repositories[repo].files[path] = content
        self._store[content.sha256] = content

    def misbehave(self, place: str, *entries: Misbehaviour) -> None:
        """The next requests whose path contains `place` are answered so, one entry for each."""
        with self._lock:
            self._misbehaviour += [(place, entry) for entry in entries]

    def requests(self, place: str = "", server: str = "") -> list[Logged]:
        """What was asked, where the path contains `place`."""
        with self._lock:
            return [one for one in self.log if place in one.path and server in ("", one.server)]

    # ---- for the handlers

    def misbehaviour_for(self, path: str) -> Misbehaviour:
        with self._lock:
            for number, (place, entry) in enumerate(self._misbehaviour):
                if place in path:
                    del self._misbehaviour[number]
                    return entry
        return Misbehaviour()

    def write_log(self, logged: Logged) -> None:
        with self._lock:
            self.log.append(logged)

    def stored(self, sha256: str) -> Content | None:
        return self._store.get(sha256)


def _server(name: str, hub: HubServer) -> ThreadingHTTPServer:
    handler = type(f"{name}Handler", (_Handler,), {"hub": hub, "name": name})
    server = _Server(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    return server


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: object, client_address: object) -> None:
        """Clients that go away are part of the tests; everything else is told."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    hub: HubServer
    name: str

    def do_GET(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        self._logged = Logged(self.name, self.command, self.path, headers)
        self.hub.write_log(self._logged)
        self._odd = self.hub.misbehaviour_for(self.path)
        if self._odd.wait is not None:
            self._odd.wait.wait(30)
        try:
            self._answer()
        except (BrokenPipeError, ConnectionError):
            self.close_connection = True

    do_HEAD = do_GET

    def log_message(self, format: str, *args: object) -> None:
        pass

    def send_response(self, code: int, message: str | None = None) -> None:
        self._logged.status = code
        super().send_response(code, message)

    def _answer(self) -> None:
        parts = urlsplit(self.path)
        path = unquote(parts.path)
        if self._odd.status is not None:
            return self._reply(self._odd.status, self._odd.body or b"{}", self._odd.headers)
        if self.name == "store":
            content = self.hub.stored(path.split("/")[2])
            return self._content(content, f'"store-{content.sha256[:12]}"') if content else self._reply(404)
        query = parse_qs(parts.query)
        if path == "/api/whoami-v2":
            known = self._token() in self.hub.tokens
            return self._json({"name": "somebody", "type": "user"}) if known else self._reply(401)
        if path == "/api/models":
            return self._json(list(_search(self.hub.repositories, query)))
        if match := re.fullmatch(r"/api/models/([^/]+/[^/]+)(?:/revision/(.+))?", path):
            return self._model(match[1], match[2])
        if match := re.fullmatch(r"/api/models/([^/]+/[^/]+)/tree/([^/]+)", path):
            return self._tree(match[1], query)
        if match := re.fullmatch(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path):
            return self._resolve(match[1], match[2], match[3])
        return self._reply(404)

    def _token(self) -> str | None:
        value = self.headers.get("authorization")
        return value.removeprefix("Bearer ") if value else None

    def _repository(self, repo: str) -> Repository | None:
        """The repository, or None after the refusal was sent."""
        token = self._token()
        found = self.hub.repositories.get(repo)
        if token is not None and token not in self.hub.tokens:
            self._reply(401, headers={"X-Error-Message": "Invalid credentials in Authorization header"})
            return None
        if found is None or (found.private and token is None):
            self._reply(401 if token is None else 404, headers={"X-Error-Code": "RepoNotFound"})
            return None
        return found

    def _model(self, repo: str, revision: str | None) -> None:
        found = self._repository(repo)
        if found is None:
            return
        if revision not in (None, "main", found.sha):
            return self._reply(404, headers={"X-Error-Code": "RevisionNotFound"})
        self._json(_row(repo, found) | {"sha": found.sha, "cardData": {"license": found.licence}})

    def _tree(self, repo: str, query: Mapping[str, list[str]]) -> None:
        found = self._repository(repo)
        if found is None:
            return
        start = int(query.get("cursor", ["0"])[0])
        entries = list(_entries(found, start, start + self.hub.page))
        headers = {}
        if start + self.hub.page < len(found.files) + found.filler:
            base = self.hub.next_page_at or self.hub.url
            address = f"{base}/api/models/{repo}/tree/main?recursive=True&cursor={start + self.hub.page}"
            headers["Link"] = f'<{address}>; rel="next"'
        self._json(entries, headers)

    def _resolve(self, repo: str, revision: str, path: str) -> None:
        found = self._repository(repo)
        if found is None:
            return
        if found.gated and self._token() not in self.hub.accepted:
            return self._reply(401 if self._token() is None else 403, headers={"X-Error-Code": "GatedRepo"})
        if revision not in ("main", found.sha):
            return self._reply(404, headers={"X-Error-Code": "RevisionNotFound"})
        if path == "README.md" and path not in found.files:
            return self._content(Content(found.card.encode()), '"card"')
        content = found.files.get(path)
        if content is None:
            return self._reply(404, headers={"X-Error-Code": "EntryNotFound"})
        linked = {
            "X-Repo-Commit": found.sha,
            "X-Linked-ETag": f'"{content.sha256}"',
            "X-Linked-Size": str(content.size),
        }
        linked = linked if self.hub.linked else {}
        if self.hub.redirect:
            target = f"{self.hub.store_url}/store/{content.sha256}/{quote(path)}"
            return self._reply(302, headers=linked | {"Location": target})
        return self._content(content, f'"{content.sha256}"', linked)

    def _json(self, value: object, headers: Mapping[str, str] | None = None) -> None:
        body = self._odd.body if self._odd.body is not None else json.dumps(value).encode()
        self._reply(200, body, {"Content-Type": "application/json", **(headers or {})})

    def _reply(self, status: int, body: bytes = b"", headers: Mapping[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {**(headers or {}), **self._odd.headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self._send(io.BytesIO(body), 0, len(body))

    def _content(self, content: Content, etag: str, headers: Mapping[str, str] | None = None) -> None:
        if self._odd.body is not None:
            content = Content(self._odd.body, sha256="another")
        first, last = 0, content.size - 1
        wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("range", ""))
        if wanted and not self._odd.ignore_range and self.headers.get("if-range", etag) == etag:
            first = int(wanted[1])
            last = min(int(wanted[2] or last), last)
            if first >= content.size:
                return self._reply(416, headers={"Content-Range": f"bytes */{content.size}"})
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {first}-{last}/{content.size}")
        else:
            self.send_response(200)
        all_headers = {"ETag": etag, "Accept-Ranges": "bytes", **(headers or {}), **self._odd.headers}
        for name, value in all_headers.items():
            self.send_header(name, value)
        if self._odd.without_length:
            self.close_connection = True
        else:
            self.send_header("Content-Length", str(last - first + 1))
        self.end_headers()
        if self.command != "HEAD":
            with content.open() as file:
                self._send(file, first, last + 1)

    def _send(self, file: BinaryIO, first: int, end: int) -> None:
        if self._odd.cut_after is not None:
            end = min(end, first + self._odd.cut_after)
        self.wfile.flush()
        if self._odd.bytes_per_second is None:
            self._logged.sent += self.connection.sendfile(file, first, end - first) if end > first else 0
        else:
            self._crawl(file, first, end, self._odd.bytes_per_second)
        self.close_connection = self.close_connection or self._odd.cut_after is not None
        if self._odd.reset:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()

    def _crawl(self, file: BinaryIO, first: int, end: int, bytes_per_second: int) -> None:
        file.seek(first)
        step = max(1, bytes_per_second // 20)
        while first < end:
            self.connection.sendall(file.read(min(step, end - first)))
            self._logged.sent += min(step, end - first)
            first += step
            time.sleep(0.05)


def _row(repo: str, found: Repository) -> dict[str, Any]:
    return {
        "id": repo,
        "author": repo.partition("/")[0],
        "gated": found.gated,
        "private": found.private,
        "downloads": found.downloads,
        "likes": found.likes,
        "lastModified": found.updated,
        "pipeline_tag": found.task,
        "tags": ["gguf", found.task, f"license:{found.licence}", "en"],
    }


def _search(
    repositories: Mapping[str, Repository], query: Mapping[str, list[str]]
) -> Iterator[dict[str, Any]]:
    rows = [_row(repo, found) for repo, found in repositories.items()]
    for text in query.get("search", []):
        rows = [row for row in rows if text.lower() in row["id"].lower()]
    for author in query.get("author", []):
        rows = [row for row in rows if row["author"] == author]
    for task in query.get("pipeline_tag", []):
        rows = [row for row in rows if row["pipeline_tag"] == task]
    for tag in query.get("filter", []):
        rows = [row for row in rows if tag in row["tags"]]
    order = query.get("sort", ["downloads"])[0]
    rows.sort(key=lambda row: row[order], reverse=True)
    yield from rows[: int(query.get("limit", ["1000"])[0])]


def _entries(found: Repository, start: int, end: int) -> Iterator[dict[str, Any]]:
    names = sorted(found.files)
    for number in range(start, min(end, len(names) + found.filler)):
        if number >= len(names):
            yield {"type": "file", "oid": "0" * 40, "size": 1, "path": f"filler/{number:07}.bin"}
            continue
        content = found.files[names[number]]
        lfs = {"oid": content.sha256, "size": content.size, "pointerSize": 134}
        yield {"type": "file", "oid": "0" * 40, "size": content.size, "path": names[number], "lfs": lfs}
