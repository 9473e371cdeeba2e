"""A conversation with a remote model, in the real window with a real broker: asked first, shown exactly, told after."""

from __future__ import annotations

import json
from collections import deque
from dataclasses import replace
from decimal import Decimal
from functools import partial
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLabel
from support.chat_server import MODEL, PROVIDER, ChatServer, Reply, chat_server, chunk, completion, refused
from support.outside import requests_in
from support.remote_window import KEY, window_at, window_with_remote
from support.whole_program import wait

from desktop.app import Parts
from desktop.viewmodels.chat import ChatState
from desktop.viewmodels.models import REMOTE
from desktop.viewmodels.notice import Notice
from desktop.views.conversation_rows import ID, STAYS
from desktop.views.label_dialog import LabelDialog
from desktop.views.leaving_dialog import LeavingDialog
from providers.costs.budgets import ALL, Budgets, Limit, write_budgets
from providers.costs.prices import FOLDER, OWN_FILE

pytestmark = [
    pytest.mark.timeout(300),
    pytest.mark.qt_log_ignore("propagateSizeHints", extend=True),
    pytest.mark.usefixtures("qapp"),
]


def dialog(parts: Parts) -> LeavingDialog:
    """The question before anything leaves."""
    found: list[LeavingDialog] = []

    def shown() -> bool:
        found[:] = [
            one for one in parts.window.findChildren(LeavingDialog) if one.isVisible() and not one.isHidden()
        ]
        return bool(found)

    wait(shown)
    return found[0]


def say(parts: Parts, text: str) -> None:
    composer = parts.window.page.composer.edit
    composer.setFocus()
    QTest.keyClicks(composer, text)
    QTest.keyClick(composer, Qt.Key.Key_Return)


def idle(parts: Parts) -> None:
    wait(lambda: parts.chat.state is ChatState.IDLE and parts.chat.can_send)


def asked_times(server: ChatServer, times: int) -> bool:
    return len(server.chats) == times


def sent_texts(server: ChatServer) -> list[str]:
    messages: Any = server.chats[-1].json["messages"]
    return [message["content"] for message in messages]


def test_the_first_time_a_conversation_leaves_the_person_sees_exactly_what_goes(tmp_path: Path) -> None:
    with chat_server() as server, window_with_remote(tmp_path / "home", server) as parts:
        assert parts.models.chip_text.startswith("On this device")
        parts.models.choose(KEY)
        assert parts.models.chip_text == "Leaves this device · A Model · The office"
        say(parts, "What is a monad?")
        asked = dialog(parts)
        shown = asked.words.toPlainText()
        assert server.asked == []
        assert any(f"127.0.0.1:{server.port}" in label.text() for label in asked.findChildren(QLabel))
        QTest.keyClick(asked, Qt.Key.Key_Return)  # by habit
        wait(lambda: not asked.isVisible())
        assert server.asked == [] and parts.window.page.composer.edit.toPlainText() == "What is a monad?"
        QTest.keyClick(parts.window.page.composer.edit, Qt.Key.Key_Return)
        dialog(parts).send.click()
        wait(lambda: len(parts.chat.transcript.entries) == 2)
        idle(parts)
        assert [text in shown for text in sent_texts(server)] == [True, True]
        answer = parts.chat.transcript.entries[-1]
        assert answer.text == "Hello there"
        assert (
            "A Model (The office) · a server of your own" in answer.footnote
            and "cost not known" in answer.footnote
        )
        say(parts, "And what is a functor?")  # agreed to: not asked again
        wait(lambda: len(server.chats) == 2)
        idle(parts)
        assert sent_texts(server)[1:] == ["What is a monad?", "Hello there", "And what is a functor?"]
    rows = requests_in(tmp_path / "home")
    assert [(row["verdict"], row["provider"], row["model"]) for row in rows] == [
        ("allowed", PROVIDER, MODEL)
    ] * 2


def test_it_can_be_answered_here_instead_and_any_model_can_answer_any_turn(tmp_path: Path) -> None:
    with chat_server() as server, window_with_remote(tmp_path / "home", server) as parts:
        parts.models.choose(KEY)
        say(parts, "Hello")
        dialog(parts).here.click()
        wait(lambda: len(parts.chat.transcript.entries) == 2)
        idle(parts)
        assert server.asked == [] and requests_in(tmp_path / "home") == []
        assert "SmolLM2" in parts.chat.transcript.entries[-1].footnote
        say(parts, "Again")
        dialog(parts).send.click()
        wait(lambda: len(server.chats) == 1)
        idle(parts)
        parts.models.choose_starter()
        say(parts, "And you?")
        wait(lambda: len(parts.chat.transcript.entries) == 6)
        idle(parts)
        assert len(server.chats) == 1
        assert "SmolLM2" in parts.chat.transcript.entries[-1].footnote


def test_a_conversation_that_never_leaves_is_answered_here_whatever_is_chosen(tmp_path: Path) -> None:
    with chat_server() as server, window_with_remote(tmp_path / "home", server) as parts:
        parts.models.choose(KEY)
        parts.window.run("keep_here")
        assert parts.models.chip_text.startswith("On this device")
        assert all(item.missing for item in parts.models.remote_items)
        say(parts, "Between us")
        wait(lambda: len(parts.chat.transcript.entries) == 2)
        idle(parts)
        assert parts.conversations.current_id is not None
        parts.conversations.new()
        wait(lambda: parts.models.chip_text.startswith("Leaves this device"))
        labelled = parts.conversations.items[0].id
        parts.conversations.open(labelled)
        wait(lambda: parts.chat.leaving.stays and parts.models.chip_text.startswith("On this device"))
        assert server.asked == [] and requests_in(tmp_path / "home") == []


def test_when_a_provider_can_not_answer_one_click_goes_on_here(tmp_path: Path) -> None:
    notices: list[Notice] = []
    with chat_server() as server, window_with_remote(tmp_path / "home", server) as parts:
        parts.chat.notice.connect(notices.append)
        server.replies = deque([refused(402, "no credit left")])
        parts.models.choose(KEY)
        say(parts, "Hello")
        dialog(parts).send.click()
        wait(lambda: notices)
        assert "no credit left" in notices[0].detail and "The office" in notices[0].text
        assert notices[0].action is not None
        assert parts.chat.transcript.entries[-1].problem == notices[0].text
        notices[0].action()
        wait(lambda: parts.chat.transcript.entries[-1].branches == 2)
        idle(parts)
        answer = parts.chat.transcript.entries[-1]
        assert answer.status == "complete"
        assert "on this device, because The office could not answer" in answer.footnote


def test_going_on_here_by_itself_is_a_setting_and_the_answer_says_so(tmp_path: Path) -> None:
    with chat_server() as server, window_with_remote(tmp_path / "home", server) as parts:
        parts._settings.set("remote.go_on_here", True)
        server.replies = deque([Reply((chunk(),), length=99)])
        parts.models.choose(KEY)
        say(parts, "Hello")
        dialog(parts).send.click()
        wait(lambda: parts.chat.transcript.entries and parts.chat.transcript.entries[-1].branches == 2)
        idle(parts)
        assert "because The office could not answer" in parts.chat.transcript.entries[-1].footnote


def test_stopping_reaches_the_server(tmp_path: Path) -> None:
    with chat_server() as server, window_with_remote(tmp_path / "home", server) as parts:
        server.replies = deque([Reply((chunk("Begun"),), hangs=True)])
        parts.models.choose(KEY)
        say(parts, "Hello")
        dialog(parts).send.click()
        wait(lambda: parts.chat.transcript.entries and parts.chat.transcript.entries[-1].text == "Begun")
        QTest.keyClick(QApplication.focusWidget() or parts.window, Qt.Key.Key_Escape)
        idle(parts)
        wait(server.went_away.is_set)
        assert parts.chat.transcript.entries[-1].status == "stopped"
        server.replies = deque([completion("More")])
        say(parts, "Go on")
        wait(lambda: parts.chat.transcript.entries[-1].text == "More")


def test_most_of_a_budget_spent_is_said_once_and_a_spent_one_stops_what_leaves(tmp_path: Path) -> None:
    notices: list[str] = []
    home = tmp_path / "home"
    usage = b'data: {"choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 1, "cost": 0.45}}\n\n'
    with chat_server() as server, window_with_remote(home, server) as parts:
        server.replies = deque([Reply((chunk("x"), chunk(finish_reason="stop"), usage))])
        (home / "remote" / "prices.json").write_text('{"own-1/*": {"input": "1", "output": "1"}}')
        write_budgets(str(home), Budgets({ALL: Limit(month=Decimal(1))}))
        parts.chat.notice.connect(lambda notice: notices.append(notice.text))
        parts.models.choose(KEY)
        say(parts, "one")
        dialog(parts).send.click()
        for number in (1, 2, 3):
            wait(partial(asked_times, server, number))
            idle(parts)
            assert "$0.45" in parts.chat.transcript.entries[-1].footnote
            if number == 2:
                wait(lambda: notices)
                assert notices == ["Most of the budget for The office is spent."]
            say(parts, "more")
        wait(lambda: len(notices) == 3)
        assert any("is spent: nothing more goes there" in text for text in notices)
        assert any("Nothing was sent: the budget for The office" in text for text in notices)
        assert len(server.chats) == 3


def label_dialog(parts: Parts) -> LabelDialog:
    """The question before a label is taken off."""
    wait(lambda: any(one.isVisible() for one in parts.window.findChildren(LabelDialog)))
    return next(one for one in parts.window.findChildren(LabelDialog) if one.isVisible())


def test_a_label_stops_what_leaves_takes_agreements_back_and_comes_off_only_when_asked(
    tmp_path: Path,
) -> None:
    with chat_server() as server, window_with_remote(tmp_path / "home", server) as parts:
        server.replies = deque([Reply((chunk("Begun"),), hangs=True)])
        parts.models.choose(KEY)
        say(parts, "Hello")
        dialog(parts).send.click()
        wait(lambda: parts.chat.transcript.entries and parts.chat.transcript.entries[-1].text == "Begun")
        parts.window.run("keep_here")
        idle(parts)
        wait(server.went_away.is_set)
        assert parts.chat.transcript.entries[-1].status == "stopped"
        say(parts, "Between us")
        wait(lambda: len(parts.chat.transcript.entries) == 4)
        idle(parts)
        parts.window.run("keep_here")
        asked = label_dialog(parts)
        QTest.keyClick(asked, Qt.Key.Key_Return)  # by habit
        wait(lambda: not asked.isVisible())
        assert parts.chat.leaving.stays
        parts.window.run("keep_here")
        label_dialog(parts).off.click()
        assert not parts.chat.leaving.stays
        say(parts, "And now?")
        shown = dialog(parts)  # the agreement of before does not hold any more
        assert "Between us" in shown.words.toPlainText()
        shown.back.click()
        assert len(server.chats) == 1


def test_a_label_put_on_while_the_question_is_being_stored_is_kept(tmp_path: Path) -> None:
    with chat_server() as server, window_with_remote(tmp_path / "home", server) as parts:
        say(parts, "Hello")
        assert parts.conversations.current_id is None  # it is on its way to the disk
        parts.window.run("keep_here")
        wait(lambda: len(parts.chat.transcript.entries) == 2)
        idle(parts)
        labelled = parts.conversations.current_id
        assert labelled is not None
        parts.conversations.new()
        wait(lambda: parts.chat.can_send and not parts.chat.leaving.stays)
        parts.conversations.open(labelled)
        wait(lambda: parts.chat.leaving.stays)


def test_an_edited_question_that_is_not_sent_is_edited_on_and_the_draft_stays(tmp_path: Path) -> None:
    with chat_server() as server, window_with_remote(tmp_path / "home", server) as parts:
        say(parts, "Hello")
        wait(lambda: len(parts.chat.transcript.entries) == 2)
        idle(parts)
        parts.models.choose(KEY)
        composer = parts.window.page.composer
        QTest.keyClicks(composer.edit, "a draft")
        question = parts.chat.transcript.entries[0].message_id
        composer.edit_message(question, "Hello you")
        QTest.keyClick(composer.edit, Qt.Key.Key_Return)
        dialog(parts).back.click()
        assert composer.is_editing and composer.edit.toPlainText() == "Hello you"
        composer.cancel_editing()
        assert composer.edit.toPlainText() == "a draft"
        assert server.asked == []


def test_what_failed_elsewhere_can_be_answered_here_once_its_conversation_is_open_again(
    tmp_path: Path,
) -> None:
    notices: list[Notice] = []
    elsewhere = Event()
    with chat_server() as server, window_with_remote(tmp_path / "home", server) as parts:
        parts._settings.set("remote.go_on_here", True)
        parts.chat.notice.connect(notices.append)
        server.replies = deque([Reply((chunk(),), length=99, until=elsewhere)])
        parts.models.choose(KEY)
        say(parts, "Hello")
        dialog(parts).send.click()
        wait(lambda: server.chats)
        wait(lambda: parts.conversations.current_id is not None)
        failed = parts.conversations.current_id
        assert failed is not None
        parts.conversations.new()
        wait(lambda: parts.chat._on_screen is None)
        elsewhere.set()
        wait(lambda: notices)
        assert notices[0].action is not None
        notices[0].action()
        assert len(notices) == 2 and "once its conversation is open" in notices[1].text
        parts.conversations.open(failed)
        wait(lambda: parts.chat.can_send and parts.chat.is_whole)
        assert notices[1].action is not None
        notices[1].action()
        wait(lambda: parts.chat.transcript.entries[-1].branches == 2)
        idle(parts)
        assert "because The office could not answer" in parts.chat.transcript.entries[-1].footnote


def test_what_a_question_costs_is_said_while_it_is_written_and_unknown_is_not_nothing(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with chat_server() as server, window_with_remote(home, server) as parts:
        status = parts.window.page.status
        QTest.keyClicks(parts.window.page.composer.edit, "x")
        wait(lambda: parts.chat.ahead == "")  # the model on this device answers, and that costs nothing here
        parts.models.choose(KEY)
        wait(lambda: status.text.text() == "Goes to The office · cost not known")
        (home / FOLDER / OWN_FILE).write_text(
            json.dumps({KEY.removeprefix(REMOTE): {"input": "3", "output": "15"}})
        )
        parts.window.page.composer.edit.insertPlainText("x" * 3_999)
        wait(
            lambda: (
                status.text.text()
                == "Goes to The office · about $0.003 to send, $0.018 with 1,000 tokens of answer"
            )
        )
        parts.window.page.composer.edit.clear()
        wait(lambda: status.text.text() == "Goes to The office")
        assert server.asked == []


def test_a_labelled_conversation_is_marked_in_the_list_also_after_a_new_start(tmp_path: Path) -> None:
    home = tmp_path / "home"

    def marks(parts: Parts) -> list[bool]:
        rows = parts.window.sidebar.list.rows
        found = [rows.index(row) for row in range(rows.rowCount()) if rows.index(row).data(ID) is not None]
        spoken = [index.data(Qt.ItemDataRole.AccessibleDescriptionRole) for index in found]
        assert ["Never leaves this device" in words for words in spoken] == [
            index.data(STAYS) for index in found
        ]
        return [bool(index.data(STAYS)) for index in found]

    with chat_server() as server, window_with_remote(home, server) as parts:
        parts.window.run("keep_here")  # before its first message
        say(parts, "Hello")
        wait(lambda: marks(parts) == [True])
        idle(parts)
        parts.conversations.new()
        wait(lambda: parts.chat.can_send and not parts.chat.leaving.stays)
        say(parts, "Hello again")
        wait(lambda: marks(parts) == [False, True])
        idle(parts)
        parts.window.run("keep_here")
        assert marks(parts) == [True, True]
        parts.window.run("keep_here")
        label_dialog(parts).off.click()
        assert marks(parts) == [False, True]
    with window_at(home) as parts:
        wait(lambda: marks(parts) == [False, True])


def test_that_a_provider_takes_few_more_questions_is_said_before_the_next_one(tmp_path: Path) -> None:
    headers = {"x-ratelimit-remaining-requests": "2", "x-ratelimit-reset-requests": "3600s"}
    with chat_server() as server, window_with_remote(tmp_path / "home", server) as parts:
        server.replies = deque(
            [replace(completion("Hello"), headers={**completion("Hello").headers, **headers})]
        )
        parts.models.choose(KEY)
        assert parts.chat.ahead == "Goes to The office"
        say(parts, "Hello")
        dialog(parts).send.click()
        wait(lambda: "takes 2 more until" in parts.chat.ahead)
        idle(parts)
        wait(lambda: "takes 2 more until" in parts.window.page.status.text.text())
