"""Rules on imports that are finer than import-linter sees: parts of PySide6, and what comes before the lock."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = ("desktop", "models", "providers", "resources")
EVERY_FILE = [file for package in PACKAGES for file in sorted((ROOT / package).rglob("*.py"))]
# Who may use which part of PySide6, by the start of the module's name. QtNetwork, QtWebEngine… are in no list.
QT_PARTS = {
    "QtCore": (
        "desktop.app",
        "desktop.bridge",
        "desktop.picture_child",
        "desktop.viewmodels",
        "desktop.views",
    ),
    "QtGui": ("desktop.app", "desktop.picture_child", "desktop.views"),
    "QtWidgets": ("desktop.app", "desktop.views"),
    "QtSvg": ("desktop.views",),
}
# Parts of the standard library that speak to a network and that no other rule names.
NETWORK = ("urllib.request", "asyncio.open_connection", "asyncio.start_server", "multiprocessing.managers")


def _module(file: Path) -> str:
    parts = file.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _imports(file: Path) -> Iterator[str]:
    """The full names a file imports, wherever it does: "PySide6.QtCore.Qt", "json"."""
    for node in _nodes(file):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: relative imports hide which way they go"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _attributes(file: Path) -> Iterator[str]:
    """What a file takes out of a name: "asyncio.open_connection"."""
    for node in _nodes(file):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            yield f"{node.value.id}.{node.attr}"


def _nodes(file: Path) -> Iterator[ast.AST]:
    return ast.walk(ast.parse(file.read_text(encoding="utf-8")))


def _below(name: str, packages: tuple[str, ...]) -> bool:
    return any(name == package or name.startswith(f"{package}.") for package in packages)


def test_each_part_of_qt_is_used_only_where_it_belongs() -> None:
    used = [(_module(file), name.split(".")) for file in EVERY_FILE for name in _imports(file)]
    parts = [(module, name[1]) for module, name in used if name[0] == "PySide6"]
    assert parts
    assert not [(module, part) for module, part in parts if not _below(module, QT_PARTS.get(part, ()))]


def test_nothing_takes_a_way_to_the_network() -> None:
    taken = [(_module(file), name) for file in EVERY_FILE for name in (*_imports(file), *_attributes(file))]
    assert not [(module, name) for module, name in taken if _below(name, NETWORK)]


def test_what_runs_before_the_lock_is_the_standard_library() -> None:
    for file in (ROOT / "desktop/processes").glob("*.py"):
        foreign = [
            name
            for name in _imports(file)
            if not _below(name, ("desktop.processes", *sys.stdlib_module_names))
        ]
        assert not foreign, file


def test_set_up_needs_nothing_that_is_not_set_up_yet() -> None:
    for file in [ROOT / "run.py", *(ROOT / "packaging/launcher").glob("*.py")]:
        foreign = [
            name for name in _imports(file) if not _below(name, ("launcher", *sys.stdlib_module_names))
        ]
        assert not foreign, file
