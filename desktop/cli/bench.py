"""`alcove bench`: how fast a model is here."""

from __future__ import annotations

import argparse
from dataclasses import asdict

from desktop.cli.terminal import failed, print_json, printable
from desktop.i18n import tr
from desktop.known_models import current_model
from desktop.own_settings import options_for
from desktop.settings import Settings
from desktop.speed import Speed, measure
from desktop.words.models import model_fault
from desktop.words.sentence import gigabytes
from providers.errors import ProviderError


async def bench(chosen: argparse.Namespace, settings: Settings) -> int:
    """Speed and memory of one model, on each device it can run on. Exit status 0 done, 1 failed."""
    path = chosen.model or current_model(settings)
    if path is None:
        return failed(tr("The starter model is missing. Name a model file."))
    path = path.expanduser().absolute()
    try:
        speeds = await measure(path, options_for(settings, path))
    except ProviderError as error:
        return failed(model_fault(error.kind, error.detail, error.facts, str(path)).text)
    if chosen.json:
        print_json([asdict(speed) for speed in speeds])
        return 0
    for speed in speeds:
        print(printable(_speed_line(speed)))
        print(printable("  " + _decided(speed)))
    return 0


def _decided(speed: Speed) -> str:
    """What was decided and why, under the figures."""
    said = tr(
        "{layers} of {all} layers on the GPU, {threads} threads, context of {context} tokens, {memory} estimated.",
        layers=speed.gpu_layers,
        all=speed.layers,
        threads=speed.threads,
        context=f"{speed.context_tokens:,}",
        memory=gigabytes(speed.estimated_bytes),
    )
    return f"{said} {tr(speed.reason)}".strip()


def _speed_line(speed: Speed) -> str:
    return tr(
        "{device}: reads {prompt} tokens/s, writes {generation} tokens/s, first word after {first} ms, "
        "takes {memory} at most, loads in {load} s",
        device=speed.device,
        prompt=f"{speed.prompt_rate:.0f}",
        generation=f"{speed.generation_rate:.1f}",
        first=f"{speed.first_token_ms:.0f}",
        memory=gigabytes(speed.memory_bytes),
        load=f"{speed.load_ms / 1000:.1f}",
    )
