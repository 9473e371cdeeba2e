"""Whether a conversation may go to a remote model: what is chosen for it decides, and in doubt it stays.

Two options of a conversation (`Store.conversation_options`):

    "stays"     true: it never leaves this device. Nothing overrides it but taking the label off. Putting it on takes
                every agreement back, so that without the label the person is asked anew.
    "leaves_to" the ids of the providers that the person has agreed to, having seen what would be sent.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from desktop.store.records import Option
    from desktop.store.store import Store

STAYS = "stays"
LEAVES_TO = "leaves_to"


def stays(options: Mapping[str, Option]) -> bool:
    """Whether the conversation is labelled “never leaves this device”. A damaged label is one, too."""
    return options.get(STAYS, False) is not False


def agreed(options: Mapping[str, Option]) -> frozenset[str]:
    """The providers that the person has agreed to for this conversation."""
    found = options.get(LEAVES_TO)
    return (
        frozenset(name for name in found if isinstance(name, str)) if isinstance(found, list) else frozenset()
    )


def may_leave(options: Mapping[str, Option], provider: str) -> bool:
    """Whether this conversation may go to this provider now."""
    return provider in agreed(options) and not stays(options)


async def label(store: Store, conversation_id: int, kept: bool) -> None:
    """Put the label “never leaves this device” on a conversation, or take it off. Raises `StoreFault`, LookupError."""
    await store.set_conversation_option(conversation_id, STAYS, True if kept else None)
    if kept:
        await store.set_conversation_option(conversation_id, LEAVES_TO, None)
