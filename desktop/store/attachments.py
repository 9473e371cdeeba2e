"""What goes with a question or a draft: images. Functions on a connection, in the caller's transaction.

Their content is read one by one, when it is shown or sent: no listing, and no opening of a conversation, reads it.
"""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Sequence

from desktop.store.records import Attachment, NewAttachment
from desktop.store.text import storable

_COLUMNS = "id, conversation_id, message_id, kind, media_type, name, width, height, content"


def attachment(connection: sqlite3.Connection, attachment_id: int) -> Attachment:
    """One attachment, with its content. Raises LookupError."""
    row = connection.execute(f"SELECT {_COLUMNS} FROM attachment WHERE id = ?", (attachment_id,)).fetchone()
    if row is None:
        raise LookupError(f"no attachment {attachment_id}")
    return Attachment(*row)


def attached_to(connection: sqlite3.Connection, message_id: int) -> tuple[int, ...]:
    """The ids of what goes with a message, in its order."""
    rows = connection.execute(
        "SELECT id FROM attachment WHERE message_id = ? ORDER BY place, id", (message_id,)
    )
    return tuple(attachment_id for (attachment_id,) in rows)


def by_message(connection: sqlite3.Connection, conversation_id: int) -> dict[int, tuple[int, ...]]:
    """The ids of what goes with the messages of a conversation, for those that have any."""
    found: defaultdict[int, list[int]] = defaultdict(list)
    rows = connection.execute(
        """
        SELECT message_id, id FROM attachment
        WHERE conversation_id = ? AND message_id NOTNULL ORDER BY message_id, place, id
        """,
        (conversation_id,),
    )
    for message_id, attachment_id in rows:
        found[message_id].append(attachment_id)
    return {message_id: tuple(ids) for message_id, ids in found.items()}


def attach(
    connection: sqlite3.Connection,
    conversation_id: int | None,
    message_id: int | None,
    attached: Sequence[NewAttachment | int],
) -> tuple[int, ...]:
    """Store what goes with a message or, without one, with a draft: new, or a copy of one that is there (its id).

    Returns the new ids, in order. Raises LookupError for an id that does not exist.
    """
    return tuple(
        _copy(connection, conversation_id, message_id, place, one)
        if isinstance(one, int)
        else _insert(connection, conversation_id, message_id, place, one)
        for place, one in enumerate(attached)
    )


def draft_attachments(connection: sqlite3.Connection, conversation_id: int | None) -> list[Attachment]:
    """What was added and not sent, in its order. None: to the conversation that does not exist yet."""
    rows = connection.execute(
        f"""
        SELECT {_COLUMNS} FROM attachment
        WHERE conversation_id IS ? AND message_id IS NULL ORDER BY place, id
        """,
        (conversation_id,),
    )
    return [Attachment(*row) for row in rows]


def set_draft_attachments(
    connection: sqlite3.Connection, conversation_id: int | None, attached: Sequence[NewAttachment | int]
) -> tuple[int, ...]:
    """Keep what is added and not sent, in this order: new, or the id of what the draft has. The rest of it goes.

    Returns the ids. Of a conversation that was deleted meanwhile nothing is kept, and there are none.
    """
    rows = connection.execute(
        "SELECT id FROM attachment WHERE conversation_id IS ? AND message_id IS NULL", (conversation_id,)
    )
    had = {attachment_id for (attachment_id,) in rows}
    if conversation_id is not None and not _exists(connection, conversation_id):
        return ()
    for gone in had - {one for one in attached if isinstance(one, int)}:
        connection.execute("DELETE FROM attachment WHERE id = ?", (gone,))
    ids = []
    for place, one in enumerate(attached):
        if isinstance(one, int) and one in had:
            connection.execute("UPDATE attachment SET place = ? WHERE id = ?", (place, one))
            ids.append(one)
        elif isinstance(one, int):
            ids.append(_copy(connection, conversation_id, None, place, one))
        else:
            ids.append(_insert(connection, conversation_id, None, place, one))
    return tuple(ids)


def _exists(connection: sqlite3.Connection, conversation_id: int) -> bool:
    found = connection.execute("SELECT 1 FROM conversation WHERE id = ?", (conversation_id,)).fetchone()
    return found is not None


def _insert(
    connection: sqlite3.Connection,
    conversation_id: int | None,
    message_id: int | None,
    place: int,
    new: NewAttachment,
) -> int:
    inserted = connection.execute(
        """
        INSERT INTO attachment
            (conversation_id, message_id, place, kind, media_type, name, width, height, content)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
        """,
        (
            *(conversation_id, message_id, place, new.kind, new.media_type),
            *(storable(new.name), new.width, new.height, new.content),
        ),
    )
    assert inserted.lastrowid is not None
    return inserted.lastrowid


def _copy(
    connection: sqlite3.Connection,
    conversation_id: int | None,
    message_id: int | None,
    place: int,
    attachment_id: int,
) -> int:
    copied = connection.execute(
        """
        INSERT INTO attachment
            (conversation_id, message_id, place, kind, media_type, name, width, height, content)
        SELECT ?, ?, ?, kind, media_type, name, width, height, content FROM attachment WHERE id = ?
        """,
        (conversation_id, message_id, place, attachment_id),
    )
    if copied.rowcount != 1 or copied.lastrowid is None:
        raise LookupError(f"no attachment {attachment_id}")
    return copied.lastrowid
