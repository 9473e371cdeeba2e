"""`alcove models quantize`: make a smaller version of a model on this disk, or list the types there are.

alcove models quantize NAME TYPE [--output FILE] [--again] [--keep-output]
alcove models quantize --list
"""

from __future__ import annotations

import argparse
import os
import sys
from contextlib import aclosing
from pathlib import Path

from desktop.cli.terminal import failed, print_json, printable
from desktop.i18n import tr
from desktop.library import Library, as_record
from desktop.paths import Paths
from desktop.quantization import Planned, Ready, Wish, quantize
from desktop.words.quantization import loss_words, quantization_fault, type_words
from desktop.words.sentence import gigabytes
from models.quantization.making import QuantizeFailed
from models.quantization.messages import Checking, Making
from models.quantization.types import quant_types


async def run(chosen: argparse.Namespace, paths: Paths, library: Library) -> int:
    """Exit status 0 done, 1 failed, 2 wrong usage."""
    if chosen.list:
        return _list(chosen.json)
    if not chosen.name or not chosen.type:
        return failed(tr("Say which model, and as which type; --list shows the types."), 2)
    source = await find_source(library, chosen.name)
    if isinstance(source, int):
        return source
    wish = Wish(source, chosen.type, chosen.output, chosen.again, chosen.keep_output)
    meter = _Meter()
    try:
        async with aclosing(quantize(paths, library, wish)) as reports:
            async for report in reports:
                match report:
                    case Planned():
                        meter.begin(report)
                    case Making() | Checking():
                        meter.show(report)
                    case Ready(entry):
                        meter.end()
                        if chosen.json:
                            print_json(as_record(entry))
                        else:
                            print(printable(f"{entry.sha256}  {entry.path}"))
    except QuantizeFailed as failure:
        meter.end()
        sentence = quantization_fault(failure.problem, failure.detail, failure.facts, source.name)
        return failed(sentence.text)
    return 0


def _list(as_json: bool) -> int:
    if as_json:
        print_json(
            [
                {"type": kind.name, "bits": kind.bits, "perplexity": kind.perplexity, "loss": kind.loss.value,
                 "possible": not kind.measured}
                for kind in quant_types()
            ]
        )  # fmt: skip
        return 0
    for kind in quant_types():
        unmade = tr("Not possible here: it needs an importance matrix.") if kind.measured else ""
        print(f"{kind.name:8} {type_words(kind)}. {unmade or loss_words(kind)}")
    return 0


async def find_source(library: Library, name: str) -> Path | int:
    """The file that is meant: one of this name, or a model of the library; else the exit status, when it was said."""
    given = Path(name).expanduser()
    if given.is_file():
        return given
    async with aclosing(library.scan()) as reports:
        async for _ in reports:
            pass
    found = await library.matches(name)
    if len(found) == 1:
        return Path(found[0].path)
    if not found:
        return failed(tr("There is no model called {name} on this disk.", name=name))
    names = "\n".join(f"  {printable(entry.path)}" for entry in found[:20])
    print(
        tr("{name} could be any of these; say more of its path:", name=printable(name)), names,
        sep="\n", file=sys.stderr,
    )  # fmt: skip
    return 1


class _Meter:
    """One line on standard error that is written over, where somebody looks; else two that stay."""

    def __init__(self) -> None:
        self._live = sys.stderr.isatty()

    def begin(self, planned: Planned) -> None:
        text = tr(
            "{file} will take {size}; {name} takes {source_size}.",
            file=planned.target.name,
            size=gigabytes(planned.bytes),
            name=os.path.basename(planned.source.path),
            source_size=gigabytes(planned.source.size),
        )
        print(printable(text), file=sys.stderr)

    def show(self, report: Making | Checking) -> None:
        if not self._live:
            return
        if isinstance(report, Making):
            percent = report.done * 100 // max(1, report.total)
            text = tr(
                "{percent} % · part {done} of {total}", percent=percent, done=report.done, total=report.total
            )
        else:
            text = tr("Checking what was written …")
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)

    def end(self) -> None:
        if self._live:
            print("\r\033[K", end="", file=sys.stderr, flush=True)
