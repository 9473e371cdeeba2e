"""`alcove models template NAME`: how to talk with a model, as its file says it or as the person chose.

alcove models template NAME                  print it, and what is known of it
alcove models template NAME --diff OTHER     against another model's, or the known one of a family
alcove models template NAME --use FILE       use the template in a text file instead, or a form: chatml, llama3, …
alcove models template NAME --reset          back to the file's own
"""

from __future__ import annotations

import argparse
import difflib
from dataclasses import asdict
from pathlib import Path

from desktop.cli.terminal import failed, print_json, printable, safe
from desktop.i18n import tr
from desktop.library import Library
from desktop.local_models import make_templates
from desktop.paths import Paths
from desktop.templates import TemplateView, Verdict
from desktop.words.models import model_fault
from desktop.words.templates import replacement_fault, template_words
from models.library.entry import LibraryEntry
from models.library.knowledge import known_template, template_forms
from models.runtime.faults import RuntimeFault


async def template(chosen: argparse.Namespace, paths: Paths, library: Library, entry: LibraryEntry) -> int:
    """Exit status 0 done, 1 failed."""
    templates = make_templates(paths.templates)
    try:
        if chosen.reset:
            view = await templates.reset(entry.path)
        elif chosen.use is not None:
            forms = {form.name for form in template_forms()}
            if chosen.use in forms and not Path(chosen.use).exists():
                view = await templates.use_form(entry.path, chosen.use)
            else:
                view = await templates.use_file(entry.path, Path(chosen.use).expanduser())
        else:
            view = await templates.look(entry.path)
            if chosen.diff is not None:
                other = await _other(chosen.diff, entry, library)
                if other is None:
                    return failed(tr("No model on this disk has a template of {name}.", name=chosen.diff))
                return _print_diff(view, other, await templates.own_text(other.path))
    except RuntimeFault as fault:
        if chosen.use is not None:
            return failed(replacement_fault(fault.fault, fault.detail, chosen.use).text)
        return failed(model_fault(fault.fault, fault.detail, fault.facts, entry.path).text)
    except OSError as error:
        return failed(
            tr("Alcove can't write to its folder {folder}: {why}.", folder=paths.home, why=error.strerror)
        )
    return _show(view, chosen)


def _show(view: TemplateView, chosen: argparse.Namespace) -> int:
    words = template_words(view)
    if chosen.json:
        print_json({**asdict(view), "verdict": view.verdict.value, "words": words.text})
    elif chosen.use is not None or chosen.reset:
        print(printable(words.text))
    else:
        if view.text:
            print(safe(view.text))
        failed(words.text)  # beside the template, which may go into a file
    return 1 if view.verdict is Verdict.NONE and not (chosen.reset or chosen.json) else 0


async def _other(text: str, entry: LibraryEntry, library: Library) -> LibraryEntry | None:
    """Another model by its name, or one with the known template of a family or of that name."""
    named = [
        other for other in await library.matches(text) if other.path != entry.path and other.template_sha256
    ]
    if named:
        return named[0]
    wanted = text.casefold()
    for other in await library.entries():
        known = known_template(other.template_sha256)
        if (
            known is not None
            and other.path != entry.path
            and wanted in (known.family.casefold(), known.name.casefold())
        ):
            return other
    return None


def _print_diff(view: TemplateView, other: LibraryEntry, text: str) -> int:
    names = (Path(other.path).name, Path(view.path).name)
    lines = difflib.unified_diff(text.splitlines(), view.text.splitlines(), *names, lineterm="")
    same = True
    for line in lines:
        same = False
        print(safe(line))
    if same:
        print(tr("The two templates are the same."))
    return 0
