"""Messages: a tree in each conversation, of which one branch is shown. Functions on a connection, in the
caller's transaction.

Nothing is ever changed or removed to make room for something else: asking differently adds a question beside
the old one, answering again adds an answer beside the old one. `conversation.head_id` is the leaf on screen.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from desktop.store.attachments import attach, attached_to, by_message, set_draft_attachments
from desktop.store.conversations import conversation, create_conversation, title_from
from desktop.store.drafts import set_draft
from desktop.store.records import Conversation, Message, NewAttachment, Status
from desktop.store.text import storable

_STATUSES = {status.value: status for status in Status}

_COUNTED = (
    *("prompt_tokens", "reused_tokens", "generated_tokens", "context_tokens", "omitted_turns"),
    *("first_token_ms", "prompt_ms", "generate_ms", "reasoning_ms", "stop_reason"),
    *("provider", "cost", "currency", "cost_basis", "priced_on"),
)
_NOT_COUNTED = (0, 0, 0, 0, 0, 0.0, 0.0, 0.0, 0.0, "", "", "", "", "", "")

# Of a question only these differ from one to the next. Not reading the others makes a long conversation open
# a third faster.
_QUESTION_COLUMNS = "id, parent_id, text, created_at, finished_at"
_QUESTION_WIDTH = 5
_ANSWER_COLUMNS = (
    "id, parent_id, text, reasoning, status, created_at, finished_at, "
    "model, fault, fault_detail, fault_facts, " + ", ".join(_COUNTED)
)


def add_turn(
    connection: sqlite3.Connection,
    conversation_id: int | None,
    parent_id: int | None,
    text: str,
    model: str,
    attached: Sequence[NewAttachment | int] = (),
    provider: str = "",
) -> tuple[Conversation, Message, Message]:
    """Add a question below `parent_id` and an empty answer to it, and show them.

    `conversation_id` None begins a conversation. `parent_id` None puts the question at the root, beside other
    first questions if there are any. When the question continues what is shown, it was the draft, which goes.
    `attached`: what goes with the question, new or a copy of an attachment that is there (its id). `provider`: where
    `model` is, "" for this device. Raises LookupError for ids that do not exist or do not belong together.
    """
    now = time.time()
    if parent_id is not None:
        owner, _, role = _place(connection, parent_id)
        if owner != conversation_id or role == "user":
            raise LookupError(f"message {parent_id} is no answer in conversation {conversation_id}")
    if conversation_id is None:
        drafted: int | None = None
        is_draft = True
        conversation_id = create_conversation(connection, _title(text, attached), now)
    else:
        drafted = conversation_id
        is_draft = parent_id == conversation(connection, conversation_id).head_id
    question_id = _insert(
        connection,
        {
            "conversation_id": conversation_id,
            "parent_id": parent_id,
            "role": "user",
            "text": storable(text),
            "status": Status.COMPLETE.value,
            "created_at": now,
            "finished_at": now,
        },
    )
    attach(connection, conversation_id, question_id, attached)
    if is_draft:
        set_draft(connection, drafted, "")
        set_draft_attachments(connection, drafted, ())
    return _add_answer(connection, conversation_id, question_id, model, now, provider)


def _title(text: str, attached: Sequence[NewAttachment | int]) -> str:
    """The question's first words; for an image without words, its name."""
    names = (one.name for one in attached if isinstance(one, NewAttachment))
    return title_from(storable(text)) or title_from(storable(next(names, "")))


def add_reply(
    connection: sqlite3.Connection, question_id: int, model: str, provider: str = ""
) -> tuple[Conversation, Message, Message]:
    """Add one more, empty answer to a question, and show it. Raises LookupError."""
    conversation_id, _, role = _place(connection, question_id)
    if role != "user":
        raise LookupError(f"message {question_id} is no question")
    return _add_answer(connection, conversation_id, question_id, model, time.time(), provider)


def save_progress(connection: sqlite3.Connection, answer: Message) -> None:
    """Store how far a streaming answer has come. Raises LookupError when it has ended or does not exist.

    An answer that another process took for interrupted, since it did not know its writer, is streaming again.
    """
    changed = connection.execute(
        """
        UPDATE message SET text = ?, reasoning = ?, status = 'streaming'
        WHERE id = ? AND status IN ('streaming', 'interrupted')
        """,
        (storable(answer.text), storable(answer.reasoning), answer.id),
    )
    if changed.rowcount != 1:
        raise LookupError(f"no streaming answer {answer.id}")


def finish(connection: sqlite3.Connection, answer: Message) -> None:
    """Store an answer's end: everything but its place in the tree. Raises LookupError when there is none.

    May be repeated, for instance after the disk had refused it.
    """
    if answer.status is Status.STREAMING:
        raise ValueError("an answer that has ended is not streaming")
    values = {
        "text": storable(answer.text),
        "reasoning": storable(answer.reasoning),
        "status": answer.status.value,
        "finished_at": time.time() if answer.finished_at is None else answer.finished_at,
        "model": storable(answer.model),
        "fault": answer.fault,
        "fault_detail": storable(answer.fault_detail),
        "fault_facts": json.dumps(answer.fault_facts) if answer.fault_facts else "",
        **{column: getattr(answer, column) for column in _COUNTED},
    }
    assignments = ", ".join(f"{column} = ?" for column in values)
    changed = connection.execute(
        f"UPDATE message SET {assignments} WHERE id = ? AND role = 'assistant'", (*values.values(), answer.id)
    )
    if changed.rowcount != 1:
        raise LookupError(f"no answer {answer.id}")


def mark_interrupted(connection: sqlite3.Connection) -> int:
    """Answers that a process left streaming when it died are INTERRUPTED. Returns how many.

    Only for the process that holds the single-instance lock: another's answer may be streaming right now.
    """
    return connection.execute(
        "UPDATE message SET status = ? WHERE status = 'streaming'",
        (Status.INTERRUPTED.value,),
    ).rowcount


def message(connection: sqlite3.Connection, message_id: int) -> Message:
    """One message. Raises LookupError."""
    conversation_id, parent_id, role = _place(connection, message_id)
    columns, build = _KINDS[role == "user"]
    row = connection.execute(f"SELECT {columns} FROM message WHERE id = ?", (message_id,)).fetchone()
    found = build(conversation_id, row, _siblings(connection, conversation_id, parent_id))
    found.attachments = attached_to(connection, message_id)
    return found


def path(connection: sqlite3.Connection, conversation_id: int) -> list[Message]:
    """The branch that is shown, from its first question on. Raises LookupError."""
    return _path(connection, conversation_id, conversation(connection, conversation_id).head_id)


def newest(connection: sqlite3.Connection, conversation_id: int, count: int) -> list[Message]:
    """The last messages of `path`, at most `count`, without reading the others. Raises LookupError."""
    found = connection.execute(
        """
        WITH RECURSIVE up (id, parent_id, place) AS (
            SELECT id, parent_id, 1 FROM message WHERE id = ?
            UNION ALL
            SELECT message.id, message.parent_id, place + 1
            FROM message JOIN up ON message.id = up.parent_id WHERE place < ?
        )
        SELECT id FROM up ORDER BY place DESC
        """,
        (conversation(connection, conversation_id).head_id, count),
    )
    ids = dict.fromkeys(
        message_id for (message_id,) in found
    )  # once each: damaged links may lead in a circle
    return [message(connection, message_id) for message_id in ids]


def path_to(connection: sqlite3.Connection, message_id: int) -> list[Message]:
    """The messages from the first question to this one, itself included. Raises LookupError."""
    conversation_id, _, _ = _place(connection, message_id)
    return _path(connection, conversation_id, message_id)


def switch_branch(connection: sqlite3.Connection, message_id: int, branch: int) -> Conversation:
    """Show alternative number `branch` (from 1) of this message, down to the newest message below it.

    Raises LookupError when there is no such message or alternative.
    """
    conversation_id, parent_id, _ = _place(connection, message_id)
    siblings = _siblings(connection, conversation_id, parent_id)
    if not 1 <= branch <= len(siblings):
        raise LookupError(f"message {message_id} has {len(siblings)} alternatives, not {branch}")
    (leaf,) = connection.execute(
        """
        WITH RECURSIVE below (id) AS (
            VALUES (?) UNION ALL SELECT message.id FROM message JOIN below ON message.parent_id = below.id
        )
        SELECT max(id) FROM below
        """,
        (siblings[branch - 1],),
    ).fetchone()
    connection.execute("UPDATE conversation SET head_id = ? WHERE id = ?", (leaf, conversation_id))
    return conversation(connection, conversation_id)


def _path(connection: sqlite3.Connection, conversation_id: int, leaf_id: int | None) -> list[Message]:
    """Reads the whole conversation, then walks upwards: asking for message after message takes longer."""
    rows: dict[int, Any] = {}
    siblings: defaultdict[int | None, list[int]] = defaultdict(list)
    for is_question, (columns, _) in _KINDS.items():
        found = connection.execute(
            f"SELECT {columns} FROM message WHERE conversation_id = ? AND (role = 'user') = ?",
            (conversation_id, is_question),
        )
        for row in found:
            rows[row[0]] = row
            siblings[row[1]].append(row[0])
    for ids in siblings.values():
        ids.sort()
    attached = by_message(connection, conversation_id)
    upwards = []
    current = leaf_id
    while current in rows:
        row = rows.pop(current)  # taken out, so that damaged links can't lead in a circle
        build = _question if len(row) == _QUESTION_WIDTH else _answer
        found_message = build(conversation_id, row, siblings[row[1]])
        if current in attached:
            found_message.attachments = attached[current]
        upwards.append(found_message)
        current = row[1]
    upwards.reverse()
    return upwards


def _question(conversation_id: int, row: tuple[Any, ...], siblings: list[int]) -> Message:
    message_id, parent_id, text, created_at, finished_at = row
    values: tuple[Any, ...] = (
        *(message_id, conversation_id, parent_id, "user"),
        *(text, "", Status.COMPLETE, created_at, finished_at),
        *("", "", "", {}),  # no model, no fault
        *_NOT_COUNTED,
        *(siblings.index(message_id) + 1, len(siblings)),
    )
    return Message(*values)


def _answer(conversation_id: int, row: tuple[Any, ...], siblings: list[int]) -> Message:
    message_id, parent_id, text, reasoning, status, created_at, finished_at = row[:7]
    model, fault, fault_detail, fault_facts, *counted = row[7:]
    values: tuple[Any, ...] = (
        *(message_id, conversation_id, parent_id, "assistant"),
        *(text, reasoning, _STATUSES.get(status, Status.INTERRUPTED)),  # unknown: damage unseen by SQLite
        *(created_at, finished_at, model, fault, fault_detail, _facts(fault_facts) if fault_facts else {}),
        *counted,
        *(siblings.index(message_id) + 1, len(siblings)),
    )
    return Message(*values)


def _facts(stored: str) -> dict[str, int | str]:
    """The facts of a fault, kept as a JSON object. Damaged: none, and the sentence does without."""
    try:
        facts = json.loads(stored)
    except ValueError:
        return {}
    return facts if isinstance(facts, dict) else {}


_KINDS = {True: (_QUESTION_COLUMNS, _question), False: (_ANSWER_COLUMNS, _answer)}
"""How a message is read, by whether it is a question."""


def _siblings(connection: sqlite3.Connection, conversation_id: int, parent_id: int | None) -> list[int]:
    """The alternatives below one parent, oldest first."""
    rows = connection.execute(
        "SELECT id FROM message WHERE conversation_id = ? AND parent_id IS ? ORDER BY id",
        (conversation_id, parent_id),
    )
    return [message_id for (message_id,) in rows]


def _place(connection: sqlite3.Connection, message_id: int) -> tuple[int, int | None, str]:
    """Conversation, parent and role of a message. Raises LookupError."""
    row: tuple[int, int | None, str] | None = connection.execute(
        "SELECT conversation_id, parent_id, role FROM message WHERE id = ?",
        (message_id,),
    ).fetchone()
    if row is None:
        raise LookupError(f"no message {message_id}")
    return row


def _insert(connection: sqlite3.Connection, values: dict[str, object]) -> int:
    places = ", ".join("?" * len(values))
    inserted = connection.execute(
        f"INSERT INTO message ({', '.join(values)}) VALUES ({places})",
        tuple(values.values()),
    )
    assert inserted.lastrowid is not None
    return inserted.lastrowid


def _add_answer(
    connection: sqlite3.Connection,
    conversation_id: int,
    question_id: int,
    model: str,
    now: float,
    provider: str,
) -> tuple[Conversation, Message, Message]:
    """An empty answer to a question, shown from now on: it is the conversation's head."""
    answer_id = _insert(
        connection,
        {
            "conversation_id": conversation_id,
            "parent_id": question_id,
            "role": "assistant",
            "text": "",
            "status": Status.STREAMING.value,
            "created_at": now,
            "model": storable(model),
            "provider": provider,
        },
    )
    connection.execute(
        "UPDATE conversation SET head_id = ?, updated_at = ? WHERE id = ?",
        (answer_id, now, conversation_id),
    )
    return (
        conversation(connection, conversation_id),
        message(connection, question_id),
        message(connection, answer_id),
    )
