"""Cards of models are a stranger's words: tags become Markdown or go, nothing is fetched, and they come up at once."""

from __future__ import annotations

import pytest
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QLabel, QTextBrowser
from pytestqt.qtbot import QtBot
from support.hostile_markdown import PAYLOADS

from desktop.views.models_page.card import CardPane
from desktop.views.models_page.card_text import MOST_CHARS, readable_card
from desktop.views.theme import Theme


@pytest.mark.parametrize(
    ("card", "read"),
    [
        ('<img src="http://x.y/z.png" alt="A logo">', "A logo"),
        ("![a chart](http://x.y/z.png) and ![](file:///etc/passwd)", "a chart and"),
        ('<a href="https://x.y/z">its <b>paper</b></a>', "[its **paper**](https://x.y/z)"),
        ('<a href="javascript:run()">run</a>', "run"),
        ('<div align="center"><h1>Name</h1></div>', "# Name"),
        ("<!-- hidden --> seen", "seen"),
        ("<script>run()</script>seen <style>p {}</style>", "seen"),
        ("```html\n<b>kept</b>\n```", "```html\n<b>kept</b>\n```"),
        ("1 < 2 and 3 > 2, <|im_start|>user", "1 < 2 and 3 > 2, <|im_start|>user"),
        ("<a href='https://x.y'>never closed", "[never closed](https://x.y)"),
        ("<ul><li>one</li><li>two</li></ul>", "- one\n- two"),
    ],
)
def test_tags_become_markdown_or_go(card: str, read: str) -> None:
    assert readable_card(card).strip() == read


def test_a_card_that_is_very_long_is_cut() -> None:
    assert len(readable_card("word " * MOST_CHARS)) <= MOST_CHARS + 10


@pytest.mark.parametrize(
    "card", ["<" * 50_000, "<a " * 20_000, "<!--" * 15_000, "![" * 25_000, "<p " + "a=" * 25_000]
)
def test_no_card_keeps_the_page_busy(card: str) -> None:
    assert readable_card(card) is not None


def test_a_long_card_has_widgets_for_what_is_seen_and_its_links_are_only_copied(qtbot: QtBot) -> None:
    theme = Theme()
    theme.use("light", 100)
    pane = CardPane(theme)
    qtbot.addWidget(pane)
    said: list[str] = []
    pane.said.connect(said.append)
    pane.resize(600, 500)
    pane.show()
    card = "\n\n".join(
        f"## Part {number}\n\nSome words about it, and more of them. " * 4 for number in range(200)
    )
    pane.show_card([("Licence", "mit")], card, cut=True)
    body = pane.body_text
    qtbot.waitUntil(lambda: bool(body.findChildren(QTextBrowser)), timeout=10_000)
    made = len(body.findChildren(QTextBrowser))
    assert 0 < made < len(body._parts)

    def the_end_is_seen() -> bool:
        pane.verticalScrollBar().setValue(pane.verticalScrollBar().maximum())
        return any("Part 199" in view.toPlainText() for view in body.findChildren(QTextBrowser))

    qtbot.waitUntil(the_end_is_seen, timeout=10_000)
    body.open_link("https://example.org/paper")
    assert QGuiApplication.clipboard().text() == "https://example.org/paper"
    assert said == ["Link copied: https://example.org/paper"]
    pane.show_card([], "", cut=False)
    assert "no description" in pane.note.text()


def test_hostile_cards_are_drawn_like_any_other(qtbot: QtBot) -> None:
    theme = Theme()
    theme.use("dark", 100)
    pane = CardPane(theme)
    qtbot.addWidget(pane)
    pane.resize(600, 500)
    pane.show()
    for card in PAYLOADS:
        pane.show_card([("Name", card[:200])], card, cut=False)
    assert all(label.textFormat() == label.textFormat().PlainText for label in pane.findChildren(QLabel))
