"""What this computer can run: the facts behind “What can this computer run?”, and a rule of thumb, named as one."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from desktop.i18n import tr
from desktop.viewmodels.models import ModelItem
from desktop.words.sentence import gigabytes

_BESIDE_THE_FILE = 1.2  # a model takes its file's size in memory, and about a fifth more for the conversation


@dataclass(frozen=True, slots=True)
class Computer:
    """`summary` is one or two sentences; `rows` are label and value."""

    summary: str
    rows: tuple[tuple[str, str], ...]


def describe_computer(models: Iterable[ModelItem], where_it_runs: str, cards: Sequence[str] = ()) -> Computer:
    """Ask the system now. `where_it_runs`: the words about the processor or graphics card in use; `cards`: all."""
    memory = psutil.virtual_memory()
    cores = psutil.cpu_count(logical=False) or os.cpu_count() or 1
    largest = int(memory.available / _BESIDE_THE_FILE)
    summary = tr(
        "Model files of up to about {largest} should run here now. The rule of thumb: the size of the file and a "
        "fifth more must fit into the memory that is free. The nearer to the limit, the slower the answers.",
        largest=gigabytes(largest),
    )
    rows = (
        (tr("Processor"), tr("{cores} cores", cores=cores)),
        (
            tr("Memory"),
            tr(
                "{total}, of which {free} free now",
                total=gigabytes(memory.total),
                free=gigabytes(memory.available),
            ),
        ),
        *((tr("Graphics card"), card) for card in cards),
        (tr("Model in use"), where_it_runs),
        *((model.name, _fits(model, memory.available)) for model in models),
    )
    return Computer(summary, rows)


def _fits(model: ModelItem, free: int) -> str:
    if model.missing:
        return tr("The file is not there now.")
    needed = int(Path(model.path).stat().st_size * _BESIDE_THE_FILE)
    if needed <= free:
        return tr("Needs about {needed}: it fits.", needed=gigabytes(needed))
    return tr(
        "Needs about {needed}; {free} are free. It would run slowly or not at all.",
        needed=gigabytes(needed),
        free=gigabytes(free),
    )
