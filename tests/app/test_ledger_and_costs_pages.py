"""The pages about what left and what it cost: from the very file that the broker writes."""

from __future__ import annotations

import csv
import json
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QTest
from support.whole_program import wait, whole_program

from desktop.app import Parts
from desktop.viewmodels.chat import ChatState
from desktop.viewmodels.power_watch import PowerWatch
from desktop.views.costs_page.page import CostsPage
from desktop.views.ledger_page.page import LedgerPage
from providers.costs.budgets import read_budgets
from providers.costs.local import Meter
from providers.gate.chain import Head, seal
from providers.gate.rows import EndRow, RequestRow, to_record

pytestmark = [
    pytest.mark.timeout(300),
    pytest.mark.qt_log_ignore("propagateSizeHints", extend=True),
    pytest.mark.usefixtures("qapp"),
]
NOW = datetime.now(UTC)


def write_ledger(
    home: Path, count: int, newest: datetime = NOW, apart: timedelta = timedelta(hours=1), **more: Any
) -> Path:
    """Requests so far apart, the newest at that time; every fifth was refused."""
    path = home / "ledger" / "ledger.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    head, lines = Head(), []
    for number in range(count):
        when = newest - apart * (count - 1 - number)
        refused = number % 5 == 4
        fields: dict[str, Any] = {
            "purpose": "chat", "host": "api.openai.com", "provider": "openai", "model": "gpt-5", "conversation": "1",
            **more,
        }  # fmt: skip
        request = RequestRow(
            id=f"{number:032x}", method="POST", scheme="https", port=443, path="/v1/responses",
            verdict="refused" if refused else "allowed", rule="label" if refused else "provider", **fields,
        )  # fmt: skip
        line, head = seal(to_record(request, when), head, None)
        lines.append(line)
        if not refused:
            end = EndRow(request.id, "done", 200, 1000, 5000, 100, 10, "0.01", "USD")
            line, head = seal(to_record(end, when), head, None)
            lines.append(line)
    path.write_bytes(b"".join(lines))
    return path


def ledger_page(parts: Parts) -> LedgerPage:
    parts.window.run("ledger")
    page = parts.window.area.page("ledger")
    assert isinstance(page, LedgerPage)
    wait(lambda: page._ledger.is_read)
    return page


def test_with_nothing_in_it_the_ledger_says_that_nothing_ever_left(tmp_path: Path) -> None:
    with whole_program(tmp_path / "home") as parts:
        page = ledger_page(parts)
        assert page.headline.text() == "Nothing has ever left this computer."
        page.verify.click()
        wait(lambda: page._ledger.check_told)
        assert page.result.text() == "The ledger is empty: nothing has left this computer."


def test_ten_thousand_requests_are_narrowed_summed_up_and_told_of_in_full(tmp_path: Path) -> None:
    home = tmp_path / "home"
    write_ledger(home, 10_000, NOW - timedelta(days=3))
    with whole_program(home) as parts:
        page = ledger_page(parts)
        wait(lambda: "8000 left" in page.totals.text())
        assert page.headline.text().startswith("Nothing has left this computer since 20")
        assert "2000 refused" in page.totals.text() and "$80.00" in page.totals.text()
        assert page.list.rows.rowCount() == 2_000
        page.verdict.setCurrentIndex(2)
        assert page.totals.text().startswith("0 left, 2000 refused")
        QTest.keyClicks(page.field, "nowhere")
        assert page.list.rows.rowCount() == 0
        page.field.clear()
        page.list.setFocus()
        QTest.keyClick(page.list, Qt.Key.Key_Down)
        shown = dict(page._ledger.details(page._ledger.shown[0]))
        assert shown["Rule"] == "the conversation never leaves this device"
        assert shown["Where to"] == "POST https://api.openai.com:443/v1/responses"


def test_what_is_new_appears_while_the_page_is_seen_and_changes_are_found(tmp_path: Path) -> None:
    home = tmp_path / "home"
    now, at_once = datetime.now(UTC), timedelta(0)  # whatever the hour, all of them are today's
    write_ledger(home, 4, now, at_once)
    with whole_program(home) as parts:
        page = ledger_page(parts)
        wait(lambda: page.list.rows.rowCount() == 4)
        assert page.headline.text() == "4 requests left today, to api.openai.com."
        path = write_ledger(home, 6, now, at_once)
        wait(lambda: page.list.rows.rowCount() == 6)
        page.verify.click()
        wait(lambda: page._ledger.check_told)
        assert "Every row is as it was written." in page.result.text() and page._ledger.check_good
        page.copy_head.click()
        assert QGuiApplication.clipboard().text() == page._ledger.head != ""
        path.write_bytes(path.read_bytes().replace(b"gpt-5", b"gpt-4", 1))
        page.verify.click()
        wait(lambda: not page._ledger.checking)
        assert "Line 1 was changed" in page.result.text() and not page._ledger.check_good
        path.unlink()  # gone: there is nothing left to show, and that is said
        wait(lambda: page.list.rows.rowCount() == 0)
        assert page.headline.text() == "Nothing has ever left this computer."


def _said(page: LedgerPage, name: str) -> bool:
    return page._ledger.said.endswith(name)


def test_it_is_exported_as_csv_json_and_pdf(tmp_path: Path) -> None:
    home = tmp_path / "home"
    write_ledger(home, 10, host="=cmd|' /C calc'!A0")
    with whole_program(home) as parts:
        page = ledger_page(parts)
        wait(lambda: page.list.rows.rowCount() == 10)
        for name in ("x.csv", "x.json", "x.pdf"):
            page.export_to(tmp_path / name)
            wait(partial(_said, page, name))
        page.export_to(tmp_path / "no such folder" / "x.csv")
        wait(lambda: page._ledger.problem)
    with open(tmp_path / "x.csv", encoding="utf-8", newline="") as file:
        listed = list(csv.DictReader(file))
    assert len(listed) == 10 and listed[0]["host"].startswith("'=")
    assert [row["id"] for row in json.loads((tmp_path / "x.json").read_text())] == [
        row["id"] for row in listed
    ]
    assert (tmp_path / "x.pdf").read_bytes().startswith(b"%PDF-")


def test_costs_are_summed_up_and_a_budget_is_what_the_broker_reads(tmp_path: Path) -> None:
    home = tmp_path / "home"
    write_ledger(home, 4)
    with whole_program(home, costs_watts=100.0, costs_machine=500.0) as parts:
        parts.window.run("costs")
        page = parts.window.area.page("costs")
        assert isinstance(page, CostsPage)
        wait(lambda: page._costs.spending.spent)
        assert len(page._costs.spending.spent) == 4
        assert f"{page._costs.spending.sum().dollars}" == "0.04"
        assert "No budget is set" in page.budget_words.text()
        field = page.limits["openai", "month"]
        field.setFocus()
        QTest.keyClicks(field, "0.05")
        QTest.keyClick(field, Qt.Key.Key_Return)
        budgets = read_budgets(str(home))
        assert f"{budgets.limits['openai'].month:f}" == "0.05"
        page._costs.set_limit("openai", "month", "plenty")
        assert "not an amount" in page.problem.text() and read_budgets(str(home)) == budgets
        page._costs.set_limit("openai", "month", "")
        assert read_budgets(str(home)).limits == {}
        assert "100 W" in page.here.text() and "last 30 days" in page.here.text()
        assert page.plot.accessibleDescription() != ""


def test_the_power_of_answering_here_is_measured_where_the_processor_counts_it(tmp_path: Path) -> None:
    counter = tmp_path / "energy_uj"
    counter.write_text("0")
    moments = iter((100.0, 110.0, 200.0, 210.0))
    with whole_program(tmp_path / "home", sampling_max_tokens=8) as parts:
        watch = PowerWatch(
            parts.chat, parts._settings, parts.window, Meter((counter,)), lambda: next(moments)
        )
        chat, measured = parts.chat, []
        for joules in (250, 650):
            assert chat.send("Hello")
            assert chat.answers_here
            counter.write_text(str(joules * 1_000_000))
            wait(lambda: chat.state is ChatState.IDLE and chat.can_send)
            measured.append(parts._settings.get("costs.measured_watts"))
        assert measured == [25.0, 28.8]  # a quarter of the way to the 40 W of the second
        parts.window.run("costs")
        page = parts.window.area.page("costs")
        assert isinstance(page, CostsPage) and watch.parent() is parts.window
        assert "measured by the processor" in page.here.text() and "29 W" in page.here.text()
