r"""The child that turns LaTeX into drawings: a process, because a formula can keep ziamath busy for ever.

`\sqrt{` nested twenty times takes hours (each level doubles the work), and pure Python in a thread would hold
up the window. Here it can be ended. It locks itself like a worker before it reads anything: no network, no
programs, no file changed.

One JSON object per line. First {"ready"} comes out. Then in: {"latex", "display"}; out: both again, and either
"problem" or "left", "top", "width", "height" (the box, with the baseline at 0, in units of `UNITS` to the em) and
"shapes": each with "d" (an SVG path) or "rect" (x, y, width, height), and "line", the width of its outline, when it
is not filled.
"""

from __future__ import annotations

import importlib
import re
import sys
import warnings
import xml.etree.ElementTree as ElementTree
from functools import cache
from typing import Any

from desktop.processes.channel import StdioChannel
from desktop.processes.lockdown import lock_down
from desktop.processes.roles import Role

UNITS = 20.0
MAX_LATEX = 2_000  # characters
MAX_LENGTH = 4_000.0  # in either direction, in units: 200 em
# Definitions can grow a short formula without end; the others reach for files or addresses.
_REFUSED = re.compile(
    r"\\(?:newcommand|renewcommand|newenvironment|def|let|DeclareMathOperator|input|include|includegraphics"
    r"|href|url|style|class|require|write|read|openin|openout|immediate|special|catcode|f?colorbox)(?![A-Za-z])"
)
_TAG = re.compile(r"\\tag\*?\s*\{([^{}]*)\}")  # ziamath sets it at the margin of a page
_TEXT = re.compile(r"\\(?:text|mbox|textrm|textbf|textit|hbox)\s*\{[^{}]*\}")
_UNSAFE_IN_XML = {"<": r"\lt ", ">": r"\gt "}


class Refused(Exception):
    """The formula is shown as its source instead. Says why."""


def draw(latex: str, display: bool) -> dict[str, object]:
    """The drawing of a formula. Raises `Refused`, and whatever ziamath raises for what it cannot read."""
    if len(latex) > MAX_LATEX:
        raise Refused("too long")
    if _REFUSED.search(latex):
        raise Refused("a command that is not drawn")
    ziamath = _ziamath()
    drawn: Any = ziamath.Latex(_safe(latex), size=UNITS, inline=not display, margin=0.0)
    if "\\" in "".join(drawn.mathml.itertext()):
        raise Refused("an unknown command")
    picture: ElementTree.Element = drawn.svgxml()
    left, top, width, height = (float(number) for number in picture.attrib["viewBox"].split())
    if not 0 < width <= MAX_LENGTH or not 0 < height <= MAX_LENGTH:
        raise Refused("no size, or too large a one")
    shapes = [_shape(element) for element in picture.iter() if element.tag not in ("svg", "g")]
    return {"left": left, "top": top, "width": width, "height": height, "shapes": shapes}


@cache
def _ziamath() -> Any:
    """The library; 0.3 s the first time, which only this process pays for."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # on Python 3.11 it opens its font in a way that is now discouraged
        library: Any = importlib.import_module("ziamath")
    library.config.svg2 = False  # QtSvg draws SVG 2's symbols in the wrong places
    return library


def _shape(element: ElementTree.Element) -> dict[str, object]:
    shape: dict[str, object] = {}
    if element.attrib.get("fill") == "none":
        shape["line"] = float(element.attrib.get("stroke-width", "1"))
    match element.tag:
        case "path":
            return {**shape, "d": element.attrib["d"]}
        case "rect":
            return {**shape, "rect": [float(element.attrib[name]) for name in ("x", "y", "width", "height")]}
        case unknown:
            raise Refused(f"a shape that is not drawn: {unknown}")


def _safe(latex: str) -> str:
    r"""latex2mathml does not escape "<" and "&" for XML: "a<b" would be a broken document."""
    latex = _TAG.sub(r"\\qquad\\text{(\1)}", latex)
    parts: list[str] = []
    end = 0
    for found in _TEXT.finditer(latex):
        parts += [_outside_text(latex[end : found.start()]), re.sub("[<>&]", _in_text, found[0])]
        end = found.end()
    return "".join([*parts, _outside_text(latex[end:])])


def _outside_text(latex: str) -> str:
    return re.sub("[<>]", lambda found: _UNSAFE_IN_XML[found[0]], latex)


def _in_text(found: re.Match[str]) -> str:
    return {"<": "‹", ">": "›", "&": "＆"}[found[0]]


def answer(latex: str, display: bool) -> dict[str, object]:
    """What the parent is told about one formula."""
    try:
        result = draw(latex, display)
    except Exception as error:  # the library raises anything for what it cannot read
        result = {"problem": f"{type(error).__name__}: {error}"[:200]}
    return {"latex": latex, "display": display, **result}


def main() -> int:
    """Answer until the parent goes away."""
    lock_down(Role.WORKER)
    channel = StdioChannel()
    _ziamath()
    channel.send({"ready": True})
    while (request := channel.receive()) is not None:
        channel.send(answer(str(request["latex"]), bool(request["display"])))
    return 0


if __name__ == "__main__":
    sys.exit(main())
