"""Markdown that tries to have a file or an address opened, and a program that shows it in every widget there is.

`CANARY` stands in each payload for a name that exists nowhere else. Run as a program (under strace) it shows every
payload, everywhere, moves the pointer over it, copies it, and quits.
"""

from __future__ import annotations

import sys
from pathlib import Path

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


def main() -> None:
    """Show it all. Prints "shown" and how many widgets there were at the end."""
    sys.path.insert(0, str(Path(__file__).parents[2]))
    from PySide6.QtCore import QEvent, QEventLoop, QPoint, QTimer
    from PySide6.QtGui import QContextMenuEvent, QHelpEvent
    from PySide6.QtWidgets import QApplication, QWidget

    from desktop.viewmodels.transcript import Entry, TranscriptModel
    from desktop.views.palette import DARK, LIGHT
    from desktop.views.transcript.mathematics import Mathematics
    from desktop.views.transcript.textview import TextView
    from desktop.views.transcript.view import TranscriptView

    application = QApplication([])

    def turn(milliseconds: int = 0) -> None:
        loop = QEventLoop()
        QTimer.singleShot(milliseconds, loop.quit)
        loop.exec()
        while Mathematics.shared().busy or not view.is_settled:
            application.processEvents()

    view = TranscriptView()
    view.resize(900, 900)
    model = TranscriptModel()
    view.bind(model)
    view.show()
    seen: set[str] = set()
    everything = "\n\n".join(PAYLOADS)
    print("started", flush=True)
    for payload in [*PAYLOADS, everything]:
        words = payload if len(payload) < 2_000 else payload[:2_000]
        entries = [
            Entry(1, "user", f"{payload}\n\n```\n{words}\n```", branch=1, branches=2),
            Entry(
                2,
                "assistant",
                payload,
                reasoning=payload,
                problem=words,
                problem_detail=payload,
                footnote=words,
                author=words,
            ),
        ]
        model.reset(entries)
        turn()
        for child in view.findChildren(QWidget):
            if type(child).__name__ in ("ReasoningView", "ProblemBar") and not child.isHidden():
                child.toggle()  # type: ignore[attr-defined]
        turn()
        for text in view.viewport().findChildren(TextView):
            seen.add(type(text).__name__)
            at = QPoint(12, 12)
            place = text.viewport().mapToGlobal(at)
            application.sendEvent(text.viewport(), QHelpEvent(QEvent.Type.ToolTip, at, place))
            text.selectAll()
            text.copy_selection()
            text.createMimeDataFromSelection()
            application.sendEvent(
                text.viewport(), QContextMenuEvent(QContextMenuEvent.Reason.Mouse, at, place)
            )
            if (menu := application.activePopupWidget()) is not None:
                menu.close()
        seen.update(type(child).__name__ for child in view.viewport().findChildren(QWidget))
        view.grab()
    model.reset([Entry(1, "assistant", status="streaming")])
    for index in range(0, len(everything), 40):
        model.add_text(0, everything[index : index + 40])
        application.processEvents()
    model.replace(0, Entry(1, "assistant", everything))
    turn()
    view.set_appearance(DARK, 20)
    view.find(CANARY, True)
    view.set_appearance(LIGHT, 15)
    turn()
    view.grab()
    print("shown", *sorted(seen), flush=True)
    Mathematics.shared().close()


if __name__ == "__main__":
    main()
