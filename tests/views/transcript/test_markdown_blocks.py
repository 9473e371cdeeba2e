"""What becomes of Markdown: blocks of plain values, with nothing lost and nothing loaded."""

from __future__ import annotations

import pytest

from desktop.views.transcript.content import (
    Code,
    Formula,
    Kind,
    Paragraph,
    Place,
    Prose,
    Span,
    Style,
    Table,
    clean,
    clean_code,
    plain_text,
)
from desktop.views.transcript.markdown import is_link, language_of, parse


def prose(source: str) -> tuple[Paragraph, ...]:
    (block,) = parse(source)
    assert isinstance(block, Prose)
    return block.paragraphs


def spans(source: str) -> tuple[Span, ...]:
    (paragraph,) = prose(source)
    return paragraph.spans


def shown(source: str) -> str:
    return "\n".join(plain_text(paragraph.spans) for paragraph in prose(source))


def test_styles_combine() -> None:
    assert spans("a **b *c*** ~~d~~ `e`") == (
        Span("a "),
        Span("b ", Style.BOLD),
        Span("c", Style.BOLD | Style.ITALIC),
        Span(" "),
        Span("d", Style.STRIKE),
        Span(" "),
        Span("e", Style.CODE),
    )


def test_headings_keep_their_level_and_an_underlined_line_stays_text() -> None:
    first, second, third = prose("# One\n\n### Three\n\nText\n---")[:3]
    assert (first.kind, first.level) == (Kind.HEADING, 1)
    assert (second.kind, second.level) == (Kind.HEADING, 3)
    assert third.kind is Kind.TEXT
    assert prose("Text\n---")[1].kind is Kind.RULE


def test_a_line_break_that_was_written_is_shown() -> None:
    assert shown("Roses are red,\nviolets are blue.") == "Roses are red,\nviolets are blue."


def test_lists_become_indented_paragraphs_with_markers() -> None:
    items = prose("3. three\n4. four\n   - inner\n\n     more\n- [x] done\n- [ ] open")
    assert [(item.marker, item.place.indent, plain_text(item.spans)) for item in items] == [
        ("3.", 1, "three"),
        ("4.", 1, "four"),
        ("◦", 2, "inner"),
        ("", 2, "more"),
        ("☑", 1, "done"),
        ("☐", 1, "open"),
    ]


def test_quotations_know_where_their_bars_stand() -> None:
    outer, inner = prose("> a\n>\n> - b\n>\n>   > c")[0], prose("> a\n>\n> - b\n>\n>   > c")[-1]
    assert outer.place == Place(1, (0,))
    assert inner.place == Place(3, (0, 2))


def test_code_in_a_list_is_a_block_of_its_own_at_its_place() -> None:
    first, code, last = parse("1. one\n\n   ```python\n   print(1)\n   ```\n\n2. two")
    assert isinstance(first, Prose) and isinstance(last, Prose)
    assert code == Code("print(1)\n", "python", Place(1))


@pytest.mark.parametrize(
    ("source", "latex"),
    [
        ("$$\nx^2\n$$", "x^2"),
        ("$$x^2$$", "x^2"),
        ("\\[\nx^2\n\\]", "x^2"),
        ("\\[ x^2 \\]", "x^2"),
        ("\\begin{align}\na &= b\n\\end{align}", "\\begin{align}\na &= b\n\\end{align}"),
    ],
)
def test_display_mathematics_in_every_form_models_write(source: str, latex: str) -> None:
    assert parse(source) == [Formula(latex)]


@pytest.mark.parametrize("source", ["so $x^2$ is", "so \\(x^2\\) is"])
def test_inline_mathematics_stands_in_its_line(source: str) -> None:
    assert spans(source) == (Span("so "), Span("x^2", Style.CODE, formula="x^2"), Span(" is"))


@pytest.mark.parametrize(
    "source", ["between $5 and $10", "it costs 5$ or 6$", "\\[1\\] is a note", "a \\$ sign"]
)
def test_money_and_escaped_brackets_are_not_mathematics(source: str) -> None:
    assert not any(span.formula for span in spans(source))


def test_a_table_has_as_many_cells_in_each_row_as_in_its_header() -> None:
    (table,) = parse("| a | b |\n|:--|--:|\n| 1 |\n| 2 | 3 | 4 |\n")
    assert isinstance(table, Table)
    assert table.alignments == ("left", "right")
    assert [[plain_text(cell) for cell in row] for row in table.rows] == [["a", "b"], ["1", ""], ["2", "3"]]


def test_a_table_too_wide_to_lay_out_is_shown_as_text() -> None:
    columns = 300
    source = (
        "|".join("c" * columns)
        + "\n"
        + "|".join("-" for _ in range(columns))
        + "\n"
        + "|".join("1" * columns)
    )
    (block,) = parse(f"|{source.replace(chr(10), '|' + chr(10) + '|')}|")
    assert isinstance(block, Code)
    assert block.source.count("1") == columns


# ---- links and pictures


def test_a_link_shows_where_it_leads_unless_its_text_says_so() -> None:
    address = "https://example.org/a"
    assert shown(f"[here]({address})") == f"here ({address})"
    assert shown(f"[{address}]({address})") == address
    assert shown(f"<{address}>") == address
    assert all(span.href in ("", address) for span in spans(f"[here]({address})"))


def test_a_text_that_only_looks_like_the_address_does_not_hide_it() -> None:
    # The "а" is Cyrillic.
    assert (
        shown("[https://exаmple.org](https://evil.example)") == "https://exаmple.org (https://evil.example)"
    )
    assert "xn--" in shown("[https://exаmple.org](https://exаmple.org)")


@pytest.mark.parametrize(
    "address",
    [
        "javascript:alert(1)",
        "file:///etc/passwd",
        "//host/share",
        "\\\\host\\share",
        "C:/Windows",
        "data:text/html,x",
        "relative/path",
        "#anchor",
        "qrc:/x",
        "http:relative",
        "https://" + "a" * 3000,
    ],
)
def test_what_is_no_web_address_is_never_a_link_but_stays_visible(address: str) -> None:
    found = spans(f"[text](<{address}>)")
    assert not any(span.href for span in found)
    assert plain_text(found).startswith("text (")
    assert not is_link(address)


def test_a_picture_is_its_name_and_its_address() -> None:
    found = spans("![a cat](https://example.org/cat.png 'title')")
    assert plain_text(found) == "[image: a cat] (https://example.org/cat.png)"
    assert not any(span.href for span in found)


def test_a_huge_address_is_cut_where_it_is_shown() -> None:
    assert len(shown("![x](data:image/png;base64," + "A" * 100_000 + ")")) < 200


def test_html_is_text() -> None:
    source = "<img src='file:///x'> and <b>bold</b>"
    assert shown(source) == source
    assert shown("one<br>two<br/>three") == "one\ntwo\nthree"


def test_a_fence_names_a_language_only_with_a_single_word() -> None:
    assert language_of("python title=x") == "python"
    assert language_of("c++") == "c++"
    assert language_of("{.rust}") == "rust"
    for odd in ("/etc/passwd", "../../x", "a" * 50, "x;y", "<b>", "名前"):
        assert language_of(odd) == ""


# ---- odd characters


def test_controls_are_made_visible_and_qts_own_characters_harmless() -> None:
    assert clean("a\x00b\x1bc\x7f") == "a␀b␛c\ufffd"
    assert clean("x\u2028y\u2029z") == "x\ny\nz"
    assert clean("\ud800 \ufdd0 \ufffc \uffff") == "\ufffd \ufffd \ufffd \ufffd"
    assert clean("tab\tand\nnewline, é, 漢字, مرحبا, 😀") == "tab\tand\nnewline, é, 漢字, مرحبا, 😀"


def test_code_shows_the_characters_that_would_turn_its_reading_order() -> None:
    assert clean_code("if admin:\u202e # no") == "if admin:⟨U+202E⟩ # no"


def test_depth_without_end_is_shown_as_it_is() -> None:
    for source in (">" * 500 + " deep", "- " * 500 + "deep", "1. " * 200 + "deep"):
        assert "deep" in shown(source)


def test_a_line_of_nothing_but_marks_is_shown_as_it_is() -> None:
    for mark in ("[", "![", "*a_", "](", "<", "$a ", "~~a"):
        source = mark * 5_000
        assert shown(source).strip() == source.strip()
