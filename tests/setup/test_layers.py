"""Rules on imports that are finer than import-linter sees: parts of PySide6, and what comes before the lock."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("desktop", "models", "providers", "resources")
EVERY_FILE = [file for package in PACKAGES for file in sorted((ROOT / package).rglob("*.py"))]
# Who may use which part of PySide6, by the start of the module's name. QtNetwork, QtWebEngine… are in no list.
QT_PARTS = {
    "QtCore": ("desktop.app", "desktop.bridge", "desktop.viewmodels", "desktop.views"),
    "QtGui": ("desktop.app", "desktop.views"),
    "QtWidgets": ("desktop.app", "desktop.views"),
    "QtSvg": ("desktop.views",),
}
# Parts of the standard library that speak to a network and that no other rule names.
NETWORK = ("urllib.request", "asyncio.open_connection", "asyncio.start_server", "multiprocessing.managers")


def _module(file: Path) -> str:
    parts = file.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _imports(file: Path, *, nested: bool = True) -> Iterator[str]:
    """The full names a file imports: "PySide6.QtCore.Qt", "json"; without `nested` those of the module level only."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    for node in ast.walk(tree) if nested else tree.body:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: relative imports hide which way they go"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _below(name: str, packages: tuple[str, ...]) -> bool:
    return any(name == package or name.startswith(f"{package}.") for package in packages)


@pytest.mark.parametrize("file", EVERY_FILE, ids=_module)
def test_each_part_of_qt_is_used_only_where_it_belongs(file: Path) -> None:
    for name in _imports(file):
        package, _, rest = name.partition(".")
        if package == "PySide6":
            part = rest.partition(".")[0]
            assert _below(_module(file), QT_PARTS.get(part, ())), (
                f"{_module(file)} may not import PySide6.{part}"
            )


@pytest.mark.parametrize("file", EVERY_FILE, ids=_module)
def test_nothing_imports_a_way_to_the_network(file: Path) -> None:
    assert not [name for name in _imports(file) if _below(name, NETWORK)]


@pytest.mark.parametrize("file", sorted((ROOT / "desktop/processes").glob("*.py")), ids=_module)
def test_what_runs_before_the_lock_is_the_standard_library(file: Path) -> None:
    for name in _imports(file):
        assert name.partition(".")[0] in sys.stdlib_module_names or _below(name, ("desktop.processes",)), name


def test_the_entry_imports_nothing_but_the_lock_until_it_is_locked() -> None:
    for name in _imports(ROOT / "desktop/__main__.py", nested=False):
        assert name.partition(".")[0] in sys.stdlib_module_names or _below(name, ("desktop.processes",)), name


@pytest.mark.parametrize(
    "file", [ROOT / "run.py", *sorted((ROOT / "packaging/launcher").glob("*.py"))], ids=str
)
def test_set_up_needs_nothing_that_is_not_set_up_yet(file: Path) -> None:
    for name in _imports(file):
        assert name.partition(".")[0] in {*sys.stdlib_module_names, "launcher"}, name
