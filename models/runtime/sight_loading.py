"""From the path of a projector (mmproj) to images that a model sees, or to the fault that tells why not."""

from __future__ import annotations

import os
from collections.abc import Callable

from models.gguf import read_header
from models.library.describe import projector_widths
from models.runtime import llama
from models.runtime.faults import Fault, RuntimeFault
from models.runtime.sight import Reader

_BESIDES = 1.25
"""What a projector takes, for each byte of its file: the weights, and the buffers for one image."""


def projector_bytes(path: str | None) -> int:
    """The memory to keep free for a projector; 0 without one, and for a file that is gone."""
    try:
        return int(os.stat(path).st_size * _BESIDES) if path else 0
    except OSError:
        return 0


def projector_key(path: str | None) -> tuple[object, ...]:
    """What tells this projector from others and from its earlier versions; empty without one."""
    try:
        status = os.stat(path) if path else None
    except OSError:
        return (path,)
    return (path, status.st_size, status.st_mtime_ns) if status is not None else ()


def sight_opener(
    path: str | None,
    model: llama.Model,
    context: llama.Context,
    log: llama.Log,
    on_gpu: bool,
    threads: int,
) -> Callable[[], Reader] | None:
    """What loads the projector once there is an image to look at; None when there is no projector."""
    if not path:
        return None

    def open_reader() -> Reader:
        _check(path, model.width)
        try:
            from models.runtime.llama_mtmd import Projector
        except ImportError as error:
            raise RuntimeFault(Fault.SIGHT_NOT_BUILT, str(error)) from error
        projector = None
        for gpu in (True, False) if on_gpu else (False,):  # the model may have left it no room there
            log.lines.clear()
            try:
                projector = Projector(path, model, context, log, gpu, threads)
                break
            except llama.LoadRefused:
                continue
        if projector is None:
            raise _refused(log, path)
        if not projector.sees:
            projector.close()
            raise RuntimeFault(Fault.PROJECTOR_OF_ANOTHER, "it is for sound", _named(path))
        return projector

    return open_reader


def _check(path: str, width: int) -> None:
    """What can be known from the header is said before llama.cpp opens the file: it ends on some damaged ones."""
    try:
        header = read_header(path)
    except RuntimeFault as fault:
        gone = fault.fault in (Fault.FILE_MISSING, Fault.FILE_UNREADABLE)
        kind = Fault.PROJECTOR_MISSING if gone else Fault.PROJECTOR_DAMAGED
        raise RuntimeFault(kind, fault.detail or fault.fault.value, _named(path)) from fault
    if header.architecture != "clip":
        raise RuntimeFault(Fault.PROJECTOR_DAMAGED, f"architecture {header.architecture[:60]}", _named(path))
    widths = projector_widths(header)
    if widths and width not in widths:
        detail = f"it writes {widths[0]} numbers, the model reads {width}"
        raise RuntimeFault(Fault.PROJECTOR_OF_ANOTHER, detail, _named(path))


def _refused(log: llama.Log, path: str) -> RuntimeFault:
    said = "\n".join(log.lines)
    if "failed to allocate" in said or "out of memory" in said:
        return RuntimeFault(Fault.NOT_ENOUGH_MEMORY, said[-1000:], {"file": os.path.basename(path)})
    other = "mismatch between text model" in said
    fault = Fault.PROJECTOR_OF_ANOTHER if other else Fault.PROJECTOR_DAMAGED
    return RuntimeFault(fault, said[-1000:], _named(path))


def _named(path: str) -> dict[str, int | str]:
    return {"projector": os.path.basename(path)}
