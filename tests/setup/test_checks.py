"""The source is held to what CONTRIBUTING.md says: style, layout, types, and who may import whom."""

from __future__ import annotations

from pathlib import Path

import pytest

from launcher.checks import CHECKS, check
from launcher.environment import Environment

ROOT = Path(__file__).parents[2]


@pytest.mark.timeout(600)  # mypy without its cache
@pytest.mark.parametrize("name", CHECKS)
def test_the_source_keeps(name: str) -> None:
    passed, output = check(Environment(ROOT), name)
    assert passed, output
