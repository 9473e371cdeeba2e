"""A broker that is killed while conversations leave: what a service heard of has its row."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from support.broker_kills import kill_in_conversations


@pytest.mark.skipif(sys.platform == "win32", reason="kill -9 is for systems that have it")
def test_every_conversation_that_a_service_heard_has_its_row_whenever_the_broker_was_killed(
    tmp_path: Path,
) -> None:
    outcome = kill_in_conversations(tmp_path, kills=10, seed=3)
    assert outcome.problems == []
    assert outcome.seen >= 5  # half of the kills wait for one
