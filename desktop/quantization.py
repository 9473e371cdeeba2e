"""A smaller version of a model, made on this computer: checked first, made in a locked child, named when it is whole.

The child writes in a folder of its own beside the place where the file will lie, under a name that no scan takes for
a model. Only a file that is whole and on the disk is renamed. Whatever ends this before leaves nothing but that
folder, which goes at once or, after a crash of Alcove itself, before the next one is made. asyncio; no Qt.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import time
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import aclosing, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import psutil

from desktop import trash
from desktop.catalogue import MadeFrom
from desktop.library import Library
from desktop.paths import Paths
from desktop.processes.child import spawn
from desktop.processes.roles import Role
from models.library.entry import Kind, LibraryEntry
from models.library.splits import stem
from models.quantization.making import QuantizeFailed, Quantizer
from models.quantization.messages import Checking, Made, Make, Making, Problem, Surveyed
from models.quantization.types import WHOLE, QuantType, find_type, quant_types
from models.runtime.faults import RuntimeFault

MAKING = ".alcove-making"
"""Folders of this name hold what is not whole yet."""

_SPARE_BYTES = 32 << 20  # what a disk keeps free besides the file
_NAMES_A_TYPE = re.compile(r"(?i)[-._ ](?:(?:b?f|fp)(?:16|32)|i?q[0-9]\w*|tq[0-9]_0|mxfp4\w*)$")
_HAVE_WEIGHTS = (Kind.CHAT, Kind.BASE, Kind.EMBEDDING, Kind.RERANKER)


@dataclass(frozen=True, slots=True)
class Wish:
    """What is wanted. `output`: where the file shall lie, None for Alcove's own folder of models.

    `again`: all the same, though the source is quantized already; what comes out is worse than one made from 16 bits.
    `keep_output`: the last layer stays as exact as it is.
    """

    source: Path
    type: str
    output: Path | None = None
    again: bool = False
    keep_output: bool = False


@dataclass(frozen=True, slots=True)
class Planned:
    """Everything was checked. `bytes`: how large the file will be."""

    source: LibraryEntry
    target: Path
    bytes: int


@dataclass(frozen=True, slots=True)
class Ready:
    """It is made, and in the library."""

    entry: LibraryEntry


MakingReport = Planned | Making | Checking | Ready


@dataclass(frozen=True, slots=True)
class Choices:
    """What can be made of a model. `bytes` by the names of the types; `free`: on the disk it would lie on."""

    source: LibraryEntry
    bytes: dict[str, int]
    measured: frozenset[str]
    free: int


async def choices(paths: Paths, source: Path, types: Sequence[QuantType] = ()) -> Choices:
    """How large the model would be in each type. Writes nothing. Raises `QuantizeFailed`."""
    names = [kind.name for kind in types or quant_types()]
    absolute = Path(os.path.abspath(source))
    target = _target(paths, Wish(absolute, "F16"))
    with _own_folder(_there(target.parent)) as folder:
        quantizer = await Quantizer.start(partial(spawn, Role.QUANTIZER, folder=str(folder)))
        try:
            surveyed = await quantizer.survey(str(absolute), names)
        finally:
            await quantizer.close()
        free = shutil.disk_usage(folder).free
    _check_source(surveyed.entry)
    sizes = {size.type: size.bytes for size in surveyed.sizes}
    measured = frozenset(size.type for size in surveyed.sizes if size.measured)
    return Choices(surveyed.entry, sizes, measured, free)


async def quantize(paths: Paths, library: Library, wish: Wish) -> AsyncGenerator[MakingReport]:
    """Make it: `Planned`, `Making` for each tensor, `Checking`, at last `Ready`. Raises `QuantizeFailed`.

    Closing the iterator stops it at once, and nothing is left of it.
    """
    kind = find_type(wish.type)
    if kind is None:
        raise QuantizeFailed(Problem.UNKNOWN_TYPE, facts={"type": wish.type[:40]})
    if kind.measured:
        raise QuantizeFailed(Problem.NEEDS_MEASURING, facts={"type": kind.name})
    wish = _absolute(wish)
    target = _target(paths, wish)
    if os.path.lexists(target):
        raise QuantizeFailed(Problem.EXISTS, facts={"file": target.name})
    with _own_folder(target.parent) as folder:
        part = folder / "model.part"
        quantizer = await Quantizer.start(partial(spawn, Role.QUANTIZER, folder=str(folder)))
        try:
            surveyed = await quantizer.survey(str(wish.source), [kind.name])
            size = _check(surveyed, kind, wish, folder)
            yield Planned(surveyed.entry, target, size)
            command = Make(str(wish.source), str(part), kind.name, wish.keep_output, wish.again)
            async with aclosing(quantizer.make(command)) as reports:
                async for report in reports:
                    if isinstance(report, Made):
                        _put_in_place(part, target)
                        entry = await _enter(library, wish, target, report)
                        yield Ready(entry)
                    else:
                        yield report
        except QuantizeFailed as failure:
            raise _with_space(failure, folder) from failure
        finally:
            await quantizer.close()


def _absolute(wish: Wish) -> Wish:
    output = None if wish.output is None else Path(os.path.abspath(wish.output.expanduser()))
    source = Path(os.path.abspath(wish.source.expanduser()))
    return Wish(source, wish.type, output, wish.again, wish.keep_output)


def _target(paths: Paths, wish: Wish) -> Path:
    """Beside the source where that is Alcove's own: a projector that belongs to it lies there too."""
    if wish.output is not None and wish.output.suffix.lower() == ".gguf":
        return wish.output
    plain = stem(wish.source.name)
    plain = _NAMES_A_TYPE.sub("", plain) or plain
    name = f"{plain}-{wish.type.upper()}.gguf"
    if wish.output is not None:
        return wish.output / name
    ours = trash.lies_in(str(wish.source), paths.models)
    return (wish.source.parent if ours else paths.models / plain) / name


def _check_source(entry: LibraryEntry) -> None:
    if entry.problem is not None:
        raise QuantizeFailed(entry.problem, entry.detail, entry.facts)
    if not any(kind in _HAVE_WEIGHTS for kind in entry.kinds):
        raise QuantizeFailed(Problem.NOT_A_MODEL)


def _check(surveyed: Surveyed, kind: QuantType, wish: Wish, folder: Path) -> int:
    """The size it will have. Raises `QuantizeFailed` for all that can be known before."""
    entry = surveyed.entry
    _check_source(entry)
    if len(surveyed.sizes) != 1:
        raise QuantizeFailed(Problem.STOPPED, f"{len(surveyed.sizes)} sizes for one type")
    size = surveyed.sizes[0]
    if size.measured:
        raise QuantizeFailed(Problem.NEEDS_MEASURING, facts={"type": kind.name})
    if size.bytes >= entry.size:
        sizes: dict[str, int | str] = {"type": kind.name, "bytes": size.bytes, "source_bytes": entry.size}
        raise QuantizeFailed(Problem.NOT_SMALLER, facts=sizes)
    if entry.quantization not in WHOLE and not wish.again:
        raise QuantizeFailed(Problem.QUANTIZED_ALREADY, facts={"type": entry.quantization})
    free = shutil.disk_usage(folder).free
    if size.bytes + _SPARE_BYTES > free:
        raise QuantizeFailed(Problem.NO_SPACE, facts={"need_bytes": size.bytes, "free_bytes": free})
    return size.bytes


def _with_space(failure: QuantizeFailed, folder: Path) -> QuantizeFailed:
    """llama.cpp doesn't say why a disk refused; a full one says it itself."""
    if failure.problem is not Problem.DISK:
        return failure
    free = shutil.disk_usage(folder).free
    facts: dict[str, int | str] = {"free_bytes": free, **failure.facts}
    return QuantizeFailed(failure.problem, failure.detail, facts)


async def _enter(library: Library, wish: Wish, target: Path, made: Made) -> LibraryEntry:
    record = MadeFrom(str(target), made.bytes, str(wish.source), wish.type.upper(), time.time())
    try:
        return await library.enter_made(record, made.sha256)
    except RuntimeFault as fault:
        raise QuantizeFailed(fault.fault, fault.detail, fault.facts) from fault


def _put_in_place(part: Path, target: Path) -> None:
    """Give the whole file its name, over nothing. Raises `QuantizeFailed`."""
    try:
        try:
            os.link(part, target)
            os.unlink(part)
        except FileExistsError:
            raise
        except OSError:  # a disk without hard links
            if os.path.lexists(target):
                raise FileExistsError(target) from None
            os.rename(part, target)
    except FileExistsError as error:
        raise QuantizeFailed(Problem.EXISTS, facts={"file": target.name}) from error
    except OSError as error:
        raise QuantizeFailed(Problem.DISK, str(error)) from error


def _there(folder: Path) -> Path:
    """The nearest folder above that exists: what is only asked about makes none."""
    return next((parent for parent in (folder, *folder.parents) if parent.is_dir()), Path(folder.anchor))


@contextmanager
def _own_folder(beside: Path) -> Iterator[Path]:
    """A fresh folder for one child to write in, gone afterwards. Raises `QuantizeFailed`."""
    root, is_new = beside / MAKING, not beside.exists()
    folder = root / f"{os.getpid()}-{secrets.token_hex(4)}"
    try:
        tidy(root)
        folder.mkdir(parents=True)
    except OSError as error:
        facts: dict[str, int | str] = {"folder": str(beside)}
        raise QuantizeFailed(Problem.DISK, str(error), facts) from error
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        with suppress(OSError):  # they hold something else
            root.rmdir()
            if is_new:
                beside.rmdir()


def tidy(root: Path) -> None:
    """Remove what an Alcove left that no longer runs: its folders carry its number."""
    for folder in root.iterdir() if root.is_dir() else ():
        number = folder.name.partition("-")[0]
        if number.isdigit() and int(number) != os.getpid() and not psutil.pid_exists(int(number)):
            shutil.rmtree(folder, ignore_errors=True)
