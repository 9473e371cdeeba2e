"""What is known about families, licences and architectures: small dated tables in resources/library."""

from __future__ import annotations

import functools
import json
import re
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
