"""How the open conversation is answered: as JSON or freely, and with which LoRA adapters. Kept with the conversation.

What is chosen before the first question waits here, and is written down once there is a conversation to keep it with.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QTimer, Signal

from desktop.bridge import Bridge
from desktop.i18n import tr
from desktop.viewmodels.models import ModelsViewModel

if TYPE_CHECKING:
    from desktop.store.records import Option
    from desktop.store.store import Store
    from models.runtime.values import Adapter, Constraint

_JSON, _ADAPTERS = "json", "adapters"  # the names of the options in the store
STRONGEST = 2.0
"""An adapter's strength can be chosen between none and this; 1 is what it was trained for."""


@dataclass(frozen=True, slots=True)
class OfferedAdapter:
    """One adapter that may be used here. `strength` None: it is not."""

    path: str
    name: str
    detail: str
    strength: float | None


class AnsweringViewModel(QObject):
    """What the dialog about the answers of a conversation binds to."""

    changed = Signal()

    def __init__(self, bridge: Bridge, store: Store, models: ModelsViewModel, parent: QObject) -> None:
        super().__init__(parent)
        self._bridge = bridge
        self._store = store
        self._models = models
        self._conversation: int | None = None
        self._strengths: dict[str, float] = {}
        self.as_json = False
        self.schema = ""
        self._write_later = QTimer(self, singleShot=True, interval=300)
        self._write_later.timeout.connect(self._write)
        models.changed.connect(self.changed)

    # ---- which conversation

    def show(self, conversation_id: int | None, options: Mapping[str, Option]) -> None:
        """Another conversation is open, for which this was chosen. What is damaged counts as not chosen."""
        self.flush()
        self._conversation = conversation_id
        form = options.get(_JSON)
        schema = form.get("schema") if isinstance(form, dict) else None
        self.as_json = isinstance(form, dict)
        self.schema = schema if isinstance(schema, str) else ""
        chosen = options.get(_ADAPTERS)
        self._strengths = {
            path: _within(strength)
            for path, strength in (chosen.items() if isinstance(chosen, dict) else ())
            if isinstance(strength, int | float)
        }
        self.changed.emit()

    def follow(self, conversation_id: int) -> None:
        """The conversation that did not exist yet exists now."""
        self._conversation = conversation_id
        if self.as_json or self._strengths:
            self._write()

    # ---- what a person chooses

    def answer_as_json(self, wanted: bool) -> None:
        if wanted != self.as_json:
            self.as_json = wanted
            self._choose()

    def set_schema(self, text: str) -> None:
        """The shape that the JSON must have; blank for any."""
        if text != self.schema:
            self.schema = text
            self._choose()

    def set_adapter(self, path: str, strength: float | None) -> None:
        """Use an adapter as strongly as that; None: don't."""
        if strength is None:
            self._strengths.pop(path, None)
        else:
            self._strengths[path] = _within(strength)
        self._choose()

    # ---- what is on screen

    @property
    def schema_problem(self) -> str:
        """Why the schema can't be used, as a sentence; "" when it can."""
        if not (self.as_json and self.schema.strip()):
            return ""
        from desktop.words.models import model_fault
        from models.runtime.faults import RuntimeFault
        from models.runtime.json_schema import grammar_of

        try:
            grammar_of(self.schema)
        except RuntimeFault as fault:
            return model_fault(fault.fault, fault.detail, fault.facts, "").text
        return ""

    @property
    def adapters(self) -> tuple[OfferedAdapter, ...]:
        """Those of this computer that may belong to the model in use, and those that were chosen already."""
        offered = {
            entry.path: OfferedAdapter(
                entry.path,
                entry.name,
                _detail(entry.path, entry.base),
                self._strengths.get(entry.path),
            )
            for entry in self._models.adapters
        }
        for path, strength in self._strengths.items():
            if path not in offered:
                offered[path] = OfferedAdapter(path, Path(path).stem, _detail(path), strength)
        return tuple(offered.values())

    @property
    def looking(self) -> bool:
        """Whether this computer is being looked through for adapters."""
        return self._models.looking

    @property
    def summary(self) -> str:
        """What is chosen, in a few words; "" for nothing."""
        parts = [tr("Answers are JSON")] if self.as_json else []
        if self._strengths:
            count = len(self._strengths)
            parts.append(tr("1 adapter") if count == 1 else tr("{count} adapters", count=count))
        return " · ".join(parts)

    @property
    def not_elsewhere(self) -> str:
        """What of this does not apply to a model elsewhere, as a sentence; "" when one on this device answers."""
        remote = self._models.remote
        if remote is None:
            return ""
        return tr(
            "{model} does not run on this computer: adapters, and the settings of how words are chosen, do not apply "
            "to it.",
            model=remote.name,
        )

    def request(self) -> tuple[Constraint | None, tuple[Adapter, ...]]:
        """What goes with a question."""
        from models.runtime.values import Adapter, Constraint, ConstraintKind

        constraint = None
        if self.as_json and self.schema.strip():
            constraint = Constraint(ConstraintKind.SCHEMA, self.schema)
        elif self.as_json:
            constraint = Constraint(ConstraintKind.JSON)
        return constraint, tuple(Adapter(path, strength) for path, strength in self._strengths.items())

    # ---- keeping it

    def _choose(self) -> None:
        self._write_later.start()
        self.changed.emit()

    def flush(self) -> None:
        """Write down now what waits to be written."""
        if self._write_later.isActive():
            self._write_later.stop()
            self._write()

    def _write(self) -> None:
        if self._conversation is not None:
            form: Option = {"schema": self.schema} if self.as_json else None
            adapters: Option = dict(self._strengths) or None
            self._bridge.submit(self._keep(self._conversation, form, adapters))

    async def _keep(self, conversation_id: int, form: Option, adapters: Option) -> None:
        try:
            await self._store.set_conversation_option(conversation_id, _JSON, form)
            await self._store.set_conversation_option(conversation_id, _ADAPTERS, adapters)
        except LookupError:
            return  # the conversation was deleted meanwhile


def _within(strength: float) -> float:
    return min(max(float(strength), 0.0), STRONGEST)


def _detail(path: str, base: str = "") -> str:
    """What tells it from others of its name."""
    if not Path(path).exists():
        return tr("The file is not there now.")
    name = Path(path).name
    return tr("{file}, made for {model}", file=name, model=base) if base else name
