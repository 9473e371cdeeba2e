"""The hub on loopback as a process of its own, so that what it costs is not taken from what is measured.

`python hub_process.py REPO FILE`: prints one line of JSON (url, revision, sha256, size), ends with its stdin.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from support.hub_server import HubServer


@contextmanager
def hub_process(repo: str, file: Path) -> Iterator[dict[str, Any]]:
    """A hub that has one file; what it printed."""
    command = [sys.executable, str(Path(__file__)), repo, str(file)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdin is not None and child.stdout is not None
        yield json.loads(child.stdout.readline())
        child.stdin.close()


def main() -> None:
    repo, file = sys.argv[1], Path(sys.argv[2])
    with HubServer(redirect=False) as hub:
        added = hub.add(repo, {file.name: file})
        content = added.files[file.name]
        facts = {"url": hub.url, "revision": added.sha, "sha256": content.sha256, "size": content.size}
        print(json.dumps(facts), flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
