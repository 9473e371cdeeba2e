"""`alcove doctor`: what works on this machine, what does not, and why. Nobody's words and no keys are in it."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import psutil

from desktop.display import display_problem
from desktop.i18n import tr
from desktop.local_models import make_model
from desktop.paths import Paths
from desktop.processes.report import LockReport
from desktop.store.faults import StoreFault
from desktop.store.store import Store
from desktop.words.models import model_fault
from desktop.words.sentence import gigabytes, graphics_cards
from desktop.words.store import store_fault
from models.runtime.values import LoadOptions
from models.starter import starter_path
from providers.errors import ProviderError
from providers.events import ModelReady


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    topic: str
    works: bool
    text: str


async def examine(paths: Paths, report: LockReport) -> list[Finding]:
    """Look at everything Alcove needs. Loads the starter model once, in a locked child; changes nothing."""
    return [
        Finding(
            "Alcove", True, f"{version('alcove')}, Python {platform.python_version()}, {platform.platform()}"
        ),
        Finding(tr("Network lock"), report.enforced, report.summary),
        _machine(),
        _folder(paths.home),
        await _conversations(paths.database),
        *await _starter_model(),
        _display(),
    ]


def _machine() -> Finding:
    cores = psutil.cpu_count(logical=False) or os.cpu_count() or 1
    memory = psutil.virtual_memory()
    text = tr(
        "{cores} cores; {total} of memory, {free} free",
        cores=cores,
        total=gigabytes(memory.total),
        free=gigabytes(memory.available),
    )
    return Finding(tr("Machine"), True, text)


def _folder(home: Path) -> Finding:
    there = next(folder for folder in (home, *home.parents) if folder.exists())
    free = gigabytes(shutil.disk_usage(there).free)
    if os.access(there, os.W_OK):
        return Finding(tr("Data folder"), True, tr("{folder}, {free} free", folder=home, free=free))
    return Finding(tr("Data folder"), False, tr("{folder} can't be written", folder=home))


async def _conversations(database: Path) -> Finding:
    topic = tr("Conversations")
    if not database.exists():
        return Finding(topic, True, tr("none yet"))
    try:
        found = await Store.examine(database)
    except StoreFault as fault:
        return Finding(topic, False, store_fault(fault).text)
    if found.problems:
        return Finding(
            topic, False, tr("the file is damaged: {problems}", problems="; ".join(found.problems[:3]))
        )
    text = tr(
        "{conversations} with {messages} messages; the file is sound",
        conversations=found.conversations,
        messages=found.messages,
    )
    return Finding(topic, True, text)


async def _starter_model() -> list[Finding]:
    topic = tr("Starter model")
    path = starter_path()
    if path is None:
        return [Finding(topic, False, tr("missing; set Alcove up again"))]
    model = make_model(path, LoadOptions(context_tokens=512))
    findings = []
    try:
        async for event in model.load():
            if isinstance(event, ModelReady):
                place = event.placement
                findings.append(Finding(topic, True, tr("loads; runs on {device}", device=place.device)))
                reason = tr(place.reason) or tr("{layers} layers on it", layers=place.gpu_layers)
                cards = graphics_cards(place.devices)
                text = "; ".join([*cards, reason]) if cards else reason
                findings.append(Finding(tr("Graphics card"), not place.gpu_failed, text))
    except ProviderError as error:
        return [Finding(topic, False, model_fault(error.kind, error.detail, error.facts, str(path)).text)]
    finally:
        await model.close()
    return findings


def _display() -> Finding:
    problem = display_problem(os.environ, sys.platform)
    return Finding(tr("Display"), not problem, problem or tr("there is one"))
