"""The way of a model from the hub into a conversation, in the real window, with a real broker and a real hub."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication
from support.gguf_files import write_model
from support.hub_server import HubServer, Misbehaviour
from support.hub_window import downloads_part, find_part, open_hub_page, window_with_hub
from support.whole_program import wait

from desktop.viewmodels.chat import ChatState
from models.download_values import State
from models.hub_values import Sort
from providers.gate.hub_messages import Queued

pytestmark = [
    pytest.mark.timeout(300),
    pytest.mark.qt_log_ignore("propagateSizeHints", extend=True),
    pytest.mark.usefixtures("qapp"),
]
REPOSITORY = "somebody/Tiny-GGUF"
CARD = "# Tiny\n\nSee [its page](https://example.org/tiny). ![logo](https://example.org/logo.png)\n"


def model_bytes(folder: Path) -> bytes:
    return write_model(folder / "made.gguf", context=512).read_bytes()


def rows(hub: HubServer, prefix: str) -> list[str]:
    return [request.path for request in hub.requests() if request.path.startswith(prefix)]


def test_a_model_is_found_judged_fetched_checked_and_answers(tmp_path: Path) -> None:
    small = model_bytes(tmp_path)
    files = {"tiny-Q4_K_M.gguf": small, "tiny-Q8_0.gguf": small + b"\0" * 64}
    with HubServer(redirect=False) as hub:
        hub.add(
            REPOSITORY,
            {**files, "README.md": CARD.encode()},
        )
        hub.add("other/Thing-GGUF", {"thing-Q4_0.gguf": small}, licence="mit")
        with window_with_hub(tmp_path / "home", hub) as parts:
            find, search = find_part(parts), parts.models_page.search
            wait(lambda: find.list.rows.rowCount())  # what to begin with, of which the hub knows nothing
            assert rows(hub, "/api") == []
            assert QApplication.focusWidget() is find.field
            QTest.keyClicks(find.field, "Tiny")
            QTest.keyClick(find.field, Qt.Key.Key_Return)
            wait(lambda: search.has_searched and not search.searching)
            wait(lambda: find.list.rows.rowCount() == 1)
            find.list.setFocus()
            QTest.keyClick(find.list, Qt.Key.Key_Return)
            page, versions = parts.models_page.hub_page, find.pane.versions
            wait(lambda: page.page is not None and not page.judging)
            wait(lambda: page.best is not None and versions.list.current == page.best.files[0].path)
            best = versions.list.current  # how fast this machine is decides
            assert versions.chosen.text().startswith("Fits: needs about ")
            assert " are free." in versions.chosen.text()
            assert "recommended" in versions.list.currentIndex().data(
                Qt.ItemDataRole.AccessibleDescriptionRole
            )
            QTest.keyClick(versions.list, Qt.Key.Key_Return)
            assert QApplication.focusWidget() is versions.button
            QTest.keyClick(versions.button, Qt.Key.Key_Space)
            downloads = parts.models_page.downloads
            wait(lambda: downloads.ready)
            place = tmp_path / "home" / "models" / REPOSITORY / best
            assert place.read_bytes() == files[best]
            wait(lambda: parts.models_page.library.row(str(place)))
            assert parts.models_page.library.row(str(place)).ours  # type: ignore[union-attr]
            wait(lambda: versions.button.text() == "Use this model")
            versions.button.click()
            assert parts.window.area.models is None
            wait(lambda: parts.models.current_path == place and parts.models.loading is None)
            parts.conversations.new()
            wait(lambda: parts.chat.can_send)
            parts.settings.set("sampling.max_tokens", 3)
            assert parts.chat.send("Hello")
            wait(lambda: parts.chat.state is ChatState.IDLE)
            assert parts.chat.transcript.entries[-1].status == "complete"
    ledger = (tmp_path / "home" / "ledger" / "ledger.jsonl").read_text("utf-8").splitlines()
    assert "127.0.0.1" in {json.loads(line).get("host") for line in ledger}
    assert hashlib.sha256(files[best]).hexdigest() in (tmp_path / "home" / "library.json").read_text("utf-8")


def test_a_download_is_paused_goes_on_fails_is_tried_again_and_is_cancelled(tmp_path: Path) -> None:
    data = model_bytes(tmp_path)
    with HubServer(redirect=False) as hub:
        hub.add(REPOSITORY, {"tiny-Q4_K_M.gguf": data})
        hub.add("other/Thing-GGUF", {"thing-Q4_K_M.gguf": data})
        with window_with_hub(tmp_path / "home", hub) as parts:
            downloads = parts.models_page.downloads
            find = open_hub_page(parts, REPOSITORY)
            hub.misbehave("tiny-Q4_K_M.gguf", Misbehaviour(bytes_per_second=20_000))
            find.pane.versions.button.click()
            wait(lambda: downloads.queue and downloads.queue[0].done_bytes)
            sidebar = parts.window.sidebar
            assert "Downloading" in sidebar._downloads.text()  # type: ignore[union-attr]
            part = downloads_part(parts)
            wait(lambda: part.list.rows.rowCount() == 1)
            part.list.entered.emit(downloads.queue[0].id, True)
            assert part.details.state.text()

            def press(name: str) -> None:
                wait(lambda: part.details.buttons.button(name))
                part.details.buttons.button(name).click()  # type: ignore[union-attr]

            def first() -> Queued:
                return downloads.queue[0]

            press("pause")
            wait(lambda: first().state == State.PAUSED)
            assert downloads.summary == ""
            assert sidebar._downloads.isHidden()  # type: ignore[union-attr]
            hub.misbehave("tiny-Q4_K_M.gguf", Misbehaviour(body=b"x" * len(data), ignore_range=True))
            press("resume")
            wait(lambda: first().state == State.FAILED)
            wait(lambda: "not what the model hub announced" in part.details.problem.text())
            assert not list((tmp_path / "home" / "models").rglob("*.gguf"))
            press("resume")
            wait(lambda: downloads.ready)
            assert downloads.queue == []

            find = open_hub_page(parts, "other/Thing-GGUF")
            hub.misbehave("thing-Q4_K_M.gguf", Misbehaviour(bytes_per_second=20_000))
            find.pane.versions.button.click()
            wait(lambda: downloads.queue)
            part = downloads_part(parts)
            wait(lambda: part.list.rows.row_of(first().id) is not None)
            part.list.pick(first().id)
            QTest.keyClick(part.list, Qt.Key.Key_Delete)
            wait(lambda: not downloads.queue)
            assert not list((tmp_path / "home" / "downloads").glob("*.part"))


def test_what_the_hub_refuses_and_what_is_no_model_are_sentences_on_its_page(tmp_path: Path) -> None:
    data = model_bytes(tmp_path)
    with HubServer(redirect=False) as hub:
        hub.add("asks/First-GGUF", {"first-Q4_0.gguf": data}, gated="manual", card="")
        hub.add("no/Model-GGUF", {"notes.txt": b"nothing"}, filler=3000)
        hub.add("bad/Model-GGUF", {"bad-Q4_0.gguf": b"this is no model" * 64, "../up-Q4_0.gguf": data})
        with window_with_hub(tmp_path / "home", hub) as parts:
            pane = open_hub_page(parts, "asks/First-GGUF").pane
            wait(lambda: "Its publisher decides" in pane.gate.text())
            assert "conditions" in pane.versions.chosen.text()
            open_hub_page(parts, "no/Model-GGUF")
            wait(lambda: "no GGUF file" in pane.versions.machine.text())
            assert pane.versions.button.isHidden()
            open_hub_page(parts, "bad/Model-GGUF")
            wait(lambda: "damaged" in pane.versions.chosen.text())
            assert (
                "Files",
                "2 looked through, 1 not offered because of their names",
            ) in pane.about.facts.shown
            hub.misbehave("missing", Misbehaviour(status=404))
            open_hub_page(parts, "gone/Missing-GGUF")
            wait(lambda: "no such model" in pane.state.text())
            search = parts.models_page.search
            find = find_part(parts)
            find.filters.sort.setCurrentIndex(find.filters.sort.findData(Sort.UPDATED.value))
            find.filters.licence.setCurrentIndex(find.filters.licence.findData("apache-2.0"))
            find.filters.access.setCurrentIndex(2)
            find.filters.changed.emit()
            wait(lambda: search.has_searched and not search.searching)
            assert (search.query.sort, search.query.licence, search.query.gated) == (
                Sort.UPDATED,
                "apache-2.0",
                True,
            )
