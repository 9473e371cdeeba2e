"""The chat template of one model, as its dialog shows it: the text, what is known of it, and another one instead."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Signal

from desktop.bridge import Bridge, Job
from desktop.i18n import tr
from desktop.words.models import model_fault
from desktop.words.templates import replacement_fault, template_words

if TYPE_CHECKING:
    from desktop.templates import Templates, TemplateView


class TemplateViewModel(QObject):
    """`changed` whenever something else is to be shown. `problem`: why what was asked last did not happen."""

    changed = Signal()

    def __init__(
        self,
        bridge: Bridge,
        templates: Templates,
        path: str,
        name: str,
        used: Callable[[], None],
        parent: QObject | None = None,
    ) -> None:
        """`used` is called when another template is in use from now on."""
        super().__init__(parent)
        self._bridge = bridge
        self._templates = templates
        self._path = path
        self._used = used
        self._view: TemplateView | None = None
        self._job: Job | None = None
        self._closed = False
        self.name = name
        self.busy = False
        self.problem = ""

    @property
    def text(self) -> str:
        """The template in use; "" while it is not known, and where there is none."""
        return self._view.text if self._view is not None else ""

    @property
    def words(self) -> str:
        """What is to be said of it."""
        if self._view is None:
            return "" if self.problem else tr("Reading the file…")
        words = template_words(self._view)
        return "\n".join(part for part in (words.text, words.detail) if part)

    @property
    def can_reset(self) -> bool:
        return not self.busy and self._view is not None and self._view.verdict.value == "replaced"

    @property
    def form(self) -> str:
        """The form that could be used for a file without a template: "ChatML"; "" when none is to be proposed."""
        if self.busy or self._view is None or self._view.text or self._view.form is None:
            return ""
        return self._view.form.title

    # ---- what a person does

    def read(self) -> None:
        """Read it from the file, in a locked process."""
        self._run(self._templates.look(self._path), "", changes=False)

    def use_file(self, file: str) -> None:
        """Use the template in a text file, if it works."""
        self._run(self._templates.use_file(self._path, file), file)

    def use_form(self) -> None:
        """Use the form that is proposed."""
        if self._view is not None and self._view.form is not None:
            self._run(self._templates.use_form(self._path, self._view.form.name), self._view.form.title)

    def reset(self) -> None:
        """Use the file's own again."""
        self._run(self._templates.reset(self._path), "")

    def _run(self, work: Coroutine[Any, Any, TemplateView], file: str, changes: bool = True) -> None:
        self.busy, self.problem = True, ""
        self.changed.emit()

        def done(view: TemplateView) -> None:
            if self._closed:
                return
            self.busy, self._view = False, view
            self.changed.emit()
            if changes:
                self._used()

        self._job = self._bridge.submit(work, done, lambda error: self._failed(error, file))

    def close(self) -> None:
        """Nobody looks at it any more: what is being tried out is not taken."""
        self._closed = True
        if self._job is not None:
            self._job.cancel()

    def _failed(self, error: Exception, file: str) -> None:
        from models.runtime.faults import RuntimeFault

        if self._closed:
            return
        self.busy = False
        if isinstance(error, OSError):
            self.problem = tr("Alcove can't write to its folder: {why}.", why=error.strerror or str(error))
        elif not isinstance(error, RuntimeFault):
            raise error
        elif file:
            self.problem = replacement_fault(error.fault, error.detail, file).text
        else:
            self.problem = model_fault(error.fault, error.detail, error.facts, self._path).text
        self.changed.emit()
