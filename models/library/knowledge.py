"""What is known about families, licences and architectures: small dated tables in resources/library."""

from __future__ import annotations

import functools
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import resources
from models.library.entry import Openness

_FOLDER = Path(resources.__file__).parent / "library"
OTHER_FAMILY = "other"


@functools.cache
def _table(name: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((_FOLDER / f"{name}.json").read_text("utf-8"))
    return content


def tables_version() -> str:
    """Changes whenever one of the tables does: what was told by an older one is told anew."""
    names = ("architectures", "families", "openness")
    return " ".join(str(_table(name).get("version") or _table(name).get("date")) for name in names)


def stop_tokens(template: str) -> tuple[str, ...]:
    """Tokens that end an answer in the families a template speaks for, in case its file does not say so."""
    rows = _table("stop_tokens")["rows"]
    found = (
        token for row in rows if any(mark in template for mark in row["marks"]) for token in row["tokens"]
    )
    return tuple(dict.fromkeys(found))


@dataclass(frozen=True, slots=True)
class KnownTemplate:
    """A template that somebody published: what it is for, and where its text is."""

    name: str  # "Qwen 3"
    family: str
    source: str
    date: str


def known_template(sha256: str) -> KnownTemplate | None:
    """The published template with this hash; None when it is none of those in the table."""
    return _known_templates().get(sha256)


@functools.cache
def _known_templates() -> dict[str, KnownTemplate]:
    table = _table("templates")
    return {
        sha256: KnownTemplate(row["name"], row["family"], row["source"], row.get("date", table["date"]))
        for row in table["templates"]
        for sha256 in row["sha256"]
    }


@dataclass(frozen=True, slots=True)
class TemplateForm:
    """A form of conversation in Alcove's own words, for files that bring no template."""

    name: str  # "chatml": what it is asked for by
    title: str  # "ChatML"
    text: str
    source: str


def template_forms() -> tuple[TemplateForm, ...]:
    """The forms that can be used instead of a template."""
    folder = _FOLDER / "forms"
    return tuple(
        TemplateForm(
            row["name"], row["title"], (folder / f"{row['name']}.jinja").read_text("utf-8"), row["source"]
        )
        for row in _table("templates")["forms"]
    )


def form_for(family: str, architecture: str) -> str:
    """The name of the form that models of a family mostly speak; "" when none is known."""
    for row in _table("templates")["forms"]:
        if family in row["families"] or architecture in row["architectures"]:
            return str(row["name"])
    return ""


def is_supported(architecture: str) -> bool:
    """Whether the llama.cpp that Alcove ships can load this architecture."""
    return architecture in _architectures()


@functools.cache
def _architectures() -> frozenset[str]:
    table = _table("architectures")
    return frozenset([*table["architectures"], *table["projectors"]])


def family_of(architecture: str, names: tuple[str, ...]) -> str:
    """The family by the names a model goes by, or by its architecture; `OTHER_FAMILY` for none in the table."""
    text = "\n".join(names).lower().replace("_", "-").replace(" ", "-")
    rules = _table("families")["families"]
    for rule in rules:
        if any(word in text for word in rule["names"]):
            return str(rule["family"])
    for rule in rules:
        if architecture in rule["architectures"]:
            return str(rule["family"])
    return OTHER_FAMILY


def openness_of(licence: str, family: str, architecture: str, publishers: tuple[str, ...]) -> Openness:
    """How open a model is. `licence`: as its file names it, "" for nothing. `publishers`: who made it."""
    table = _table("openness")
    name = _licence_name(licence) or _licence_of_all(architecture)
    made_by = {re.sub(r"[^a-z0-9]", "", publisher.lower()) for publisher in publishers}
    for rule in table["fully_open_families"]:
        if family == rule["family"] and name in rule["licences"] and made_by & set(rule["publishers"]):
            return Openness.FULLY_OPEN
    for rule in table["licences"]:
        if name in rule["names"]:
            return Openness(rule["openness"])
    return Openness.UNKNOWN


def _licence_name(licence: str) -> str:
    return re.sub(r"[\s_]+", "-", licence.strip().lower())


def _licence_of_all(architecture: str) -> str:
    for rule in _table("openness")["family_licences"]:
        if architecture in rule["architectures"]:
            return str(rule["licence"])
    return ""
