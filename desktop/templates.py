"""The chat templates of models as the rest of Alcove uses them: seen, recognised, replaced, given back.

A replacement is kept in Alcove's home, one small file for each model; the model's own file is never written. Every
template is read and tried out in a locked child before it is shown or taken.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from desktop.files import read_json, write_json
from models.library.knowledge import (
    KnownTemplate,
    TemplateForm,
    family_of,
    form_for,
    known_template,
    template_forms,
)
from models.runtime.engine import Engine
from models.runtime.faults import Fault, RuntimeFault
from models.runtime.link import Spawn
from models.runtime.protocol import TemplateText


class Verdict(StrEnum):
    """What is to be said of the template in use."""

    KNOWN = "known"
    UNKNOWN = "unknown"
    REPLACED = "replaced"
    NONE = "none"  # the file brings none, and none was chosen


@dataclass(frozen=True, slots=True)
class TemplateView:
    """The template of one model. `text` and `sha256`: what is in use; "" for nothing.

    `own_sha256`: of the one in the file. `known`: where the one in use was published. `problem`: why it can't work,
    for a technician. `form`: what models of its family mostly speak, for a file without one; else the form in use, if
    it is one of Alcove's.
    """

    path: str
    verdict: Verdict
    text: str = ""
    sha256: str = ""
    own_sha256: str = ""
    known: KnownTemplate | None = None
    problem: str = ""
    takes_tools: bool = False
    form: TemplateForm | None = None


class Templates:
    """All methods belong to one event loop, except `replacement`, which any thread may call."""

    def __init__(self, folder: Path, spawn: Spawn) -> None:
        self._folder = folder
        self._spawn = spawn

    def replacement(self, path: str | os.PathLike[str]) -> str:
        """The template chosen instead of the model's own; "" for none. Never raises: a damaged file is none."""
        try:
            text = read_json(self._file(path)).get("template", "")
        except (OSError, ValueError):
            return ""
        return text if isinstance(text, str) else ""

    async def look(self, path: str | os.PathLike[str]) -> TemplateView:
        """The template of a model. Raises `RuntimeFault` for a file that is no model, and the like."""
        replaced = self.replacement(path)
        try:
            return _view(path, await self._read(path, replaced), bool(replaced))
        except RuntimeFault as fault:
            if fault.fault is not Fault.NO_TEMPLATE:
                raise
            return TemplateView(os.fspath(path), Verdict.NONE, form=_usual_form(path, fault.facts))

    async def own_text(self, path: str | os.PathLike[str]) -> str:
        """The template in the model's file; "" for none. Raises `RuntimeFault`."""
        try:
            return (await Engine(self._spawn).read_template(path, try_out=False)).text
        except RuntimeFault as fault:
            if fault.fault is not Fault.NO_TEMPLATE:
                raise
            return ""

    async def use_file(self, path: str | os.PathLike[str], file: str | os.PathLike[str]) -> TemplateView:
        """Use the template in a text file from now on, if it works and keeps what the person writes.

        Raises `RuntimeFault` (TEMPLATE_BROKEN, TEMPLATE_ENDLESS, FILE_MISSING, …) and OSError; then nothing changed.
        """
        return self._use(path, await Engine(self._spawn).read_template(path, file))

    async def use_form(self, path: str | os.PathLike[str], name: str) -> TemplateView:
        """Use one of `models.library.knowledge.template_forms`. Raises as `use_file`, KeyError for another name."""
        forms = {form.name: form for form in template_forms()}
        return self._use(path, await Engine(self._spawn).read_template(path, text=forms[name].text))

    async def reset(self, path: str | os.PathLike[str]) -> TemplateView:
        """Back to the model's own. Raises OSError, and as `look`."""
        self._file(path).unlink(missing_ok=True)
        return await self.look(path)

    def _use(self, path: str | os.PathLike[str], seen: TemplateText) -> TemplateView:
        if seen.sha256 == seen.own_sha256:
            self._file(path).unlink(missing_ok=True)
            return _view(path, seen, replaced=False)
        write_json(self._file(path), {"model": os.path.abspath(path), "template": seen.text})
        return _view(path, seen, replaced=True)

    async def _read(self, path: str | os.PathLike[str], text: str) -> TemplateText:
        """It is shown even if it does not work, or never ends."""
        engine = Engine(self._spawn)
        try:
            return await engine.read_template(path, text=text)
        except RuntimeFault as fault:
            if fault.fault not in (Fault.TEMPLATE_ENDLESS, Fault.TEMPLATE_BROKEN):
                raise
            seen = await engine.read_template(path, text=text, try_out=False)
            return replace(seen, problem=fault.detail or fault.fault.value)

    def _file(self, path: str | os.PathLike[str]) -> Path:
        name = hashlib.sha256(os.fsencode(os.path.abspath(path))).hexdigest()[:40]
        return self._folder / f"{name}.json"


def _view(path: str | os.PathLike[str], seen: TemplateText, replaced: bool) -> TemplateView:
    known = known_template(seen.sha256)
    verdict = Verdict.REPLACED if replaced else Verdict.KNOWN if known else Verdict.UNKNOWN
    forms = (form for form in template_forms() if form.text == seen.text)
    return TemplateView(
        path=os.fspath(path),
        verdict=verdict,
        text=seen.text,
        sha256=seen.sha256,
        own_sha256=seen.own_sha256,
        known=known,
        problem=seen.problem,
        takes_tools=seen.takes_tools,
        form=next(forms, None),
    )


def _usual_form(path: str | os.PathLike[str], facts: dict[str, int | str]) -> TemplateForm | None:
    """What models of its family mostly speak, by what the header of a file says."""
    architecture = str(facts.get("architecture", ""))
    family = family_of(architecture, (str(facts.get("name", "")), Path(path).stem))
    wanted = form_for(family, architecture)
    return next((form for form in template_forms() if form.name == wanted), None)
