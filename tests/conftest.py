"""What every test gets: a home of its own, silence as a rule, and a real display when it asks for one.

A test fails on Python warnings and Qt warnings (pyproject.toml) and on log records of WARNING or worse (below):
what a test does not expect, a person would not either.
"""

from __future__ import annotations

import logging
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

# `from support.x import …`; pytest's own `pythonpath` option says the same, this line says it to other runners.
sys.path.insert(0, str(Path(__file__).parent))

from support.display import virtual_display

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

# The same examples every time, and no verdict that depends on how busy the machine is.
settings.register_profile("alcove", derandomize=True, deadline=None, database=None, print_blob=False)
settings.load_profile("alcove")


def pytest_configure(config: pytest.Config) -> None:
    """No test can reach the conversations of the person who runs it: the default home is a new, empty one."""
    home = tempfile.mkdtemp(prefix="alcove-tests-")
    os.environ["ALCOVE_HOME"] = home
    os.environ.pop("DBUS_SESSION_BUS_ADDRESS", None)  # nor their keychain
    config.add_cleanup(lambda: shutil.rmtree(home, ignore_errors=True))


class _Records(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(f"{record.levelname} {record.name}: {record.getMessage()}")


@pytest.fixture(autouse=True)
def no_unexpected_log(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fails a test that logs a warning or an error which no `expects_log` marker announces."""
    records = _Records()
    logging.getLogger().addHandler(records)
    yield
    logging.getLogger().removeHandler(records)
    expected = [mark.args[0] for mark in request.node.iter_markers("expects_log")]
    surprises = [line for line in records.lines if not any(re.search(pattern, line) for pattern in expected)]
    if surprises:
        pytest.fail("logged, and not expected:\n" + "\n".join(surprises), pytrace=False)


@pytest.fixture
def alcove_home(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty ALCOVE_HOME for this test and the children it starts. Short, because socket paths end at 108 bytes."""
    with tempfile.TemporaryDirectory(prefix="alcove-", ignore_cleanup_errors=True) as home:
        monkeypatch.setenv("ALCOVE_HOME", home)
        yield Path(home)


@pytest.fixture(scope="session")
def xvfb() -> Iterator[str]:
    """A real X11 server for the whole run: the value of DISPLAY (":1"). Linux only."""
    with virtual_display() as display:
        yield display
