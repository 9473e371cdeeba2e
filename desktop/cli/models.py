"""`alcove models`: the models on this disk, and those on the hub.

alcove models [list]                 what can answer here
alcove models info NAME              all that is known of one on this disk, or of publisher/name on the hub
alcove models verify NAME            compute its SHA-256
alcove models template NAME          how to talk with it: see, compare, replace (desktop/cli/templates.py)
alcove models import FILE            use a file from where it lies
alcove models remove NAME            only what Alcove downloaded; into the trash
alcove models recommend              what to begin with on this machine
alcove models search TEXT            on the hub; the network switch must allow downloads
alcove models pull REPOSITORY        fetch the quantization that runs best here, and check it
alcove models downloads              what is being fetched, or waits for it
alcove models quantize NAME TYPE     make a smaller version
alcove models embed NAME TEXT…       texts as vectors, in JSON
"""

from __future__ import annotations

import argparse
import sys
from contextlib import aclosing
from pathlib import Path

from desktop.cli.hub_models import downloads, pull_from_hub, search_hub, show_on_hub
from desktop.cli.templates import template
from desktop.cli.terminal import failed, print_json, printable
from desktop.hub import HubFailed, Offline
from desktop.i18n import tr
from desktop.library import Library, as_record
from desktop.paths import Paths
from desktop.settings import Settings
from desktop.words.hub import hub_fault
from desktop.words.models import model_fault
from desktop.words.sentence import gigabytes
from models.file_names import repository_problem
from models.library.entry import LibraryEntry
from models.library.messages import Hashing
from models.starter import NAME, starter_path
from providers.gate.faults import BrokerGone, GateError


async def models(chosen: argparse.Namespace, paths: Paths, settings: Settings) -> int:
    """Exit status 0 done, 1 failed."""
    library = Library(paths)
    try:
        match chosen.action:
            case "search":
                return await search_hub(chosen)
            case "recommend":
                from desktop.cli.recommend import run_recommend

                return await run_recommend(chosen, paths)
            case "pull":
                return await pull_from_hub(chosen, library, paths)
            case "downloads":
                return await downloads(chosen, library, paths)
            case "import":
                return await _import(chosen, library)
            case "quantize":
                from desktop.cli.quantize import run as quantize

                return await quantize(chosen, paths, library)
            case "embed":
                from desktop.cli.embed import run as embed

                return await embed(chosen, library)
            case "info" | "verify" | "remove" | "template":
                return await _one(chosen, library, settings, paths)
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
    async with aclosing(library.scan(_folders(settings))) as reports:
        async for report in reports:
            if isinstance(report, LibraryEntry):
                found[report.path] = report
    if chosen.json:
        print_json([_record(entry) for entry in found.values()])
        return 0
    for entry in found.values():
        print(printable(_line(entry)))
    return 0


def _folders(settings: Settings) -> list[Path]:
    """What the person has added to the places that are looked into."""
    return [Path(folder) for folder in settings.get("model.folders")]


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


async def _one(chosen: argparse.Namespace, library: Library, settings: Settings, paths: Paths) -> int:
    if chosen.action == "info" and chosen.hub:
        return await show_on_hub(chosen, paths)
    async with aclosing(library.scan(_folders(settings))) as reports:
        async for _ in reports:
            pass
    found = await library.matches(chosen.name)
    if not found and chosen.action == "info" and repository_problem(chosen.name) is None:
        return await show_on_hub(chosen, paths)  # publisher/name, which is not here yet
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
        case "template":
            return await template(chosen, paths, library, found[0])
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
