"""llama.cpp's own server, as its makers wrote it, on loopback in a child process.

`python llama_server.py MODEL KEY`: prints where it listens, says the rest on stderr, ends with its stdin.
"""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

CONTEXT_TOKENS = 1024
_PATIENCE = 60.0  # seconds


class LlamaServer:
    """A running server with one slot. `log`: what it says of itself."""

    def __init__(self, address: str, key: str, log: Path) -> None:
        self.url = f"{address}/v1"
        self._place = address.removeprefix("http://")
        self._key = key
        self._log = log

    @property
    def log(self) -> str:
        return self._log.read_text(errors="replace")

    @property
    def is_busy(self) -> bool:
        """Whether its one slot computes an answer now."""
        connection = http.client.HTTPConnection(self._place, timeout=_PATIENCE)
        try:
            connection.request("GET", "/slots", headers={"authorization": f"Bearer {self._key}"})
            slots: list[dict[str, Any]] = json.loads(connection.getresponse().read())
            return bool(slots[0]["is_processing"])
        finally:
            connection.close()

    def wait_until(self, busy: bool, seconds: float = 30.0) -> bool:
        """Whether it was so within this time."""
        deadline = time.monotonic() + seconds
        while self.is_busy is not busy:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.01)
        return True


@contextmanager
def llama_server(folder: Path, model: Path, key: str = "") -> Iterator[LlamaServer]:
    """A server that has loaded `model`. `key`: the only one that it accepts; "" asks for none."""
    log = folder / "llama-server.log"
    command = [sys.executable, str(Path(__file__)), str(model), key]
    with (
        log.open("wb") as said,
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=said) as child,
    ):
        assert child.stdin is not None and child.stdout is not None
        try:
            address = child.stdout.readline().decode().strip()
            assert address, log.read_text(errors="replace")
            yield LlamaServer(address, key, log)
        finally:
            child.kill()


def main() -> None:
    import xllamacpp  # type: ignore[import-untyped]

    parameters = xllamacpp.CommonParams()
    parameters.model.path, key = sys.argv[1], sys.argv[2]
    parameters.port = 0
    parameters.n_ctx = CONTEXT_TOKENS
    parameters.n_parallel = 1
    parameters.cpuparams.n_threads = 2
    if key:
        parameters.api_keys = [key]
    server = xllamacpp.Server(parameters)
    print(server.listening_address, flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
