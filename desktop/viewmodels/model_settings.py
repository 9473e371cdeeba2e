"""The settings of one model: its own values over those for all models, what was decided, and presets."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from desktop import own_settings
from desktop.i18n import tr
from desktop.settings import DECLARED, LOADED_WITH, Setting, Settings
from desktop.viewmodels.settings import SettingsViewModel

if TYPE_CHECKING:
    from models.runtime.values import Placement


class ModelSettingsViewModel(SettingsViewModel):
    """Changes are saved at once and in force when the model is loaded anew."""

    presets_changed = Signal()

    def __init__(
        self,
        settings: Settings,
        path: Path,
        name: str,
        placement: Placement | None = None,
        parent: QObject | None = None,
    ) -> None:
        """`placement`: where the model runs now, if it is loaded."""
        super().__init__(settings, parent)
        self.path = path
        self.name = name
        self._placement = placement

    @property
    def back_words(self) -> str:
        return tr("As for all models")

    @property
    def declarations(self) -> tuple[Setting, ...]:
        """What can be set for one model, with what “automatic” came to."""
        return tuple(
            replace(DECLARED[key], automatic=self._automatic(key), section="") for key in LOADED_WITH
        )

    def _automatic(self, key: str) -> str:
        declared = tr(DECLARED[key].automatic)
        place = self._placement
        if place is None or self.value(key) is not None:
            return declared
        match key:
            case "model.context_tokens":
                return tr("Automatic: {tokens} tokens (what fits)", tokens=f"{place.context_tokens:,}")
            case "model.threads":
                return tr(
                    "Automatic: {threads} (reading: {prompt_threads})",
                    threads=place.threads,
                    prompt_threads=place.prompt_threads,
                )
            case "model.gpu_layers":
                return tr("Automatic: {layers} of {all}", layers=place.gpu_layers, all=place.layers + 1)
            case "model.batch_tokens":
                return tr("Automatic: {tokens}", tokens=place.batch_tokens or 512)
        return declared

    def value(self, key: str) -> object:
        own = own_settings.own_values(self._settings, self.path)
        if key in own and key not in self._settings.managed:
            return own[key]
        return self._settings.get(key)

    def is_default(self, key: str) -> bool:
        return key not in own_settings.own_values(self._settings, self.path)

    @property
    def has_own(self) -> bool:
        return bool(own_settings.own_values(self._settings, self.path))

    def set(self, key: str, value: object) -> str:
        before = self.value(key), self.is_default(key)
        try:
            refused = own_settings.set_own(self._settings, self.path, key, value)
        except OSError:
            refused = tr("This setting holds until Alcove is closed: its file can't be written.")
        if (self.value(key), self.is_default(key)) != before:
            self.changed.emit(key)
        return refused

    def reset(self, key: str) -> None:
        before = self.is_default(key)
        try:
            own_settings.reset_own(self._settings, self.path, key)
        finally:
            if self.is_default(key) != before:
                self.changed.emit(key)

    # ---- presets

    @property
    def presets(self) -> tuple[str, ...]:
        return tuple(own_settings.presets(self._settings))

    def save_preset(self, name: str) -> str:
        """Returns a sentence when it was refused, else an empty string."""
        try:
            refused = own_settings.save_preset(self._settings, name, self.path)
        except OSError:
            refused = tr("The preset was not saved: the settings' file can't be written.")
        self.presets_changed.emit()
        return refused

    def apply_preset(self, name: str) -> None:
        try:
            own_settings.apply_preset(self._settings, name, self.path)
        finally:
            for key in LOADED_WITH:
                self.changed.emit(key)

    def remove_preset(self, name: str) -> None:
        try:
            own_settings.remove_preset(self._settings, name)
        finally:
            self.presets_changed.emit()


def decided(placement: Placement) -> tuple[str, ...]:
    """What was decided for a loaded model and why, in sentences."""
    from desktop.words.sentence import gigabytes

    layers = ""
    if placement.on_gpu:
        layers = tr(
            "{layers} of {all} layers are on the GPU; they take about {memory} there.",
            layers=placement.gpu_layers,
            all=placement.layers + 1,
            memory=gigabytes(placement.gpu_bytes),
        )
    lines = (
        tr("Runs on {device}.", device=placement.device),
        tr(placement.reason) if placement.reason else "",
        layers,
        tr("It needs about {memory} of memory.", memory=gigabytes(placement.need_bytes))
        if placement.need_bytes
        else "",
        tr(
            "Threads: {threads} for answering, {prompt_threads} for reading. Room for {context} tokens.",
            threads=placement.threads,
            prompt_threads=placement.prompt_threads,
            context=f"{placement.context_tokens:,}",
        ),
    )
    return tuple(line for line in lines if line)
