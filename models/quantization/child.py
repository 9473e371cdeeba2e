"""The quantizer: the child process that makes a smaller version of a model. Locked before this is imported.

It opens a file from a stranger and writes in one folder, both of which its lock holds it to. Two threads, as in the
scanner: the reader ends the process when the parent has gone; a quantization is stopped by ending the process.
"""

from __future__ import annotations

import errno
import hashlib
import os
import queue
import sys
import threading
import traceback
from typing import NoReturn, assert_never

from models.gguf import read_header
from models.gguf_texts import SeenLists
from models.hardware import choose_threads, read_machine
from models.library.candidates import Candidate, Place
from models.library.describe import describe, look_at
from models.library.entry import LibraryEntry, Source
from models.library.places import look
from models.quantization.messages import (
    Checking,
    Command,
    Failed,
    Made,
    Make,
    Making,
    Problem,
    Ready,
    Report,
    Survey,
    Surveyed,
    TypeSize,
    decode_command,
    encode,
)
from models.quantization.types import QuantType, find_type
from models.runtime import llama, llama_quantize
from models.runtime.diagnosis import load_fault
from models.runtime.faults import Fault, RuntimeFault
from models.runtime.link import ChildSide

_DETAIL = 2_000
_BLOCK = 1 << 22  # bytes hashed at once
_WRITING_FAILED = ("basic_ios::clear", "iostream error", "No space left", "ofstream")
"""What a C++ stream says when the disk refuses: it does not say why."""


def main(channel: ChildSide, lock_summary: str, locked: bool) -> NoReturn:
    """Serve the parent until it goes away. `lock_summary`: what the lock of this process came to, in words."""
    quantizer = _Quantizer(channel)
    quantizer.send(Ready(lock_summary, locked))
    threading.Thread(target=quantizer.read, name="reader", daemon=True).start()
    quantizer.serve()


class _Quantizer:
    def __init__(self, channel: ChildSide) -> None:
        self._channel = channel
        self._commands: queue.SimpleQueue[Command] = queue.SimpleQueue()
        self._log = llama.start()

    def send(self, report: Report) -> None:
        self._channel.send(encode(report))

    def read(self) -> NoReturn:
        """The reader thread. Ends the process whatever happens: without it nobody could stop the quantizer."""
        try:
            while (record := self._channel.receive()) is not None:
                self._commands.put(decode_command(record))
        except BaseException:  # the end of a thread, and of the process: a bug of the parent, told on stderr
            traceback.print_exc(file=sys.stderr)
            os._exit(1)
        os._exit(0)

    def serve(self) -> NoReturn:
        """The main loop."""
        while True:
            command = self._commands.get()
            try:
                self._do(command)
            except RuntimeFault as fault:
                self.send(Failed(fault.fault, fault.detail[:_DETAIL], fault.facts))
            except OSError as error:
                self.send(Failed(_disk_problem(error), str(error)[:_DETAIL]))
            except Exception:  # the one place where a bug becomes a message
                self.send(Failed(Problem.REFUSED, traceback.format_exc()[-_DETAIL:]))

    def _do(self, command: Command) -> None:
        match command:
            case Survey(source, types):
                entry = _read(source)
                kinds = [kind for name in types if (kind := find_type(name)) is not None]
                sizes = () if entry.problem else tuple(self._size(source, entry, kind) for kind in kinds)
                self.send(Surveyed(entry, sizes))
            case Make():
                self._make(command)
            case _:
                assert_never(command)

    def _size(self, source: str, entry: LibraryEntry, kind: QuantType) -> TypeSize:
        try:
            size = llama_quantize.size_of(self._log, source, kind.file_type)
        except llama_quantize.QuantizeRefused:
            raise load_fault(self._log.lines, entry.architecture, cancelled=False) from None
        return TypeSize(kind.name, size.bytes + read_header(source).data_start, size.wants_measuring)

    def _make(self, command: Make) -> None:
        kind = find_type(command.type)
        if kind is None:
            raise RuntimeFault(Fault.GENERATION_FAILED, f"the type {command.type!r:.40}")
        try:
            llama_quantize.quantize(
                self._log,
                command.source,
                command.target,
                kind.file_type,
                threads=choose_threads(read_machine(), None).prompt,
                keep_output=command.keep_output,
                again=command.again,
                on_tensor=lambda done, total: self.send(Making(done, total)),
            )
        except llama_quantize.QuantizeRefused:
            detail = "\n".join(self._log.lines)[-_DETAIL:]
            refused = any(words in detail for words in _WRITING_FAILED)
            self.send(Failed(Problem.DISK if refused else Problem.REFUSED, detail))
            return
        self.send(Checking())
        size = read_header(command.target).file_bytes  # raises when the end is missing: not all was written
        self.send(Made(size, _synced_hash(command.target)))


def _read(source: str) -> LibraryEntry:
    """The source as a scan would list it, whatever is wrong with it."""
    place = Place(Source.FILE, source)
    for seen in look(place):
        if isinstance(seen, Candidate):
            return describe(seen, look_at(seen), SeenLists())
    raise RuntimeFault(Fault.FILE_MISSING)


def _synced_hash(path: str) -> str:
    """SHA-256 of the file, which is on the disk when this returns."""
    digest, block = hashlib.sha256(), bytearray(_BLOCK)
    with open(path, "r+b", buffering=0) as stream:
        os.fsync(stream.fileno())
        while size := stream.readinto(block):
            digest.update(memoryview(block)[:size])
    return digest.hexdigest()


def _disk_problem(error: OSError) -> Problem:
    return Problem.NO_SPACE if error.errno in (errno.ENOSPC, errno.EDQUOT) else Problem.DISK
