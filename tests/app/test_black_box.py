"""The main job, as a person does it: start, type, Enter, read, close, start again, everything is there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.alcove_window import AlcoveWindow, wait_until


@pytest.fixture
def alcove(tmp_path: Path, xvfb: str) -> Iterator[AlcoveWindow]:
    window = AlcoveWindow(tmp_path / "home", xvfb)
    yield window
    window.kill()


def finished_answers(alcove: AlcoveWindow) -> list[tuple[object, ...]]:
    return alcove.rows("select text from message where role = 'assistant' and status = 'complete'")


@pytest.mark.timeout(300)
def test_a_person_chats_closes_the_window_and_finds_everything_again(
    alcove: AlcoveWindow, tmp_path: Path
) -> None:
    alcove.set(sampling_max_tokens=40)
    alcove.start()
    alcove.type("What is the capital of France?")
    alcove.press("Return")
    wait_until(lambda: finished_answers(alcove), 120, "the first answer")
    questions = alcove.rows("select text from message where role = 'user'")
    assert questions == [("What is the capital of France?",)]
    (answer,) = finished_answers(alcove)
    assert answer[0]
    alcove.screenshot(tmp_path / "first.png")
    assert (tmp_path / "first.png").stat().st_size > 10_000
    alcove.type("half a thought")
    wait_until(lambda: ("half a thought",) in alcove.rows("select text from draft"), 20, "the draft")
    assert alcove.quit() == 0

    alcove.start()
    alcove.type(" and the rest of it")
    alcove.press("Return")
    wait_until(lambda: len(finished_answers(alcove)) == 2, 120, "the second answer")
    texts = [text for (text,) in alcove.rows("select text from message where role = 'user' order by id")]
    assert texts == ["What is the capital of France?", "half a thought and the rest of it"]
    conversations = alcove.rows("select count(*) from conversation")
    assert conversations == [(1,)]
    assert alcove.quit() == 0


@pytest.mark.timeout(300)
def test_escape_stops_an_answer_and_keeps_what_there_is_of_it(alcove: AlcoveWindow) -> None:
    alcove.start()
    alcove.type("Tell me a very long story about the sea, as long as you can.")
    alcove.press("Return")
    wait_until(
        lambda: alcove.rows("select 1 from message where role = 'assistant' and length(text) > 20"),
        120,
        "the beginning of an answer",
    )
    alcove.press("Escape")
    wait_until(lambda: alcove.rows("select 1 from message where status = 'stopped'"), 20, "the stop")
    assert alcove.quit() == 0


@pytest.mark.timeout(120)
def test_a_second_alcove_shows_the_first_ones_window_and_ends(
    alcove: AlcoveWindow, tmp_path: Path, xvfb: str
) -> None:
    import os
    import subprocess
    import sys

    alcove.start()
    environ = {
        "PATH": os.environ["PATH"],
        "DISPLAY": xvfb,
        "ALCOVE_HOME": str(tmp_path / "home"),
        "HOME": str(tmp_path),
    }
    second = subprocess.run(
        [sys.executable, "-m", "desktop"], env=environ, capture_output=True, text=True, timeout=60
    )
    assert (second.returncode, second.stderr) == (0, "")
    assert "already open" in second.stdout
    assert alcove.quit() == 0
