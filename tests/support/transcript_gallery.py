"""Fills a transcript with everything it can show and takes its picture.

Run it under a display to look at it: `python tests/support/transcript_gallery.py FOLDER [light|dark] [rtl]`.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from PySide6.QtCore import QEventLoop, Qt, QTimer
from PySide6.QtWidgets import QApplication

from desktop.viewmodels.transcript import Entry, TranscriptModel
from desktop.views.palette import DARK, LIGHT
from desktop.views.transcript.mathematics import Mathematics
from desktop.views.transcript.view import TranscriptView

PROSE = """Photosynthesis turns light into chemical energy. Plants take in **carbon dioxide** and *water*, and with the
energy of light make sugar; oxygen is what is left over. Most of it happens in the `chloroplasts` of a leaf.

## How it works

The process has two stages:

1. **Light reactions** in the thylakoid membranes, which catch light and make ATP and NADPH.
2. **The Calvin cycle** in the stroma, which uses them:
   - carbon dioxide is fixed by the enzyme RuBisCO;
   - sugar is built, and some of it goes round again.

   A second paragraph of the same item stands here.
3. Nothing else.

> Nothing in biology makes sense except in the light of evolution.
>
> — Theodosius Dobzhansky

See [the encyclopedia](https://en.wikipedia.org/wiki/Photosynthesis) or <https://example.org>. A picture would be
here: ![a leaf](https://example.org/leaf.png)

---

- [x] water
- [ ] light ~~and magic~~
"""

CODE = '''Here is a function that does it:

```python
from dataclasses import dataclass


@dataclass
class Point:
    """A place in the plane."""

    x: float = 0.0
    y: float = 0.0

    def distance(self, other: "Point") -> float:
        # Pythagoras
        return ((self.x - other.x) ** 2 + (self.y - other.y) ** 2) ** 0.5
```

Call it like this:

1. In a shell:

   ```bash
   python -c "print(Point(3, 4).distance(Point()))"  # 5.0
   ```

2. Or in a notebook. A long line scrolls by itself:

```json
{"name": "a value much too long to fit", "values": [1, 2.5, true, null], "more": "and more and more and more"}
```
'''

MATH = r"""The quadratic formula $x = \frac{-b \pm \sqrt{b^2 - 4ac}}{2a}$ solves $ax^2 + bx + c = 0$, when $a \neq 0$.

$$\int_{-\infty}^{\infty} e^{-x^2}\,dx = \sqrt{\pi}$$

Euler's identity is \(e^{i\pi} + 1 = 0\), and a matrix:

\[
A = \begin{pmatrix} 1 & 2 \\ 3 & 4 \end{pmatrix}, \quad \det A = -2
\]

This cannot be drawn and stays as it is: $\unknowncommand{x}$. It costs $5 or $10.
"""

TABLE = """| Planet | Mass (10²⁴ kg) | Moons | Remarks |
|:-------|---------------:|:-----:|---------|
| Mercury | 0.330 | 0 | Closest to the Sun; no air to speak of |
| Venus | 4.87 | 0 | Hottest, with **clouds** of `H2SO4` |
| Earth | 5.97 | 1 | Ours, and the only one with known life so far, which is a sentence that is long |
| Jupiter | 1898 | 95 | $m \\approx 318\\,m_E$ |

A wider one:

| A | B | C | D | E | F | G | H | I | J | K | L |
|---|---|---|---|---|---|---|---|---|---|---|---|
| alpha beta | gamma delta | epsilon zeta | eta theta | iota kappa | lambda mu | nu | omicron | rho | tau | phi | chi |
| 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9 | 10 | 11 | 12 |
"""

ARABIC = """التمثيل الضوئي هو عملية تحول فيها النباتات **الضوء** إلى طاقة كيميائية.

- تمتص النباتات ثاني أكسيد الكربون والماء، وتصنع منهما السكر بطاقة الضوء، ويبقى الأكسجين.
- يحدث معظمه في `chloroplasts`.

> اقتباس قصير

| الكوكب | الأقمار |
|---|---|
| الأرض | 1 |
| المريخ | 2 |
"""


def entries() -> list[Entry]:
    footnote = "SmolLM2 135M Q4_1 · 0.8 s · 212 tokens · 96 tokens/s"
    return [
        Entry(1, "user", "What is photosynthesis?", branch=2, branches=3),
        Entry(2, "assistant", PROSE, footnote=footnote, branch=1, branches=2, author="SmolLM2 135M"),
        Entry(
            3,
            "user",
            "Show me some code, please. It should compute a distance between two points in the plane, and come "
            "with an example of how to call it.\n\n```python\npoint = (3, 4)\n```",
        ),
        Entry(
            4,
            "assistant",
            CODE,
            reasoning="The person wants **code**. A dataclass is short.\n\n- Python\n- an example",
            reasoning_seconds=4.2,
            footnote=footnote,
        ),
        Entry(5, "user", "And the mathematics?"),
        Entry(6, "assistant", MATH, footnote=footnote),
        Entry(7, "user", "A table"),
        Entry(8, "assistant", TABLE, footnote=footnote),
        Entry(9, "user", "وماذا عن العربية؟"),
        Entry(10, "assistant", ARABIC, footnote=footnote),
        Entry(11, "user", "Go on"),
        Entry(
            12,
            "assistant",
            "It begins well, and then",
            status="failed",
            problem="The model stopped working in the middle of its answer. What had arrived is kept; "
            "ask again to go on.",
            problem_detail="worker exited with signal 6\nggml-cpu.c:1234: GGML_ASSERT(x > 0) failed",
        ),
        Entry(13, "user", "Hello?"),
        Entry(14, "assistant", status="streaming"),
    ]


def wait(milliseconds: int) -> None:
    loop = QEventLoop()
    QTimer.singleShot(milliseconds, loop.quit)
    loop.exec()


def wait_for_formulas() -> None:
    end = time.monotonic() + 20
    while Mathematics.shared().busy and time.monotonic() < end:
        wait(20)
    wait(120)


def main(folder: Path, dark: bool, rtl: bool) -> None:
    application = QApplication.instance() or QApplication([])
    assert isinstance(application, QApplication)
    application.setStyle("Fusion")
    if rtl:
        application.setLayoutDirection(Qt.LayoutDirection.RightToLeft)
    view = TranscriptView()
    view.resize(936, 800)
    view.set_appearance(DARK if dark else LIGHT, 15)
    model = TranscriptModel()
    view.bind(model)
    view.show()
    model.reset(entries())
    wait_for_formulas()
    bar = view.verticalScrollBar()
    name = ("dark" if dark else "light") + ("-rtl" if rtl else "")
    bar.setValue(0)
    wait(300)
    wait_for_formulas()
    number = 0
    while True:
        view.grab().save(str(folder / f"{name}-{number}.png"))
        if bar.value() >= bar.maximum() - 4:
            break
        bar.setValue(bar.value() + 740)
        wait(200)
        wait_for_formulas()
        number += 1
    view.deleteLater()
    Mathematics.shared().close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), "dark" in sys.argv, "rtl" in sys.argv)
