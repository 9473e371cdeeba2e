"""The one entry of every Alcove process: take a role, lock down, and only then import anything else.

What this file imports runs unlocked, so it is the standard library's smallest and `desktop.processes`, which
imports nothing else either; a test holds both to it.
"""

from __future__ import annotations

import os
import sys

from desktop.processes.lockdown import lock_down
from desktop.processes.roles import Role, from_command_line


def main() -> int:
    """Run one role. Exit status: 0 done, 1 failed, 2 wrong usage."""
    os.environ["GGML_NO_BACKTRACE"] = "1"  # a failed assertion of llama.cpp would start a debugger
    try:
        role, network = from_command_line(sys.argv[1:])
    except ValueError as error:
        print(f"alcove: {error}", file=sys.stderr)
        return 2
    report = lock_down(role, network)
    if role is Role.WORKER:
        from desktop.processes.channel import StdioChannel

        channel = StdioChannel()  # first, so that nothing that prints while it is imported can disturb it
        from models.runtime import worker

        return worker.main(channel, report.summary, report.enforced)
    if role is Role.SCANNER:
        from desktop.processes.channel import StdioChannel

        channel = StdioChannel()
        from models.library import scanner

        return scanner.main(channel, report.summary, report.enforced)
    from desktop.commands import run

    return run(sys.argv[1:], report)


if __name__ == "__main__":
    sys.exit(main())
