"""A desktop as the entry makes one: the broker first, then its own lock, then one request through the client.

python fetching_desktop.py HOME URL       prints the broker's process number and what came back, as JSON
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[3]))

from desktop.processes.lockdown import lock_down
from desktop.processes.roles import Role
from desktop.processes.way_out import broker, close_way_out, open_way_out

assert open_way_out(sys.argv[1], os.environ) == ""
report = lock_down(Role.DESKTOP)

from desktop.processes.adopted import AdoptedProcess  # noqa: E402
from providers.gate.client import BrokerClient  # noqa: E402
from providers.gate.rules import Purpose  # noqa: E402


def own_socket() -> str:
    try:
        socket.socket().close()
    except PermissionError:
        return "refused"
    return "not refused"


async def fetch() -> str:
    process = broker()
    assert process is not None
    client = BrokerClient(AdoptedProcess(process))
    await client.ready()
    body = await client.fetch(sys.argv[2], Purpose.DOWNLOAD, 1000)
    await client.close()
    return body.decode()


process = broker()
assert process is not None
print(
    json.dumps(
        {"broker": process.pid, "own": own_socket(), "locked": report.enforced, "body": asyncio.run(fetch())}
    )
)
close_way_out()
