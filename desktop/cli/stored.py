"""`alcove conversations` and `alcove doctor`: what is stored, and what works here."""

from __future__ import annotations

import sys
import time
from dataclasses import asdict

from desktop.cli.terminal import failed, print_json, printable
from desktop.doctor import examine
from desktop.i18n import tr
from desktop.paths import Paths
from desktop.processes.report import LockReport
from desktop.store.faults import StoreFault
from desktop.store.store import Store
from desktop.words.store import store_fault


async def conversations(paths: Paths, as_json: bool) -> int:
    if not paths.database.exists():
        found = []
    else:
        store = Store(paths.database)
        try:
            await store.open()
            found = await store.conversations()
        except StoreFault as fault:
            return failed(store_fault(fault).text)
        finally:
            await store.close()
    if as_json:
        print_json([asdict(conversation) for conversation in found])
        return 0
    for conversation in found:
        day = time.strftime("%Y-%m-%d %H:%M", time.localtime(conversation.updated_at))
        print(f"{conversation.id:>6}  {day}  {printable(conversation.title)}")
    if not found:
        print(tr("No conversations yet."), file=sys.stderr)
    return 0


async def doctor(paths: Paths, report: LockReport, as_json: bool) -> int:
    findings = await examine(paths, report)
    if as_json:
        print_json([asdict(finding) for finding in findings])
    else:
        for finding in findings:
            print(f"{'ok  ' if finding.works else 'NOT '} {finding.topic}: {printable(finding.text)}")
    return 0 if all(finding.works for finding in findings) else 1
