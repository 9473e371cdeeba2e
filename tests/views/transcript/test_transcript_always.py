"""Whatever is done to a conversation, in whatever order, the window shows what the model holds, in one row."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot
from support.transcript_gallery import CODE, PROSE, TABLE
from support.transcript_window import messages, open_transcript

from desktop.viewmodels.transcript import Entry
from desktop.views.palette import DARK, LIGHT
from desktop.views.transcript.view import TranscriptView

TEXTS = ("", "Short.", PROSE, CODE, TABLE, PROSE * 5, "| a |\n|---|\n| 1 |\n")
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("append"), st.sampled_from(range(len(TEXTS)))),
        st.tuples(st.just("stream"), st.sampled_from(range(len(TEXTS)))),
        st.tuples(st.just("replace"), st.integers(0, 100)),
        st.tuples(st.just("truncate"), st.integers(0, 100)),
        st.tuples(st.just("scroll"), st.integers(0, 100)),
        st.tuples(st.just("resize"), st.integers(200, 1_200)),
        st.tuples(st.just("appearance"), st.integers(12, 24)),
    ),
    max_size=14,
)


def do(view: TranscriptView, step: str, value: int) -> None:
    model, bar = view.model, view.verticalScrollBar()
    count = len(model.entries)
    match step:
        case "append":
            model.append(Entry(count + 1, "assistant" if count % 2 else "user", TEXTS[value]))
        case "stream":
            model.append(Entry(count + 1, "assistant", status="streaming"))
            for at in range(0, len(TEXTS[value]), 97):
                model.add_text(count, TEXTS[value][at : at + 97])
                QApplication.processEvents()
            model.replace(count, Entry(count + 1, "assistant", TEXTS[value]))
        case "replace" if count:
            row = value % count
            model.replace(row, Entry(row + 1, model.entries[row].role, TEXTS[value % len(TEXTS)]))
        case "truncate":
            model.truncate(value % (count + 1))
        case "scroll":
            bar.setValue(bar.maximum() * value // 100)
        case "resize":
            view.resize(value, 500 + value % 300)
        case "appearance":
            view.set_appearance(DARK if value % 2 else LIGHT, value)


def check(view: TranscriptView) -> None:
    shown = [message for message in messages(view) if message.y() < view.viewport().height() + 5]
    shown = [message for message in shown if message.y() + message.height() > 0]
    rows = [view.model.row_of(message.entry.message_id) for message in shown]
    assert None not in rows
    first = rows[0] if rows and rows[0] is not None else 0
    assert rows == list(range(first, first + len(rows)))
    for above, below in pairwise(shown):
        assert above.y() + above.height() == below.y()
    for message, row in zip(shown, rows, strict=True):
        assert row is not None and message.entry == view.model.entries[row]
    if shown:
        room, bar = view.viewport().height(), view.verticalScrollBar()
        assert shown[0].y() <= 0 or (rows[0] == 0 and bar.maximum() == 0)
        assert bar.maximum() == 0 or shown[-1].y() + shown[-1].height() >= room


@given(STEPS)
@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_messages_stand_in_one_row_without_gaps(qtbot: QtBot, steps: list[tuple[str, int]]) -> None:
    start = [
        Entry(number + 1, "assistant" if number % 2 else "user", TEXTS[number % 7]) for number in range(12)
    ]
    view = open_transcript(qtbot, start, 800, 600)
    for step, value in steps:
        do(view, step, value)
        qtbot.waitUntil(lambda: view.is_settled, timeout=30_000)
        check(view)
    view.close()
