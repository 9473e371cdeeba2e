"""The ledger as a PDF: what was asked for, the totals, whether it was as written, and each request."""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from html import escape
from pathlib import Path

from PySide6.QtCore import QMarginsF, QSizeF
from PySide6.QtGui import QPageLayout, QPageSize, QPainter, QPdfWriter, QTextDocument

from desktop.i18n import tr
from desktop.ledgers import whole_file
from desktop.viewmodels.ledger import local_time, outcome
from desktop.words.ledger import purpose_words

_DOTS_PER_INCH = 96


def write_report(
    target: Path, headline: str, totals: str, checked: Sequence[str], rows: Sequence[dict[str, object]]
) -> None:
    """Write the file; what is in the ledger is text in it and nothing else. Raises OSError."""
    document = QTextDocument()
    document.setHtml(_page(headline, totals, checked, rows))
    with whole_file(target) as fresh:
        _write(document, fresh)


def _write(document: QTextDocument, fresh: Path) -> None:
    writer = QPdfWriter(str(fresh))
    writer.setResolution(_DOTS_PER_INCH)
    writer.setPageLayout(
        QPageLayout(
            QPageSize(QPageSize.PageSizeId.A4), QPageLayout.Orientation.Landscape, QMarginsF(12, 12, 12, 12)
        )
    )
    writer.setTitle(tr("Ledger of Alcove"))
    _print(document, writer)
    with open(fresh, "rb") as file:  # Qt tells of no error: a PDF that is whole ends with its mark
        file.seek(max(0, fresh.stat().st_size - 64))
        if b"%%EOF" not in file.read():
            raise OSError(errno.EIO, os.strerror(errno.EIO))


def _print(document: QTextDocument, writer: QPdfWriter) -> None:
    """Page after page, with its number."""
    area = QSizeF(writer.width(), writer.height() - 24)
    document.setPageSize(area)
    painter = QPainter(writer)
    pages = document.pageCount()
    for page in range(pages):
        if page:
            writer.newPage()
        painter.save()
        painter.translate(0, -page * area.height())
        painter.setClipRect(0, int(page * area.height()), int(area.width()), int(area.height()))
        document.drawContents(painter)
        painter.restore()
        painter.drawText(0, writer.height() - 4, tr("Page {page} of {pages}", page=page + 1, pages=pages))
    painter.end()


def _page(headline: str, totals: str, checked: Sequence[str], rows: Sequence[dict[str, object]]) -> str:
    head = (
        tr("When"),
        tr("What for"),
        tr("Where to"),
        tr("Model"),
        tr("Outcome"),
        tr("Bytes out / in"),
        tr("Cost"),
    )
    lines = [
        (
            local_time(str(row["time"])),
            purpose_words(str(row["purpose"])),
            f"{row['host']}{row['path']}",
            str(row.get("model", "")),
            outcome(row),
            f"{row.get('bytes_out', '')} / {row.get('bytes_in', '')}",
            f"{row.get('cost', '')} {row.get('currency', '')}".strip(),
        )
        for row in rows
    ]
    body = "".join(_row("td", line) for line in lines)
    told = "".join(f"<p>{escape(sentence)}</p>" for sentence in checked)
    return (
        f"<h2>{escape(tr('Ledger of Alcove'))}</h2><p><b>{escape(headline)}</b></p><p>{escape(totals)}</p>{told}"
        f'<table width="100%" cellspacing="0" cellpadding="3" style="font-size: 8pt">{_row("th", head)}{body}</table>'
    )


def _row(cell: str, values: Sequence[str]) -> str:
    return "<tr>" + "".join(f'<{cell} align="left">{escape(value)}</{cell}>' for value in values) + "</tr>"
