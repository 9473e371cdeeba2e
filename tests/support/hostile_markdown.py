"""Markdown that tries to have a file or an address opened, and a program that shows it in every widget there is.

`CANARY` stands in each payload for a name that exists nowhere else. Run as a program (under strace) it shows every
payload, everywhere, moves the pointer over it, copies it, and quits.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from PySide6.QtCore import QEvent, QEventLoop, QPoint, QTimer
from PySide6.QtGui import QContextMenuEvent, QHelpEvent
from PySide6.QtWidgets import QApplication, QWidget

from desktop.viewmodels.transcript import Entry, TranscriptModel
from desktop.views.palette import DARK, LIGHT
from desktop.views.transcript.mathematics import Mathematics
from desktop.views.transcript.notes import ProblemBar
from desktop.views.transcript.reasoning import ReasoningView
from desktop.views.transcript.textview import TextView
from desktop.views.transcript.view import TranscriptView

CANARY = "c4n4ry-7f3a"

_ = CANARY
PAYLOADS = [
    # pictures
    f"![x](http://{_}.example/a.png)",
    f"![x](file:///tmp/{_}/a.png)",
    f"![x](/tmp/{_}/b.png)",
    f"![x]({_}/relative.png)",
    f"![x](../../../../tmp/{_}/up.png)",
    f"![x](//{_}-host/share/a.png)",
    f"![x](\\\\\\\\{_}-host\\\\share\\\\a.png)",
    f"![x](qrc:/{_}/a.png)",
    f"![x](:/{_}/a.png)",
    f"![x](image://{_}/a)",
    f"![x](data:image/svg+xml;utf8,<svg><image href='file:///tmp/{_}/c.png'/></svg>)",
    f"![x][ref]\n\n[ref]: file:///tmp/{_}/d.png 'title'",
    f"[![inner](file:///tmp/{_}/e.png)](https://{_}.example)",
    f"![![nested](file:///tmp/{_}/f.png)](file:///tmp/{_}/g.png)",
    f"![x](<file:///tmp/{_}/with spaces.png>)",
    f"![x](file:///tmp/{_}/{'h' * 5000}.png)",
    # HTML and CSS
    f"<img src='file:///tmp/{_}/i.png'>",
    f"<img src=/tmp/{_}/j.png srcset='/tmp/{_}/k.png 2x'>",
    f"<link rel=stylesheet href='file:///tmp/{_}/l.css'>",
    f"<style>@import url(file:///tmp/{_}/m.css); body{{background:url(/tmp/{_}/n.png)}}</style>",
    f"<div style=\"background-image: url('/tmp/{_}/o.png')\">x</div>",
    f"<iframe src='file:///tmp/{_}/p.html'></iframe>",
    f"<object data='file:///tmp/{_}/q.svg'></object><embed src='/tmp/{_}/q2.svg'>",
    f"<table background='/tmp/{_}/r.png'><tr><td background='/tmp/{_}/s.png'>x</td></tr></table>",
    f"<body background='/tmp/{_}/t.png'><meta http-equiv=refresh content='0;url=file:///tmp/{_}/u'>",
    f"<svg><image xlink:href='file:///tmp/{_}/v.png'/><use href='/tmp/{_}/w.svg#a'/></svg>",
    f"<video src='/tmp/{_}/x.mp4' poster='/tmp/{_}/y.png'></video><audio src='//{_}-host/z'>",
    f"<ul style=\"list-style-image:url('/tmp/{_}/li.png')\"><li>x</ul>",
    f"&lt;img src='file:///tmp/{_}/entity.png'&gt; &#60;img src=/tmp/{_}/number.png&#62;",
    # links
    f"<file:///tmp/{_}/auto>",
    f"[x](javascript:fetch('/tmp/{_}/js'))",
    f"[x](file:///tmp/{_}/link \"<img src='/tmp/{_}/title.png'>\")",
    f"[x](https://{_}.example/ '![y](/tmp/{_}/title2.png)')",
    f"<https://{_}.example/?x=<img>> www.{_}.example",
    f"[x](//{_}-host/share)",
    # mathematics
    f"$\\includegraphics{{/tmp/{_}/math.png}}$",
    f"$$\\input{{/tmp/{_}/math.tex}}$$",
    f"$\\href{{file:///tmp/{_}/math}}{{x}} \\url{{/tmp/{_}/url}}$",
    f"\\[ \\style{{background:url(/tmp/{_}/style.png)}}{{x}} \\class{{/tmp/{_}}}{{y}} = 1 \\]",
    f"$\\color{{url(/tmp/{_}/fill.svg)}} x_1$",
    f"$\\fcolorbox{{url(/tmp/{_}/box.svg)}}{{red}}{{x}}$",
    f"$\\text{{<image href='/tmp/{_}/text.png'/>}} + x^2$",
    f"$\\require{{/tmp/{_}/ext}} \\openin1=/tmp/{_}/openin$",
    # code
    f"```/tmp/{_}/lang\ncode\n```",
    f"```python {{file=/tmp/{_}/info include=//{_}-host/x}}\ncode = '/tmp/{_}/string'\n```",
    f"```../../../tmp/{_}/lexer.py:CustomLexer\ncode\n```",
    f"~~~html\n<img src='file:///tmp/{_}/html.png'>\n~~~",
    f"```svg\n<svg><image href='file:///tmp/{_}/code.svg'/></svg>\n```",
    f"```console\n$ cat /tmp/{_}/console\n```",
    # tables and lists
    f"| ![x](/tmp/{_}/cell.png) | <img src='/tmp/{_}/cell2.png'> |\n|---|---|\n"
    f"| $\\input{{/tmp/{_}/cell}}$ | [x](file:///tmp/{_}) |",
    f"- ![x](/tmp/{_}/item.png)\n  1. <img src='/tmp/{_}/item2.png'>\n\n     ```/tmp/{_}/item3\n     x\n     ```",
    f"> ![x](//{_}-host/quote.png)\n> <img src='/tmp/{_}/quote2.png'>",
    f"# ![x](/tmp/{_}/heading.png) <img src='/tmp/{_}/heading2.png'>",
    # bytes that mean something to Qt
    f"\ufffc\ufdd0<img src='/tmp/{_}/object.png'>\ufdd1\u2028![x](/tmp/{_}/line.png)",
]


class Showing:
    """A transcript in a window, and a person who touches everything in it."""

    def __init__(self) -> None:
        self.application = QApplication([])
        self.view = TranscriptView()
        self.view.resize(900, 900)
        self.model = TranscriptModel()
        self.view.bind(self.model)
        self.view.show()
        self.seen: set[str] = set()  # kinds of widgets

    def turn(self) -> None:
        """Until all is shown and drawn."""
        loop = QEventLoop()  # of its own: only so are widgets that are no longer needed ended
        QTimer.singleShot(0, loop.quit)
        loop.exec()
        while Mathematics.shared().busy or not self.view.is_settled:
            self.application.processEvents()

    def everywhere(self, payload: str) -> None:
        """The payload in every field of a message, everything opened."""
        words = payload[:2_000]
        question = Entry(1, "user", f"{payload}\n\n```\n{words}\n```", branch=1, branches=2)
        answer = Entry(
            2,
            "assistant",
            payload,
            reasoning=payload,
            problem=words,
            problem_detail=payload,
            footnote=words,
            author=words,
        )
        self.model.reset([question, answer])
        self.turn()
        for reasoning in self.view.findChildren(ReasoningView):
            reasoning.toggle()
        for problem in self.view.findChildren(ProblemBar):
            problem.toggle()
        self.turn()
        for text in self.view.viewport().findChildren(TextView):
            self.touch(text)
        self.seen.update(type(child).__name__ for child in self.view.viewport().findChildren(QWidget))
        self.view.grab()

    def touch(self, text: TextView) -> None:
        """Point at it, copy it, drag it, ask for its menu."""
        at = QPoint(12, 12)
        place = text.viewport().mapToGlobal(at)
        self.application.sendEvent(text.viewport(), QHelpEvent(QEvent.Type.ToolTip, at, place))
        text.selectAll()
        text.copy_selection()
        text.createMimeDataFromSelection()
        menu_wanted = QContextMenuEvent(QContextMenuEvent.Reason.Mouse, at, place)
        self.application.sendEvent(text.viewport(), menu_wanted)
        menu = self.application.activePopupWidget()
        if menu is not None:
            menu.close()

    def streamed(self, text: str) -> None:
        """All of it as an answer that streams in, then restyled and searched."""
        self.model.reset([Entry(1, "assistant", status="streaming")])
        for index in range(0, len(text), 40):
            self.model.add_text(0, text[index : index + 40])
            self.application.processEvents()
        self.model.replace(0, Entry(1, "assistant", text))
        self.turn()
        self.view.set_appearance(DARK, 20)
        self.view.find(CANARY, True)
        self.view.set_appearance(LIGHT, 15)
        self.turn()
        self.view.grab()


def main() -> None:
    """Show it all. Prints "started", then "shown" and the kinds of widgets there were."""
    showing = Showing()
    print("started", flush=True)
    everything = "\n\n".join(PAYLOADS)
    for payload in [*PAYLOADS, everything]:
        showing.everywhere(payload)
    showing.streamed(everything)
    print("shown", *sorted(showing.seen), flush=True)
    Mathematics.shared().close()


if __name__ == "__main__":
    main()
