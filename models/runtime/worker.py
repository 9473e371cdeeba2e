"""The worker: the child process that opens a model and answers. Locked before this file is imported.

Two threads. The reader takes commands from the parent, acts on `Cancel` at once, and ends the process when
the parent has gone. The main thread does one command after another; whatever goes wrong in one becomes a
`Failed`.
"""

from __future__ import annotations

import os
import queue
import sys
import threading
import traceback
from typing import NoReturn, assert_never

from models.runtime import llama
from models.runtime.faults import Fault, RuntimeFault
from models.runtime.generation import Generator
from models.runtime.link import ChildSide
from models.runtime.llama_devices import devices
from models.runtime.loading import Loader, inspect
from models.runtime.protocol import (
    LOOKING,
    Cancel,
    Command,
    Failed,
    Generate,
    Gpus,
    Inspect,
    Inspected,
    Load,
    LookForGpus,
    Park,
    Parked,
    ReadTemplate,
    Ready,
    Report,
    Stage,
    Trying,
    decode_command,
    encode,
)
from models.runtime.template_reading import read_template
from models.runtime.values import Gpu

_DETAIL = 2_000
_DRIVER_SECONDS = 60.0
"""What drivers may take to say which devices there are."""
_Work = Inspect | ReadTemplate | Load | Generate | Park | LookForGpus


def main(channel: ChildSide, lock_summary: str, locked: bool) -> NoReturn:
    """Serve the parent until it goes away. `lock_summary`: what the lock of this process came to, in words."""
    worker = _Worker(channel)
    worker.send(Ready(llama.version(), lock_summary, locked))
    threading.Thread(target=worker.read, name="reader", daemon=True).start()
    worker.serve()


class _Worker:
    def __init__(self, channel: ChildSide) -> None:
        self._channel = channel
        self._commands: queue.SimpleQueue[_Work] = queue.SimpleQueue()
        self._log: llama.Log | None = None
        self._interrupt = llama.Interrupt()
        self._generator: Generator | None = None

    def send(self, report: Report) -> None:
        self._channel.send(encode(report))

    def read(self) -> NoReturn:
        """The reader thread. Ends the process whatever happens: without it nobody could stop the worker."""
        try:
            while (record := self._channel.receive()) is not None:
                self._take(decode_command(record))
        except BaseException:  # the end of a thread, and of the process: a bug of the parent, told on stderr
            traceback.print_exc(file=sys.stderr)
            os._exit(1)
        os._exit(0)

    def _take(self, command: Command) -> None:
        if isinstance(command, Cancel):
            self._interrupt.set()
            return
        # Cleared here, in the order of the commands: a late Cancel stops nothing that was asked for after it.
        self._interrupt.clear()
        self._commands.put(command)

    def serve(self) -> NoReturn:
        """The main loop."""
        while True:
            command = self._commands.get()
            try:
                self._do(command)
            except RuntimeFault as fault:
                self.send(Failed(fault.fault, fault.detail[:_DETAIL], fault.facts))
            except Exception:  # the one place where a bug becomes a message: the parent shows it and goes on
                self.send(Failed(Fault.GENERATION_FAILED, traceback.format_exc()[-_DETAIL:]))

    def _start(self, command: Load) -> llama.Log:
        """Make llama.cpp ready, drivers included. The parent is told before: one may end this process."""
        if self._log is None:
            known = command.known
            self.send(Stage("header", _DRIVER_SECONDS))
            self.send(Trying(LOOKING, ""))
            self._log = llama.start(gpus=known is None or not known.failed or bool(known.devices))
            self.send(Trying(0, ""))
        return self._log

    def _do(self, command: _Work) -> None:
        match command:
            case Inspect(path):
                self.send(Inspected(inspect(path)))
            case ReadTemplate():
                self.send(read_template(command, self.send))
            case Load():
                if self._generator is not None:
                    raise RuntimeFault(Fault.GENERATION_FAILED, "this worker holds a model already")
                log = self._start(command)
                self._generator, loaded = Loader(log, self._interrupt, self.send).load(command)
                self.send(loaded)
            case Generate():
                if self._generator is None:
                    raise RuntimeFault(Fault.GENERATION_FAILED, "no model is loaded")
                self.send(self._generator.answer(command))
            case LookForGpus():
                self.send(Stage("start"))  # a driver may need a while to wake
                self._log = self._log or llama.start()
                found = (device for device in devices() if device.is_gpu)
                self.send(Gpus(tuple(Gpu(gpu.description, gpu.free_bytes, gpu.total_bytes) for gpu in found)))
            case Park():
                if self._generator is not None:
                    self._generator.park()
                self.send(Parked())
            case _:
                assert_never(command)
