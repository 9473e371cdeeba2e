"""What can be done by key or by name: one table for the shortcuts, the command palette and the list of keys.

PySide makes each of Qt's classes when it is first imported. Those that only a key press needs are imported then:
the window is waited for.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt

from desktop.i18n import tr

if TYPE_CHECKING:
    from PySide6.QtGui import QKeyEvent, QKeySequence


@dataclass(frozen=True, slots=True)
class Command:
    """`keys` are portable key sequences. `by_name` commands are also offered by the command palette."""

    name: str
    label: str
    keys: tuple[str, ...] = ()
    by_name: bool = True


def commands() -> tuple[Command, ...]:
    """Every command of the window, in the order in which they are listed to a person."""
    return (
        Command("new", tr("New conversation"), ("Ctrl+N",)),
        Command("palette", tr("Search conversations and commands"), ("Ctrl+K",), by_name=False),
        Command("find", tr("Find in this conversation"), ("Ctrl+F",)),
        Command("find_next", tr("Find the next match"), ("F3",), by_name=False),
        Command("find_previous", tr("Find the previous match"), ("Shift+F3",), by_name=False),
        Command("composer", tr("Go to the message field"), ("Ctrl+L",), by_name=False),
        Command("model", tr("Choose a model"), ("Ctrl+M",)),
        Command("open_model", tr("Open a model file…")),
        Command("models", tr("All models"), ("Ctrl+Shift+M",)),
        Command("find_models", tr("Find more models…")),
        Command("downloads", tr("Downloads of models")),
        Command("template", tr("Chat template of this model")),
        Command("make_smaller", tr("Make a smaller version of the model…")),
        Command("model_settings", tr("Settings of the model in use")),
        Command("answers", tr("Answers in this conversation: JSON, adapters…")),
        Command("copy_answer", tr("Copy the last answer"), ("Ctrl+Shift+C",)),
        Command("copy_conversation", tr("Copy the whole conversation")),
        Command("undo_delete", tr("Undo the deletion of a conversation"), ("Ctrl+Z",)),
        Command("rename", tr("Rename this conversation")),
        Command("delete", tr("Delete this conversation")),
        Command("previous", tr("Conversation above"), ("Alt+Up",), by_name=False),
        Command("next", tr("Conversation below"), ("Alt+Down",), by_name=False),
        Command("stop", tr("Stop the answer, or close a bar"), ("Esc",), by_name=False),
        Command("sidebar", tr("Show or hide the list of conversations"), ("Ctrl+B",)),
        Command("keep_here", tr("This conversation never leaves this device: on or off")),
        Command("network", tr("What can leave this computer")),
        Command("remote", tr("Remote models: providers and keys")),
        Command("ledger", tr("What left this computer: the ledger")),
        Command("costs", tr("Costs and budgets")),
        Command("secrets", tr("Access keys for the model hub")),
        Command("settings", tr("Settings"), ("Ctrl+,",)),
        Command("keys", tr("All keys"), ("F1",)),
        Command("quit", tr("Close Alcove"), ("Ctrl+Q",)),
    )


def local_keys() -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Keys that mean something in one place only, for the list of keys."""
    return (
        (tr("Send the message, whatever Enter does"), ("Ctrl+Return",)),
        (tr("Rename, in the list of conversations"), ("F2",)),
        (tr("Delete, in the list of conversations"), ("Del",)),
    )


def readable(keys: str) -> str:
    """A key sequence as this system writes it."""
    from PySide6.QtGui import QKeySequence

    return QKeySequence(keys).toString(QKeySequence.SequenceFormat.NativeText)


def wants_window(event: QKeyEvent) -> bool:
    """Whether these keys belong to the window even while a text field has the focus.

    Text fields claim Ctrl+K (delete to the end of the line) and others on some systems; here they mean one thing
    everywhere. Esc and undo are left to the field to decide.
    """
    from PySide6.QtGui import QKeySequence

    pressed = QKeySequence(event.keyCombination())
    return pressed in _window_keys()


@cache
def _window_keys() -> list[QKeySequence]:
    from PySide6.QtGui import QKeySequence

    left_to_the_field = {"Esc", "Ctrl+Z"}
    return [
        QKeySequence(keys) for command in commands() for keys in command.keys if keys not in left_to_the_field
    ]


IS_ENTER = frozenset({Qt.Key.Key_Return, Qt.Key.Key_Enter})
