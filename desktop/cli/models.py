"""`alcove models`: the models on this disk, and those on the hub.

alcove models [list]                 what can answer here
alcove models info NAME              all that is known of one on this disk
alcove models verify NAME            compute its SHA-256
alcove models import FILE            use a file from where it lies
alcove models remove NAME            only what Alcove downloaded; into the trash
alcove models search TEXT            on the hub; the network switch must allow downloads
alcove models pull REPOSITORY        fetch one quantization and check it
alcove models quantize NAME TYPE     make a smaller version
alcove models embed NAME TEXT…       texts as vectors, in JSON
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

from desktop.cli.terminal import failed, print_json, printable
from desktop.hub import HubFailed, Offline, connect, look, pull, search, usual_choice
from desktop.i18n import tr
from desktop.library import Library, as_record
from desktop.paths import Paths
from desktop.settings import Settings
from desktop.words import gigabytes, hub_fault, model_fault
from models.hub_values import Listing, Query
from models.library.entry import LibraryEntry
from models.library.messages import Hashing
from models.starter import NAME, starter_path
from providers.gate.client import BrokerClient
from providers.gate.faults import BrokerGone, GateError
from providers.gate.hub_messages import PullProgress


async def models(chosen: argparse.Namespace, paths: Paths, settings: Settings) -> int:
    """Exit status 0 done, 1 failed."""
    library = Library(paths)
    try:
        match chosen.action:
            case "search":
                return await _search(chosen)
            case "pull":
                return await _pull(chosen, library)
            case "import":
                return await _import(chosen, library)
            case "quantize":
                from desktop.cli.quantize import run as quantize

                return await quantize(chosen, paths, library)
            case "embed":
                from desktop.cli.embed import run as embed

                return await embed(chosen, library)
            case "info" | "verify" | "remove":
                return await _one(chosen, library)
            case _:
                return await _list(chosen, library, settings)
    except Offline:
        return failed(
            tr(
                "Alcove is offline. To reach the model hub, turn the network switch: in the window, or with "
                "“alcove network downloads”."
            )
        )
    except HubFailed as fault:
        return failed(hub_fault(fault.code, fault.facts).text)
    except GateError as error:
        return failed(hub_fault(error.rule or error.fault.value, {}).text)
    except BrokerGone:
        return failed(hub_fault("gone", {}).text)


# ---- on this disk


async def _list(chosen: argparse.Namespace, library: Library, settings: Settings) -> int:
    for opened in settings.get("model.opened_files"):
        if Path(opened).exists():
            await library.import_file(Path(opened))
    found: dict[str, LibraryEntry] = {}
    async with aclosing(library.scan()) as reports:
        async for report in reports:
            if isinstance(report, LibraryEntry):
                found[report.path] = report
    if chosen.json:
        print_json([_record(entry) for entry in found.values()])
        return 0
    for entry in found.values():
        print(printable(_line(entry)))
    return 0


def _record(entry: LibraryEntry) -> dict[str, object]:
    return {**as_record(entry), "name": _name(entry), "problem": _problem(entry)}


def _line(entry: LibraryEntry) -> str:
    parts = (
        _name(entry),
        entry.quantization,
        entry.size_label,
        gigabytes(entry.size),
        entry.licence,
        entry.path,
        _problem(entry),
    )
    return " · ".join(part for part in parts if part)


def _name(entry: LibraryEntry) -> str:
    return NAME if Path(entry.path) == starter_path() else entry.name


def _problem(entry: LibraryEntry) -> str:
    if entry.problem is None:
        return ""
    return model_fault(entry.problem, entry.detail, entry.facts, entry.path).text


async def _one(chosen: argparse.Namespace, library: Library) -> int:
    async with aclosing(library.scan()) as reports:
        async for _ in reports:
            pass
    found = await library.matches(chosen.name)
    if not found:
        return failed(tr("There is no model called {name} on this disk.", name=chosen.name))
    if len(found) > 1:
        names = "\n".join(f"  {entry.path}" for entry in found[:20])
        print(tr("{name} could be any of these; say more of its path:", name=chosen.name), file=sys.stderr)
        print("\n".join(map(printable, names.splitlines())), file=sys.stderr)
        return 1
    match chosen.action:
        case "verify":
            return await _verify(chosen, library, found[0])
        case "remove":
            return await _remove(library, found[0])
    if chosen.json:
        print_json(_record(found[0]))
        return 0
    for key, value in _record(found[0]).items():
        if value not in ("", (), [], None, 0):
            print(printable(f"{key}: {value}"))
    return 0


async def _verify(chosen: argparse.Namespace, library: Library, entry: LibraryEntry) -> int:
    async with aclosing(library.verify(entry)) as reports:
        async for report in reports:
            if isinstance(report, Hashing):
                continue
            entry = report
    if chosen.json:
        print_json(_record(entry))
    elif entry.problem is None:
        for file in entry.files:
            print(printable(f"{file.sha256}  {file.path}"))
    return 0 if entry.problem is None else failed(_problem(entry))


async def _remove(library: Library, entry: LibraryEntry) -> int:
    try:
        await library.remove(entry)
    except PermissionError:
        return failed(
            tr("{name} was not downloaded by Alcove, so it stays where it is.", name=Path(entry.path).name)
        )
    print(printable(tr("{name} is in the trash.", name=Path(entry.path).name)))
    return 0


async def _import(chosen: argparse.Namespace, library: Library) -> int:
    entry = await library.import_file(chosen.file.expanduser().absolute())
    if entry.problem is not None:
        return failed(_problem(entry))
    print(printable(_line(entry)))
    return 0


# ---- on the hub


@asynccontextmanager
async def _broker() -> AsyncIterator[BrokerClient]:
    client = connect()
    try:
        await client.ready()
        yield client
    finally:
        await client.close()


async def _search(chosen: argparse.Namespace) -> int:
    async with _broker() as client:
        found = await search(client, Query(text=chosen.text, limit=chosen.limit))
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


async def _pull(chosen: argparse.Namespace, library: Library) -> int:
    async with _broker() as client:
        page, listing = await look(client, chosen.repository)
        wanted = chosen.quantization
        fitting = [model for model in listing.models if model.quantization == (wanted or "").upper()]
        model = fitting[0] if fitting else None if wanted else usual_choice(listing)
        if model is None:
            return failed(_choices(listing, wanted))
        meter = _Meter()
        async with aclosing(pull(client, library, page, model)) as events:
            async for event in events:
                if isinstance(event, PullProgress):
                    meter.show(event)
                else:
                    meter.end()
                    for file in event.files:
                        print(printable(f"{file.sha256}  {file.path}"))
    return 0


def _choices(listing: Listing, wanted: str | None) -> str:
    there = ", ".join(sorted({model.quantization for model in listing.models if model.quantization}))
    if not there:
        return tr("There is no GGUF model in this repository.")
    return tr(
        "There is no {wanted} in this repository. There are: {there}.", wanted=wanted or "", there=there
    )


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
