"""`alcove models search | info publisher/name | pull | downloads`: models on the hub, and what is being fetched."""

from __future__ import annotations

import argparse
import sys
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import asdict

from desktop.cli.terminal import failed, print_json, printable
from desktop.hub import (
    HubFailed,
    cancel,
    connect,
    look,
    pause,
    projector_for,
    pull,
    resume,
    search,
    usual_choice,
    watch_queue,
    whole_models,
)
from desktop.hub_fit import Fitting, best_choice, fit_all
from desktop.i18n import tr
from desktop.library import Library
from desktop.paths import Paths
from desktop.this_machine import How, ThisMachine, this_machine
from desktop.words.hub import fit_words, hub_fault
from desktop.words.sentence import gigabytes
from models.download_list import standing_on_disk
from models.download_values import Standing, State
from models.hub_values import Gate, HubModel, Listing, Page, Query, Sort
from providers.gate.client import BrokerClient
from providers.gate.hub_messages import PullProgress, QueueChanged, QueueFinished, QueueGone, QueueStanding

_AT_REST = (State.PAUSED, State.FAILED)

Judged = list[tuple[HubModel, Fitting | HubFailed]]


@asynccontextmanager
async def _broker() -> AsyncIterator[BrokerClient]:
    client = connect()
    try:
        await client.ready()
        yield client
    finally:
        await client.close()


# ---- looking


async def search_hub(chosen: argparse.Namespace) -> int:
    query = Query(
        text=chosen.text,
        task=chosen.task,
        licence=chosen.licence,
        author=chosen.author,
        gated=False if chosen.ungated else None,
        sort={"downloads": Sort.DOWNLOADS, "likes": Sort.LIKES, "updated": Sort.UPDATED}[chosen.sort],
        limit=chosen.limit,
    )
    async with _broker() as client:
        found = await search(client, query)
    if chosen.json:
        print_json(
            [
                {"repo": row.repo, "licence": row.licence, "gate": row.gate.value, "downloads": row.downloads,
                 "likes": row.likes, "updated": row.updated}
                for row in found
            ]
        )  # fmt: skip
        return 0
    for row in found:
        downloads = tr("{count} downloads", count=f"{row.downloads:,}")
        print(printable(" · ".join(part for part in (row.repo, row.licence, downloads) if part)))
    if not found:
        print(tr("Nothing was found."), file=sys.stderr)
    return 0


async def show_on_hub(chosen: argparse.Namespace, paths: Paths) -> int:
    """What is known of a repository, and each of its quantizations judged against this machine."""
    async with _broker() as client:
        page, listing = await look(client, chosen.name)
        judged = await _judged(client, page, listing, paths, chosen.context or 0)
    how = ThisMachine(paths.machine).speeds()
    if chosen.json:
        print_json(_as_record(page, listing, judged, how.memory_how, how.gpu_how))
        return 0
    for line in (*_facts(page, listing), "", *_table(judged, listing)):
        print(printable(line))
    print(_how_fast(how.memory_how), file=sys.stderr)
    return 0


async def _judged(
    client: BrokerClient, page: Page, listing: Listing, paths: Paths, context_tokens: int = 0
) -> Judged:
    machine = await this_machine(paths)
    return [pair async for pair in fit_all(client, page, listing, machine, context_tokens)]


def _facts(page: Page, listing: Listing) -> list[str]:
    found = page.found
    gates = {
        Gate.OPEN: tr("open to everybody"),
        Gate.AUTOMATIC: tr("its conditions have to be accepted on the model hub first"),
        Gate.MANUAL: tr("its publisher has to agree on the model hub first"),
    }
    facts = [
        (tr("Licence"), found.licence or tr("not named")),
        (tr("Access"), gates[found.gate]),
        (tr("Made from"), ", ".join(page.base_models)),
        (tr("Languages"), ", ".join(page.languages)),
        (tr("Downloads"), f"{found.downloads:,}"),
        (tr("Last change"), found.updated[:10]),
    ]
    lines = [found.repo, *(f"{name}: {value}" for name, value in facts if value)]
    if not listing.whole:
        lines.append(
            tr("This repository has more files than are looked through; there may be more than these.")
        )
    if listing.refused:
        lines.append(tr("{count} files are not offered because of their names.", count=len(listing.refused)))
    return lines


def _table(judged: Judged, listing: Listing) -> list[str]:
    if not judged:
        return [tr("There is no GGUF model in this repository.")]
    rows = [[tr("Quantization"), tr("Size"), tr("Memory"), tr("Speed"), tr("On this machine")]]
    best = best_choice(judged)
    for model, fitting in judged:
        name = model.quantization or model.name
        if isinstance(fitting, HubFailed):
            rows.append([name, gigabytes(model.size), "", "", hub_fault(fitting.code, fitting.facts).text])
            continue
        words = fit_words(fitting.verdict, fitting.gpu_layers, fitting.layers)
        if model is best:
            words = tr("{verdict} (recommended here)", verdict=words)
        rows.append([name, gigabytes(model.size), gigabytes(fitting.needed_bytes), _rate(fitting), words])
    if (model_with := projector_for(listing, judged[0][0])) is not None:
        rows.append([tr("sees with {name}", name=model_with.name), gigabytes(model_with.size), "", "", ""])
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    return [
        "  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[-1]]).rstrip()
        for row in rows
    ]


def _rate(fitting: Fitting) -> str:
    speed = fitting.tokens_per_second
    if speed is None:
        return tr("not known")
    return tr("about {rate} tokens/s", rate=f"{speed:.0f}" if speed >= 10 else f"{speed:.1f}")


def _how_fast(how: How) -> str:
    match how:
        case How.ANSWERS:
            return tr("Speeds are reckoned from what models have written on this machine.")
        case How.COPIED:
            return tr(
                "Speeds are reckoned from how fast this machine copies memory; answers will tell better."
            )
        case How.UNKNOWN:
            return tr("How fast this machine is could not be measured.")


def _as_record(
    page: Page, listing: Listing, judged: Judged, memory_how: How, gpu_how: How
) -> dict[str, object]:
    found = page.found
    best = best_choice(judged)
    return {
        "repo": found.repo,
        "revision": page.sha,
        "licence": found.licence,
        "gate": found.gate.value,
        "base_models": list(page.base_models),
        "languages": list(page.languages),
        "downloads": found.downloads,
        "likes": found.likes,
        "updated": found.updated,
        "whole": listing.whole,
        "speeds_from": {"memory": memory_how.value, "gpu": gpu_how.value},
        "models": [_model_record(model, fitting, listing, model is best) for model, fitting in judged],
    }


def _model_record(
    model: HubModel, fitting: Fitting | HubFailed, listing: Listing, best: bool
) -> dict[str, object]:
    projector = projector_for(listing, model)
    record: dict[str, object] = {
        "name": model.name,
        "quantization": model.quantization,
        "size": model.size,
        "files": [file.path for file in model.files],
        "projector": projector.files[0].path if projector is not None else "",
        "recommended": best,
    }
    if isinstance(fitting, HubFailed):
        return {**record, "problem": fitting.code}
    return {**record, "problem": "", "fit": asdict(fitting)}


# ---- fetching


async def pull_from_hub(chosen: argparse.Namespace, library: Library, paths: Paths) -> int:
    async with _broker() as client:
        page, listing = await look(client, chosen.repository)
        if chosen.quantization:
            model, problem = _named(listing, chosen.quantization)
        else:
            model, problem = await _best(client, page, listing, paths)
        if model is None:
            return failed(problem)
        projector = projector_for(listing, model)
        meter = _Meter()
        wanted = [model] if projector is None else [model, projector]
        async with aclosing(pull(client, library, page, wanted)) as events:
            async for event in events:
                if isinstance(event, PullProgress):
                    meter.show(event)
                else:
                    meter.end()
                    for file in event.files:
                        print(printable(f"{file.sha256}  {file.path}"))
    return 0


def _named(listing: Listing, wanted: str) -> tuple[HubModel | None, str]:
    found = [model for model in whole_models(listing) if model.quantization == wanted.upper()]
    return (found[0], "") if found else (None, _choices(listing, wanted))


async def _best(
    client: BrokerClient, page: Page, listing: Listing, paths: Paths
) -> tuple[HubModel | None, str]:
    """What runs best here, or why there is none. A repository with one model is not asked about it."""
    models = whole_models(listing)
    if len(models) < 2:
        return usual_choice(listing), _choices(listing, "")
    judged = await _judged(client, page, listing, paths)
    fits = [(model, fitting) for model, fitting in judged if isinstance(fitting, Fitting)]
    if not fits:  # nothing could be read: the usual choice, as without a machine
        return usual_choice(listing), _choices(listing, "")
    best = best_choice(judged)
    if best is None:
        smallest = min((fitting for _, fitting in fits), key=lambda fitting: fitting.needed_bytes)
        return None, tr(
            "No quantization of this model fits this machine: the smallest needs about {need}, and {free} are free. "
            "Nothing was fetched. To fetch one all the same, name it with --quantization.",
            need=gigabytes(smallest.needed_bytes),
            free=gigabytes(smallest.memory_free + smallest.gpu_free),
        )
    chosen = next(fitting for model, fitting in fits if model is best)
    words = fit_words(chosen.verdict, chosen.gpu_layers, chosen.layers)
    told = tr(
        "Taking {name}: {size}, {verdict}.",
        name=best.quantization or best.name,
        size=gigabytes(best.size),
        verdict=words,
    )
    print(printable(told), file=sys.stderr)
    return best, ""


def _choices(listing: Listing, wanted: str) -> str:
    there = ", ".join(sorted({model.quantization for model in listing.models if model.quantization}))
    if not there:
        return tr("There is no GGUF model in this repository.")
    return tr("There is no {wanted} in this repository. There are: {there}.", wanted=wanted, there=there)


class _Meter:
    """One line that is written over, where somebody looks."""

    def __init__(self) -> None:
        self._shown = False

    def show(self, progress: PullProgress) -> None:
        if not sys.stderr.isatty() or not progress.total_bytes:
            return
        self._shown = True
        text = tr(
            "{percent} % of {size} · {rate}/s",
            percent=progress.done_bytes * 100 // progress.total_bytes,
            size=gigabytes(progress.total_bytes),
            rate=gigabytes(progress.bytes_per_second),
        )
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)

    def end(self) -> None:
        if self._shown:
            print("\r\033[K", end="", file=sys.stderr, flush=True)


# ---- the queue


async def downloads(chosen: argparse.Namespace, library: Library, paths: Paths) -> int:
    """Change the queue, if so asked, or work through it; and what is in it then."""
    if chosen.fetch:
        return await _fetch_all(library)
    for change, name in ((pause, chosen.pause), (resume, chosen.resume), (cancel, chosen.cancel)):
        if name is not None:
            async with _broker() as client:
                await change(client, name)
    return _list_downloads(chosen, paths)


async def _fetch_all(library: Library) -> int:
    """Until nothing waits any more. Exit status 1 when something of it failed."""
    failures = 0
    waiting: set[str] = set()
    async with _broker() as client, aclosing(watch_queue(client, library)) as events:
        async for event in events:
            match event:
                case QueueStanding(elsewhere=True):
                    return failed(hub_fault("busy", {}).text)
                case QueueStanding(downloads=rows):
                    waiting = {row.id for row in rows if row.state not in _AT_REST}
                case QueueChanged(row) if row.state in _AT_REST:
                    waiting.discard(row.id)
                    if row.state == State.FAILED:
                        failures += 1
                        print(
                            printable(f"{row.repo}: {hub_fault(row.code, row.facts).text}"), file=sys.stderr
                        )
                case QueueChanged(row):
                    waiting.add(row.id)
                case QueueGone(name):
                    waiting.discard(name)
                case QueueFinished(name, _, files):
                    waiting.discard(name)
                    for file in files:
                        print(printable(f"{file.sha256}  {file.path}"))
            if not waiting:
                break
    return 1 if failures else 0


def _list_downloads(chosen: argparse.Namespace, paths: Paths) -> int:
    """From the disk: also while nothing can leave, and while a window fetches it."""
    queue = standing_on_disk(paths.home / "downloads", paths.models)
    if chosen.json:
        print_json([_download_record(one) for one in queue])
        return 0
    for one in queue:
        print(printable(_download_line(one)))
    if not queue:
        print(tr("Nothing is waiting to be fetched."), file=sys.stderr)
    return 0


def _download_record(one: Standing) -> dict[str, object]:
    return {
        "id": one.id,
        "repo": one.wanted.repo,
        "revision": one.wanted.revision,
        "files": [file.path for file in one.wanted.files],
        "state": one.state.value,
        "done_bytes": one.done_bytes,
        "total_bytes": one.total_bytes,
        "problem": hub_fault(one.code, {}).text if one.code else "",
    }


def _download_line(one: Standing) -> str:
    states = {State.PAUSED: tr("paused"), State.FAILED: tr("stopped")}
    done = tr(
        "{percent} % of {size}",
        percent=one.done_bytes * 100 // max(1, one.total_bytes),
        size=gigabytes(one.total_bytes),
    )
    problem = hub_fault(one.code, {}).text if one.code else ""
    parts = (
        one.id,
        one.wanted.repo,
        one.wanted.files[0].path,
        states.get(one.state, tr("to be fetched")),
        done,
        problem,
    )
    return " · ".join(part for part in parts if part)
