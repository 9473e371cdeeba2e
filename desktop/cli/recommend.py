"""`alcove models recommend`: what to begin with on this machine."""

from __future__ import annotations

import argparse
from dataclasses import asdict

from desktop.cli.terminal import print_json, printable
from desktop.i18n import tr
from desktop.words import gigabytes, openness_words, recommendation_words
from models.estimate import Machine, Verdict
from models.hardware import read_machine, usable_memory
from models.recommend import Recommendation, licence, list_date, recommend

_SHOWN = 5


def run_recommend(chosen: argparse.Namespace) -> int:
    """Always 0: something can be said of every machine."""
    machine = Machine(memory_free=usable_memory(read_machine()))
    found = recommend(machine, chosen.purpose)
    if chosen.json:
        print_json([_record(row) for row in found])
        return 0
    print(
        tr(
            "With {free} of free memory, best first. A list of {date}; nothing was measured.",
            free=gigabytes(machine.memory_free),
            date=list_date(),
        )
    )
    fitting = [row for row in found if row.verdict is not Verdict.WONT_FIT]
    for row in (fitting or list(found))[:_SHOWN]:
        _print(row)
    return 0


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
