"""What a person can do with a model on this computer, in the details and in the menu of a row."""

from __future__ import annotations

from typing import Protocol

from desktop.i18n import tr
from desktop.viewmodels.library import LibraryViewModel, ModelRow
from desktop.viewmodels.model_words import can_answer
from desktop.views.models_page.actions import Action


class Hands(Protocol):
    """What the page does for an action."""

    def use(self, path: str) -> None: ...
    def copy(self, text: str, said: str) -> None: ...


def actions_for(row: ModelRow, library: LibraryViewModel, hands: Hands) -> list[Action]:
    """In the order in which they are shown. Another action of a model is one more entry here."""
    entry, path = row.entry, row.path
    actions = []
    if can_answer(entry) and path != library.in_use:
        use = tr("Answer with this model from now on. The conversation stays.")
        actions.append(Action("use", tr("Use this model"), use, lambda: hands.use(path), primary=True))
    if library.checking(path) is None:
        check = tr("Compute the SHA-256 of the file and compare it with what its source announced")
        actions.append(Action("check", tr("Check the file"), check, lambda: library.check(path)))
    else:
        stop = tr("Stop computing the checksum. Nothing is changed.")
        actions.append(Action("stop", tr("Stop checking"), stop, lambda: library.stop_checking(path)))
    if can_answer(entry):
        template = tr("See how Alcove talks with this model, or choose another template for it")
        actions.append(
            Action("template", tr("Chat template…"), template, lambda: library.show_template(path))
        )
        own = tr("How this model is loaded, what was decided for it, and presets")
        actions.append(
            Action("settings", tr("Settings of this model…"), own, lambda: library.show_settings(path))
        )
        smaller = tr("Make a version of it that takes less memory, on this computer")
        actions.append(
            Action("smaller", tr("Make a smaller version…"), smaller, lambda: library.make_smaller(path))
        )
    copied = tr("The path was copied.")
    copy = tr("Copy where the file lies, to open it with another program")
    actions.append(Action("copy", tr("Copy the path"), copy, lambda: hands.copy(path, copied)))
    if entry.sha256:
        copied_hash = tr("The SHA-256 was copied.")
        describe_hash = tr("Copy the checksum, to compare it elsewhere")
        sha256 = entry.sha256
        actions.append(
            Action("hash", tr("Copy the SHA-256"), describe_hash, lambda: hands.copy(sha256, copied_hash))
        )
    if row.ours:
        remove = tr("Move it to the trash. It can be brought back.")
        actions.append(Action("remove", tr("Remove"), remove, lambda: library.remove(path), keys="Del"))
    return actions
