"""Reading Markdown in pieces gives what reading it whole gives, however it is cut."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from desktop.views.transcript import pieces
from desktop.views.transcript.content import Block, Code, Formula, Prose, Table, plain_text
from desktop.views.transcript.find import text_of
from desktop.views.transcript.markdown import parse
from desktop.views.transcript.pieces import LONGEST_PIECE, Growing, split

# Lines as models write them, in any order.
LINES = st.sampled_from(
    [
        "Some words and **bold** ones.",
        "`code` and more",
        "",
        "",
        "",
        "- first",
        "- second with `code`",
        "  - nested",
        "* star",
        "1. one",
        "1. again one",
        "7. seven",
        "   continued",
        "# Heading",
        "## Another",
        "---",
        "> quoted",
        "> - a list in it",
        "```",
        "```python",
        "def f(): return 1",
        "| a | b |",
        "|---|---|",
        "| 1 | 2 |",
        "$$x$$",
        "a $x$ b",
        "It costs $5 or $$",
        "<b>",
    ]
)
TEXTS = st.builds("\n".join, st.lists(LINES, max_size=14))


def streamed(text: str, sizes: list[int]) -> list[Block]:
    growing = Growing()
    at = turn = 0
    while at < len(text):
        step = sizes[turn % len(sizes)]
        growing.feed(text[at : at + step])
        at, turn = at + step, turn + 1
    return [block for part in growing.finish() for block in part.blocks]


def comparable(blocks: list[Block]) -> list[Block]:
    """An unclosed fence may keep or lose empty lines at the end of a text; that is all that may differ."""
    return [
        Code(block.source.strip("\n\t "), block.language, block.place) if isinstance(block, Code) else block
        for block in blocks
    ]


@given(TEXTS, st.lists(st.integers(1, 12), min_size=1, max_size=5))
def test_a_streamed_answer_ends_as_the_whole_text_reads(text: str, sizes: list[int]) -> None:
    assert comparable(streamed(text, sizes)) == comparable(parse(text))


@given(TEXTS, st.integers(1, 9))
def test_at_every_moment_what_stands_there_is_what_has_come(text: str, step: int) -> None:
    growing = Growing()
    for at in range(0, len(text), step):
        growing.feed(text[at : at + step])
        stands = [block for part in growing.parts for block in part.blocks]
        assert trimmed(stands) == trimmed(parse(text[: at + step]))


def trimmed(blocks: list[Block]) -> list[tuple[str, ...]]:
    """The words of each block; a space at the end of a line that is still being written may be there or not."""
    return [(type(block).__name__, *text_of(block).strip().split("\n")) for block in comparable(blocks)]


@given(TEXTS)
def test_nothing_of_a_text_is_lost_while_it_streams(text: str) -> None:
    growing = Growing()
    for character in text:
        growing.feed(character)
    assert growing.text == text
    assert "".join(part.source for part in growing.parts) == text


@given(st.text(max_size=300))
def test_any_text_at_all_can_be_read(text: str) -> None:
    assert isinstance(parse(text), list)
    assert "".join(part.source for part in split(text, typed=True)) == text
    streamed(text, [7])


def test_a_list_that_is_numbered_with_ones_counts_on() -> None:
    text = "".join(f"1. item {number}\n" for number in range(50))
    (block,) = streamed(text, [5])
    assert isinstance(block, Prose)
    assert [paragraph.marker for paragraph in block.paragraphs] == [f"{number}." for number in range(1, 51)]


def test_a_long_table_stays_one_table_while_its_rows_come() -> None:
    text = "| a | b |\n|---|---|\n" + "".join(f"| {number} | x |\n" for number in range(200))
    (table,) = streamed(text, [6])
    assert isinstance(table, Table)
    assert len(table.rows) == 201


def test_nothing_is_closed_inside_an_open_fence_or_formula() -> None:
    for opening, closing, kind in (
        ("```python", "```", Code),
        ("$$", "$$", Formula),
        ("\\[", "\\]", Formula),
    ):
        text = f"Before.\n\n{opening}\nx = 1\n\n# not a heading\n\ny = 2\n{closing}\n\nAfter.\n"
        blocks = streamed(text, [3])
        assert [type(block) for block in blocks] == [Prose, kind, Prose]


def test_a_link_defined_at_the_end_is_a_link_in_the_finished_answer() -> None:
    text = "See [it].\n\n" + "Words. " * 2_000 + "\n\n[it]: https://example.org\n"
    first = streamed(text, [50])[0]
    assert isinstance(first, Prose)
    assert any(span.href == "https://example.org" for span in first.paragraphs[0].spans)


def test_only_what_is_still_open_is_read_again() -> None:
    growing = Growing()
    for number in range(400):
        growing.feed(f"Paragraph number {number} has a few words in it.\n\n")
    closed = [part.blocks for part in growing.parts[:-1]]
    growing.feed("And one more.")
    assert all(part.blocks is blocks for part, blocks in zip(growing.parts, closed, strict=False))
    assert len(growing.parts[-1].source) < 2 * pieces.PART_CHARS


def test_what_a_person_typed_is_shown_as_typed() -> None:
    typed = "# not a heading\n  indented __name__ and *stars*\n- no list\n\nsecond"
    ((block,),) = [part.blocks for part in split(typed, typed=True)]
    assert isinstance(block, Prose)
    assert [plain_text(paragraph.spans) for paragraph in block.paragraphs] == typed.split("\n\n")


def test_code_that_a_person_fenced_is_a_listing() -> None:
    ((before, code, after),) = [part.blocks for part in split("look:\n```py\nx\n```\nnice", typed=True)]
    assert isinstance(before, Prose) and isinstance(after, Prose)
    assert code == Code("x\n", "py")


# ---- the worst that a model can write: finished in reasonable time (the suite's own limit), nothing lost


def words_of(text: str) -> str:
    return "".join(character for character in text if character.isalnum())


def shown(blocks: list[Block]) -> str:
    found = []
    for block in blocks:
        match block:
            case Prose():
                found += [plain_text(paragraph.spans) for paragraph in block.paragraphs]
            case Code():
                found.append(block.source)
            case Table():
                found += [plain_text(cell) for row in block.rows for cell in row]
            case Formula():
                found.append(block.latex)
    return words_of("".join(found))


def all_blocks(text: str) -> list[Block]:
    return [block for part in split(text) for block in part.blocks]


def test_a_million_characters_without_a_line_break() -> None:
    text = "word " * 200_000
    blocks = all_blocks(text)
    assert shown(blocks) == words_of(text)
    assert all(len(part.source) <= LONGEST_PIECE + pieces.PART_CHARS for part in split(text))


def test_a_million_characters_without_a_space() -> None:
    assert shown(all_blocks("x" * 1_000_000)) == "x" * 1_000_000


def test_a_megabyte_of_ordinary_answer_is_many_parts() -> None:
    text = "Some **words** in a paragraph, and `more`.\n\n- item one\n- item two\n\n" * 14_000
    parts = split(text)
    assert len(parts) > 200
    assert "".join(part.source for part in parts) == text
    assert shown(list(parts[100].blocks))


def test_ten_thousand_lines_of_code_are_one_listing() -> None:
    body = "".join(f"line_{number} = {number}\n" for number in range(10_000))
    (code,) = all_blocks(f"```python\n{body}```\n")
    assert code == Code(body, "python")


def test_a_table_of_a_megabyte_becomes_tables_that_can_be_laid_out() -> None:
    text = "| a | b |\n|---|---|\n" + "".join(f"| cell {number} | other |\n" for number in range(40_000))
    parts = split(text)
    first, second = parts[0].blocks[0], parts[1].blocks[0]
    assert isinstance(first, Table) and isinstance(second, Table)
    assert first.rows[0] == second.rows[0]
    assert len(first.rows) < 2_000


def test_marks_that_never_end() -> None:
    marks = "[ ![ **a ` `` $ $$ \\( \\[ < & | >\t -\t [a]( [a]:\t # ~ _a"
    for mark in marks.split(" "):
        text = mark * (20_000 // len(mark))
        assert shown(all_blocks(text)).count("a") == text.count("a")
    for line in (
        "|\n|-\n",
        "a\n-\n",
        "[x]:\n",
        "```\n",
        "$$\n",
        "> ```\n",
        "- ```\n",
        "    x\n",
        "\t\n",
        "1. \n",
    ):
        assert isinstance(all_blocks(line * (20_000 // len(line))), list)
