"""The whole program as the entry makes it, in its lock, with one question asked in its window (drawn nowhere).

python chatting_desktop.py HOME MODEL       MODEL: the key of a remote model in the picker, or "" for the one here
Prints the answer, and which parts of a network's client this process has loaded by then, as JSON.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[3]))
sys.path.insert(0, str(Path(__file__).parents[2]))
os.environ["QT_QPA_PLATFORM"] = "offscreen"

from desktop.processes.lockdown import lock_down
from desktop.processes.roles import Role
from desktop.processes.switch import Position, read_switch
from desktop.processes.way_out import close_way_out, open_way_out

home, model = Path(sys.argv[1]), sys.argv[2]
if read_switch(str(home)).position is not Position.OFFLINE:
    assert open_way_out(str(home), os.environ) == ""
report = lock_down(Role.DESKTOP)
assert report.enforced, report.summary

from PySide6.QtWidgets import QApplication  # noqa: E402
from support.whole_program import wait, whole_program  # noqa: E402

from desktop.viewmodels.chat import ChatState  # noqa: E402
from desktop.views.leaving_dialog import LeavingDialog  # noqa: E402


def ask() -> str:
    with whole_program(home) as parts:
        if model:
            parts.models.choose(model)
        parts.window.page.composer.edit.setPlainText("Hello")
        parts.window.page.composer.edit.submitted.emit()
        if model:
            asked: list[LeavingDialog] = []

            def shown() -> bool:
                asked[:] = [one for one in parts.window.findChildren(LeavingDialog) if one.isVisible()]
                return bool(asked)

            wait(shown)
            asked[0].send.click()
        wait(lambda: len(parts.chat.transcript.entries) == 2)
        wait(lambda: parts.chat.state is ChatState.IDLE and parts.chat.can_send)
        return parts.chat.transcript.entries[-1].text


application = QApplication([])
answer = ask()
print(json.dumps({"answer": answer, "imported": sorted({"httpx", "httpcore"} & sys.modules.keys())}))
close_way_out()
