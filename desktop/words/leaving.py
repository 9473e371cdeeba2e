"""What would leave this device, in words: every turn as it goes, how much that is, and about what it costs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from desktop.i18n import tr
from desktop.words.remote import money

if TYPE_CHECKING:
    from models.runtime.values import Turn
    from providers.costs.prices import Price

_CHARACTERS_PER_TOKEN = 4  # of English; other languages need more tokens


def characters_of(turns: Sequence[Turn]) -> int:
    return sum(len(turn.text) for turn in turns)


def images_of(turns: Sequence[Turn]) -> int:
    return sum(len(turn.images) for turn in turns)


def words_of_turns(turns: Sequence[Turn]) -> str:
    """Every turn as it goes, under who says it."""
    who = {"system": tr("Instructions"), "user": tr("You"), "assistant": tr("Answer")}
    parts = []
    for turn in turns:
        images = "".join(
            f"\n[{tr('an image of {size} kB', size=max(1, len(image.data) // 1000))}]"
            for image in turn.images
        )
        parts.append(f"{who.get(turn.role, turn.role)}:{images}\n{turn.text}")
    return "\n\n".join(parts)


def size_words(turns: Sequence[Turn]) -> str:
    """How much it is, in a sentence."""
    characters, images = characters_of(turns), images_of(turns)
    said = tr(
        "{messages} messages with {characters} characters, about {tokens} tokens",
        messages=len(turns),
        characters=f"{characters:,}",
        tokens=f"{max(1, characters // _CHARACTERS_PER_TOKEN):,}",
    )
    return said + (" " + tr("and {count} images.", count=images) if images else ".")


def estimate_words(price: Price | None, characters: int, images: int) -> str:
    """About what a question of this length costs, in a sentence. Unknown is said to be unknown."""
    from providers.costs.prices import about_tokens, estimated

    found = estimated(price, about_tokens(characters, images))
    if price is None or found is None:
        return tr("What it costs is not known.")
    asked, answered = found
    return tr(
        "It costs about {asked} to send, and about {answered} with an answer of 1,000 tokens (prices of {day}).",
        asked=money(f"{asked:f}", "USD"),
        answered=money(f"{answered:f}", "USD"),
        day=price.priced_on or tr("your own list"),
    )


def estimate_in_short(price: Price | None, characters: int, images: int) -> str:
    """The same in a few words."""
    from providers.costs.prices import about_tokens, estimated

    found = estimated(price, about_tokens(characters, images))
    if found is None:
        return tr("cost not known")
    asked, answered = (money(f"{amount:f}", "USD") for amount in found)
    return tr("about {asked} to send, {answered} with 1,000 tokens of answer", asked=asked, answered=answered)


def not_sent_words(host: str) -> str:
    """What stays here, and what goes along unseen."""
    return tr(
        "Not sent: your name, this computer's name, other conversations, and files that are not shown here. "
        "If {host} asks for a key, yours goes along. The ledger gets a row, without these words.",
        host=host,
    )
