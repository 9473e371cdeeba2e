"""A child that does as it is told: locks itself as a worker, then obeys one order a line.

python talking_child.py ROLE        ROLE may be "unlocked"
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[3]))

from desktop.processes.channel import StdioChannel
from desktop.processes.lockdown import lock_down
from desktop.processes.roles import Role


def print_in_every_way() -> None:
    """What a careless native library does in the middle of an answer."""
    libc = ctypes.CDLL(None)
    libc.puts(b"native words")
    libc.fflush(None)
    os.write(1, b"words to descriptor 1\n")
    print("words to sys.stdout", flush=True)
    sys.__stdin__.read()  # type: ignore[union-attr]


def send_from_threads(channel: StdioChannel, threads: int, each: int) -> None:
    def send(thread: int) -> None:
        for number in range(each):
            channel.send({"thread": thread, "number": number, "padding": "x" * (number % 7 * 3_000)})

    running = [threading.Thread(target=send, args=(thread,)) for thread in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()


def main() -> None:
    if sys.argv[1] != "unlocked":
        lock_down(Role(sys.argv[1]))
    channel = StdioChannel()
    to_parent = channel._to_parent
    while (order := channel.receive()) is not None:
        match order:
            case {"do": "echo"}:
                channel.send(order)
            case {"do": "print"}:
                print_in_every_way()
                channel.send({"printed": True})
            case {"do": "environment"}:
                channel.send(dict(os.environ))
            case {"do": "descriptors"}:
                channel.send({"open": sorted(map(int, os.listdir("/proc/self/fd"))), "folder": os.getcwd()})
            case {"do": "send", "records": int(records), "bytes": int(size)}:
                for number in range(records):
                    channel.send({"number": number, "padding": "x" * size})
            case {"do": "send from threads", "threads": int(threads), "each": int(each)}:
                send_from_threads(channel, threads, each)
            case {"do": "write", "text": str(text), "times": int(times)}:
                for _ in range(times):
                    os.write(to_parent, text.encode())
            case {"do": "complain", "text": str(text)}:
                os.write(2, text.encode())
                os._exit(3)
            case {"do": "crash"}:
                os.kill(os.getpid(), signal.SIGSEGV)


main()
