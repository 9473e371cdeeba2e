"""From stored messages to what a model is asked."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
from support.records import message

from desktop.chat.context import turns_for
from models.runtime.values import Image, Turn

MESSAGES = st.lists(
    st.builds(
        lambda role, text: message(role=role, text=text),
        st.sampled_from(["user", "assistant"]),
        st.text(max_size=5),
    )
)


def test_the_system_prompt_comes_first_and_an_empty_one_is_left_out() -> None:
    asked = [message(role="user", text="Hi")]
    assert turns_for(asked, " Be brief. ") == (Turn("system", "Be brief."), Turn("user", "Hi"))
    assert turns_for(asked, "  ") == (Turn("user", "Hi"),)


def test_an_answer_that_never_began_is_left_out_and_the_questions_become_one() -> None:
    asked = [
        message(role="user", text="One"),
        message(role="assistant", text=""),
        message(role="user", text="Two"),
    ]
    assert turns_for(asked, "") == (Turn("user", "One\n\nTwo"),)


def test_images_go_with_their_questions_and_what_is_left_out_is_a_word() -> None:
    red, blue = Image(b"red"), Image(b"blue")
    asked = [
        message(role="user", text="One", attachments=(1, 2)),
        message(role="user", text="", attachments=(3,)),
        message(role="assistant", text="Two squares."),
        message(role="user", text="And this?", attachments=(4,)),
    ]
    assert turns_for(asked, "", {1: red, 2: blue, 3: red}) == (
        Turn("user", "One\n\n", (red, blue, red)),
        Turn("assistant", "Two squares."),
        Turn("user", "[image]\nAnd this?"),
    )


@given(MESSAGES)
def test_roles_always_alternate_and_no_word_is_lost(messages: list) -> None:  # type: ignore[type-arg]
    turns = turns_for(messages, "")
    assert all(a.role != b.role for a, b in pairwise(turns))
    together = "".join(turn.text for turn in turns)
    assert all(m.text in together for m in messages if m.text.strip())
