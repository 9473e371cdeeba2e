"""Finding words anywhere in a conversation, also where there are no widgets yet."""

from __future__ import annotations

from pytestqt.qtbot import QtBot
from support.transcript_window import open_transcript, settle, texts

from desktop.viewmodels.transcript import Entry
from desktop.views.transcript.view import TranscriptView


def conversation(count: int, needle_at: dict[int, str]) -> list[Entry]:
    return [
        Entry(
            number + 1,
            "assistant" if number % 2 else "user",
            needle_at.get(number, f"Message {number} has some words in it.\n\nAnd a second paragraph."),
        )
        for number in range(count)
    ]


def selected(view: TranscriptView) -> tuple[str, int]:
    """What is selected, and how far down the window it stands."""
    (text,) = [text for text in texts(view.viewport()) if text.textCursor().hasSelection()]
    return text.selected_text(), text.viewport().mapTo(view.viewport(), text.cursorRect().topLeft()).y()


def test_hits_are_visited_in_order_and_round_again(qtbot: QtBot) -> None:
    view = open_transcript(
        qtbot, conversation(400, {10: "a needle here", 200: "Needle and needle", 390: "a NEEDLE"})
    )
    rows = []
    for _ in range(5):
        assert view.find("needle", True)
        settle(qtbot, view)
        words, top = selected(view)
        assert words.lower() == "needle"
        assert 0 <= top < view.viewport().height()
        rows.append(words)
    assert rows == ["needle", "Needle", "needle", "NEEDLE", "needle"]
    assert view.find("needle", False)
    assert selected(view)[0] == "NEEDLE"


def test_what_is_not_there_is_not_found(qtbot: QtBot) -> None:
    view = open_transcript(qtbot, conversation(20, {}))
    assert not view.find("nowhere to be seen", True)
    assert not view.find("", True)
    assert not open_transcript(qtbot, []).find("x", True)


def test_words_are_found_through_their_formatting(qtbot: QtBot) -> None:
    view = open_transcript(qtbot, conversation(30, {5: "It is **very** important."}))
    assert view.find("very important", True)
    assert selected(view)[0] == "very important"


def test_words_are_found_in_code_and_tables(qtbot: QtBot) -> None:
    rows = "".join(f"| cell {number} | other |\n" for number in range(200))
    answers = {3: "```python\n" + "x = 1\n" * 300 + "special = 2\n```", 5: f"| a | b |\n|---|---|\n{rows}"}
    view = open_transcript(qtbot, conversation(30, answers))
    assert view.find("special", True)
    assert selected(view)[0] == "special"
    assert view.find("cell 150", True)
    assert selected(view)[0] == "cell 150"


def test_typing_on_stays_at_the_same_place(qtbot: QtBot) -> None:
    view = open_transcript(qtbot, conversation(30, {4: "apple", 8: "application"}))
    assert view.find("app", True)
    assert view.find("appl", True)
    assert view.find("applica", True)
    settle(qtbot, view)
    assert selected(view)[0] == "applica"


def test_the_end_of_a_huge_answer_is_found(qtbot: QtBot) -> None:
    text = "Some words in a paragraph.\n\n" * 20_000 + "the very needle"
    view = open_transcript(qtbot, [Entry(1, "assistant", text), *conversation(10, {})])
    assert view.find("very needle", True)
    assert selected(view)[0] == "very needle"
