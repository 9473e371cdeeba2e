"""A real scanner, locked as one, that a file's name can kill: for what a header did to a reader with a mistake in it.

It ends or hangs when it says that it will read a file whose name holds "crash", "abort", "exit", "hang" or "lie".
"""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[4]))

from desktop.processes.channel import StdioChannel
from desktop.processes.lockdown import lock_down
from desktop.processes.roles import Role
from models.library import scanner


class FragileChannel(StdioChannel):
    def send(self, record: Any) -> None:
        super().send(record)
        if record["kind"] != "Reading":
            return
        name = os.path.basename(record["files"][0]["path"])
        if "crash" in name:
            os.kill(os.getpid(), signal.SIGSEGV)
        elif "bus" in name:
            os.kill(os.getpid(), signal.SIGBUS)
        elif "exit" in name:
            os._exit(7)
        elif "hang" in name:
            time.sleep(1_000)
        elif "lie" in name:
            super().send({"kind": "Unchanged", "path": "/etc/passwd"})
        elif "talk" in name:
            super().send({"kind": "Finished", "models": "many"})


if __name__ == "__main__":
    report = lock_down(Role.SCANNER)
    scanner.main(FragileChannel(), report.summary, report.enforced)
