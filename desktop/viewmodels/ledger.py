"""The ledger in the window: what left and what was refused, narrowed down, summed up, checked and exported."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, QTimer, Signal

from desktop.bridge import Bridge
from desktop.i18n import tr
from desktop.ledgers import (
    Follower,
    Requests,
    checked,
    head_text,
    sentences,
    to_csv,
    to_json,
    write_export,
)
from desktop.words.ledger import purpose_words, rule_words
from desktop.words.remote import money

if TYPE_CHECKING:
    from providers.gate.chain import Row
    from providers.gate.verification import Verification

MOST_SHOWN = 2_000
"""Rows in the list; the filter and the totals are of all."""
_REFRESH_MS = 1000

DAYS = (0, 1, 7, 30)
"""What "since" can be: everything, today, a week, a month."""


class LedgerViewModel(QObject):
    """`changed` for all that is shown. Reads while it is watched, and only what is new."""

    changed = Signal()

    def __init__(self, bridge: Bridge, path: Path, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._bridge = bridge
        self._path = path
        self._follower = Follower(path)
        self._requests = Requests()
        self._all: list[Row] = []
        self._is_reading = False
        self.text = ""
        self.purpose = ""
        self.verdict = ""
        self.days = 0
        self.shown: list[Row] = []
        self._fitting: list[Row] = []
        self.is_read = False
        self.checking = False
        self.check_told: tuple[str, ...] = ()
        self.check_good = False
        self.head = ""
        self.problem = ""
        self.said = ""
        self._timer = QTimer(self, interval=_REFRESH_MS)
        self._timer.timeout.connect(self.refresh)

    def watch(self, on: bool) -> None:
        """While it is seen, what is new is read."""
        if on:
            self.refresh()
            self._timer.start()
        else:
            self._timer.stop()

    def refresh(self) -> None:
        if not self._is_reading:
            self._is_reading = True
            self._bridge.submit(asyncio.to_thread(self._follower.new_rows), self._came, self._not_read)

    def _came(self, found: tuple[bool, list[Row]]) -> None:
        self._is_reading = False
        is_other, rows = found
        if is_other:
            self._requests = Requests()
        if rows or is_other or not self.is_read:
            self._requests.take(rows)
            self._all = self._requests.all()
            self.is_read = True
            self.problem = ""
            self._narrow()
            if rows:
                self.refresh()

    def _not_read(self, error: Exception) -> None:
        self._is_reading = False
        if not isinstance(error, OSError):
            raise error
        self.problem = tr("The ledger can't be read: {why}.", why=error.strerror or str(error))
        self.changed.emit()

    # ---- narrowing down

    def narrow(
        self,
        text: str | None = None,
        purpose: str | None = None,
        verdict: str | None = None,
        days: int | None = None,
    ) -> None:
        """Show only what fits; None leaves that as it is."""
        self.text = self.text if text is None else text
        self.purpose = self.purpose if purpose is None else purpose
        self.verdict = self.verdict if verdict is None else verdict
        self.days = self.days if days is None else days
        self._narrow()

    def _narrow(self) -> None:
        words = self.text.casefold().split()
        since = "" if not self.days else _utc(_today() - timedelta(days=self.days - 1))
        fitting = [
            row
            for row in reversed(self._all)
            if (not self.purpose or row["purpose"] == self.purpose)
            and (not self.verdict or row["verdict"] == self.verdict)
            and (not since or str(row["time"]) >= since)
            and (not words or _has(row, words))
        ]
        self._fitting = fitting
        self.shown = fitting[:MOST_SHOWN]
        self.changed.emit()

    # ---- what is said

    @property
    def headline(self) -> str:
        """The sentence that matters."""
        left = [row for row in self._all if row["verdict"] == "allowed"]
        if not left:
            return tr("Nothing has ever left this computer.")
        since = _utc(_today())
        today = [row for row in left if str(row["time"]) >= since]
        if today:
            hosts = {row["host"] for row in today}
            return tr("{count} requests left today, to {hosts}.", count=len(today), hosts=_hosts(hosts))
        return tr("Nothing has left this computer since {when}.", when=local_time(str(left[-1]["time"])))

    @property
    def totals(self) -> str:
        """Of what fits: requests, bytes, tokens, money; what is unknown apart."""
        rows = self._fitting
        left = [row for row in rows if row["verdict"] == "allowed"]
        parts = [
            tr("{left} left, {refused} refused", left=len(left), refused=len(rows) - len(left)),
            tr("{out} out, {back} in", out=size(_sum(left, "bytes_out")), back=size(_sum(left, "bytes_in"))),
        ]
        if tokens := _sum(left, "tokens_in") + _sum(left, "tokens_out"):
            parts.append(tr("{count} tokens", count=f"{tokens:,}"))
        parts += _money(left)
        if len(rows) > len(self.shown):
            parts.append(tr("the newest {count} are shown", count=f"{len(self.shown):,}"))
        return " · ".join(parts)

    @staticmethod
    def details(row: Row) -> tuple[tuple[str, str], ...]:
        """Every field of a request, in words."""
        names = {
            "time": (tr("When"), local_time(str(row["time"]))),
            "purpose": (tr("What for"), purpose_words(str(row["purpose"]))),
            "verdict": (tr("Outcome"), outcome(row)),
            "rule": (tr("Rule"), rule_words(str(row["rule"]))),
            "host": (
                tr("Where to"),
                f"{row['method']} {row['scheme']}://{row['host']}:{row['port']}{row['path']}",
            ),
        }
        told = list(names.values())
        for name, label in (
            ("via", tr("Through the proxy")),
            ("provider", tr("Provider")),
            ("model", tr("Model")),
            ("conversation", tr("Conversation")),
            ("status", tr("HTTP status")),
            ("bytes_out", tr("Bytes out")),
            ("bytes_in", tr("Bytes in")),
            ("redacted", tr("Taken out before it left")),
            ("hop", tr("Redirects before")),
            ("tokens_in", tr("Tokens in")),
            ("tokens_out", tr("Tokens out")),
            ("cost", tr("Cost")),
            ("body_bytes", tr("Bytes of the body")),
            ("body_sha256", tr("SHA-256 of the body")),
            ("id", tr("Id")),
        ):
            found = row.get(name)
            if found in (None, "", 0) or found == {}:
                continue
            if name == "cost":
                shown = money(str(found), str(row.get("currency", "")))
            elif isinstance(found, dict):
                shown = ", ".join(f"{kind}: {count}" for kind, count in sorted(found.items()))
            else:
                shown = str(found)
            told.append((label, shown))
        return tuple(told)

    # ---- what a person does

    def verify(self) -> None:
        """Check the whole file, with the ledger's key from the keychain if it gives it."""
        if not self.checking:
            self.checking = True
            self.check_told = ()
            self.changed.emit()
            self._bridge.submit(asyncio.to_thread(checked, self._path), self._is_checked, self._not_checked)

    def _is_checked(self, found: Verification) -> None:
        self.checking = False
        self.check_good = found.intact
        self.check_told = tuple(sentences(found))
        self.head = head_text(found.head) if found.rows else ""
        self.changed.emit()

    def _not_checked(self, error: Exception) -> None:
        self.checking = False
        self._not_read(error)

    def say_exists(self, target: Path) -> None:
        """A file that nobody was asked about is in the way of an export."""
        self.said = ""
        self.problem = tr(
            "{file} is there already, and was left as it is. Choose it in the list, or another name.",
            file=target.name,
        )
        self.changed.emit()

    def export(self, target: Path) -> None:
        """Write what fits, oldest first, as CSV or JSON by the file's name."""
        listed = list(reversed(self._fitting))
        content = to_json(listed) if target.suffix.lower() == ".json" else to_csv(listed)
        self.write(target, len(listed), lambda: write_export(target, content))

    def write(self, target: Path, count: int, work: Callable[[], None]) -> None:
        """Do it beside the window, and say how it went."""

        def done(_: Any) -> None:
            self.said, self.problem = (
                tr("{count} requests written to {file}", count=count, file=target.name),
                "",
            )
            self.changed.emit()

        def failed(error: Exception) -> None:
            if not isinstance(error, OSError):
                raise error
            self.said = ""
            self.problem = tr("The file could not be written: {why}.", why=error.strerror or str(error))
            self.changed.emit()

        self._bridge.submit(asyncio.to_thread(work), done, failed)

    @property
    def fitting(self) -> list[Row]:
        """Everything that fits, newest first."""
        return self._fitting


def outcome(row: Row) -> str:
    """How a request went, in a word or two."""
    if row["verdict"] != "allowed":
        return tr("refused: {why}", why=rule_words(str(row["rule"])))
    found = str(row.get("outcome", ""))
    if not found:
        return tr("left, and was cut off")
    status = row.get("status")
    return (
        tr("left")
        if found == "done" and status == 200
        else tr("left: {how}", how=f"{found} {status or ''}".strip())
    )


def local_time(moment: str) -> str:
    """A time of the ledger as a person here reads it."""
    try:
        return (
            datetime.fromisoformat(moment.replace("Z", "+00:00")).astimezone().strftime("%Y-%m-%d %H:%M:%S")
        )
    except ValueError:
        return moment


def size(count: int) -> str:
    if count < 10_000:
        return tr("{count} bytes", count=f"{count:,}")
    return f"{count / 1e6:.1f} MB" if count >= 1_000_000 else f"{count / 1e3:.0f} kB"


def _today() -> datetime:
    return datetime.now().astimezone().replace(hour=0, minute=0, second=0, microsecond=0)


def _utc(moment: datetime) -> str:
    from datetime import UTC

    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _has(row: Row, words: list[str]) -> bool:
    fields = ("host", "provider", "model", "path", "rule", "purpose", "time", "outcome", "conversation")
    whole = " ".join(str(row.get(name, "")) for name in fields).casefold()
    return all(word in whole for word in words)


def _sum(rows: list[Row], name: str) -> int:
    return sum(found for row in rows if type(found := row.get(name)) is int)


def _hosts(hosts: set[object]) -> str:
    named = sorted(str(host) for host in hosts)
    return ", ".join(named) if len(named) <= 3 else tr("{count} hosts", count=len(named))


def _money(rows: list[Row]) -> list[str]:
    amounts: dict[str, Decimal] = {}
    unknown = 0
    for row in rows:
        if row["purpose"] not in ("chat", "title"):
            continue
        try:
            amount = Decimal(str(row.get("cost") or "x"))
        except InvalidOperation:
            unknown += row.get("status") == 200 or "outcome" not in row
            continue
        currency = str(row.get("currency") or "USD")
        amounts[currency] = amounts.get(currency, Decimal(0)) + amount
    told = [money(str(amount), currency) for currency, amount in sorted(amounts.items())]
    if unknown:
        told.append(tr("cost of {count} not known", count=unknown))
    return told
