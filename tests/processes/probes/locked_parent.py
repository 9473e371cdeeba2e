"""A parent as the desktop is one: locked, with its event loop in another thread, and a locked child.

Prints the child's process number once the child has answered. With "wait" it then stays until it is killed;
otherwise it ends the child in good order and exits.
"""

from __future__ import annotations

import asyncio
import sys
import threading
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[3]))

from desktop.processes.lockdown import lock_down
from desktop.processes.roles import Role

report = lock_down(Role.DESKTOP)
assert report.enforced, report.summary

from desktop.processes.child import launch  # noqa: E402


async def talk() -> None:
    child = await launch([sys.executable, str(Path(__file__).parent / "talking_child.py"), "worker"])
    child.send({"do": "echo"})
    assert await child.receive() == {"do": "echo"}
    print(child.pid, flush=True)
    if sys.argv[1:] == ["wait"]:
        await child.receive()
    child.kill()
    assert await child.wait() == -9


core = threading.Thread(target=lambda: asyncio.run(talk()), name="core")
core.start()
core.join()
