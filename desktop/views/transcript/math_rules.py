r"""Mathematics in Markdown as language models write it: `$…$`, `$$…$$`, `\(…\)`, `\[…\]` and bare environments.

The dollar forms come from mdit-py-plugins; this file adds the backslash forms, which CommonMark would read as
escaped brackets, and `\begin{align} … \end{align}`.
"""

from __future__ import annotations

import re

from markdown_it import MarkdownIt
from markdown_it.rules_block import StateBlock
from markdown_it.rules_inline import StateInline
from mdit_py_plugins.dollarmath import dollarmath_plugin

_ENVIRONMENT = re.compile(
    r"\\begin\{((?:equation|align|aligned|alignat|gather|gathered|multline|cases|split)\*?)\}"
)
# "\[1\]" is far more often an escaped footnote mark than a formula.
_LOOKS_LIKE_MATH = re.compile(r"[\\^_={}<>+]")
MAX_LINES = 80  # a display formula longer than this is not one


def mathematics(md: MarkdownIt) -> None:
    """Plugin: tokens `math_inline`, `math_inline_double` and `math_block`, with the LaTeX as their content."""
    # Without spaces and digits inside the dollars, "between $5 and $10" stays money.
    dollarmath_plugin(md, allow_labels=False, allow_space=False, allow_digits=False, double_inline=True)
    md.inline.ruler.before("escape", "math_backslash", _inline)
    interrupts = ["paragraph", "reference", "blockquote", "list"]
    md.block.ruler.before("fence", "math_backslash_block", _block, {"alt": interrupts})


def _inline(state: StateInline, silent: bool) -> bool:
    opening = state.src[state.pos : state.pos + 2]
    closing = {"\\(": "\\)", "\\[": "\\]"}.get(opening)
    if closing is None:
        return False
    end = state.src.find(closing, state.pos + 2)
    content = state.src[state.pos + 2 : end].strip()
    if end < 0 or not content:
        return False
    if opening == "\\[" and not _LOOKS_LIKE_MATH.search(content):
        return False
    if not silent:
        token = state.push("math_inline" if opening == "\\(" else "math_inline_double", "math", 0)
        token.content = content
    state.pos = end + 2
    return True


def delimiters(line: str) -> tuple[str, str] | None:
    """The opening of a display formula at the start of `line`, and what closes it."""
    if line.startswith("\\["):
        return "\\[", "\\]"
    found = _ENVIRONMENT.match(line)
    return (found[0], f"\\end{{{found[1]}}}") if found else None


def _block(state: StateBlock, start_line: int, end_line: int, silent: bool) -> bool:
    if state.is_code_block(start_line):
        return False
    lines = [_line(state, start_line)]
    ends = delimiters(lines[0])
    if ends is None:
        return False
    opening, closing = ends
    last = start_line
    while not _closed(lines, opening, closing):
        last += 1
        if last >= min(end_line, start_line + MAX_LINES) or state.sCount[last] < state.blkIndent:
            return False
        lines.append(_line(state, last))
    source = "\n".join(lines).strip()
    content = source[2:-2].strip() if opening == "\\[" else source
    # "\[1\]: a note" and "\[x\] more words" are text.
    if opening == "\\[" and not _LOOKS_LIKE_MATH.search(content):
        return False
    if silent:
        return True
    token = state.push("math_block", "math", 0)
    token.block = True
    token.content = content
    token.map = [start_line, last + 1]
    state.line = last + 1
    return True


def _line(state: StateBlock, line: int) -> str:
    return state.src[state.bMarks[line] + state.tShift[line] : state.eMarks[line]]


def _closed(lines: list[str], opening: str, closing: str) -> bool:
    rest = lines[-1][len(opening) :] if len(lines) == 1 else lines[-1]
    return rest.rstrip().endswith(closing)
