"""`alcove models recommend`: what to begin with on this machine."""

from __future__ import annotations

import argparse
from dataclasses import asdict

from desktop.cli.terminal import print_json, printable
from desktop.i18n import tr
from desktop.paths import Paths
from desktop.this_machine import this_machine
from desktop.words.hub import openness_words, recommendation_words
from desktop.words.sentence import gigabytes
from models.estimate import Machine, Verdict
from models.recommend import Recommendation, licence, list_date, recommend

_SHOWN = 5


async def run_recommend(chosen: argparse.Namespace, paths: Paths) -> int:
    """Always 0: something can be said of every machine."""
    machine = await this_machine(paths)
    found = recommend(machine, chosen.purpose)
    if chosen.json:
        print_json([_record(row) for row in found])
        return 0
    print(_heading(machine))
    fitting = [row for row in found if row.verdict is not Verdict.WONT_FIT]
    for row in (fitting or list(found))[:_SHOWN]:
        _print(row)
    return 0


def _heading(machine: Machine) -> str:
    facts = {"free": gigabytes(machine.memory_free), "date": list_date()}
    if machine.gpu_free:
        return tr(
            "With {free} of free memory and {gpu} free on the graphics cards, best first. The list is of {date}.",
            gpu=gigabytes(machine.gpu_free),
            **facts,
        )
    return tr("With {free} of free memory, best first. The list is of {date}.", **facts)


def _record(row: Recommendation) -> dict[str, object]:
    known = licence(row.model.licence)
    return {
        **asdict(row.model),
        "licence_words": known.words if known else "",
        "verdict": row.verdict.value,
        "need_bytes": row.need_bytes,
        "missing_bytes": row.missing_bytes,
    }


def _print(row: Recommendation) -> None:
    model = row.model
    known = licence(model.licence)
    print()
    print(printable(f"{model.name} · {model.quantization} · {gigabytes(model.download)} · {model.licence}"))
    print(printable(f"  {tr(model.why)} {recommendation_words(row)}"))
    if known:
        print(printable(f"  {openness_words(model.openness)}: {tr(known.words)}"))
    print(printable(f"  alcove models pull {model.repo} --quantization {model.quantization}"))
