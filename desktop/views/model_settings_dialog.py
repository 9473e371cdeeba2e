"""The settings of one model: what was decided for it and why, each value to change or give back, and presets."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QCloseEvent
from PySide6.QtWidgets import (
    QComboBox,
    QDialog,
    QFrame,
    QHBoxLayout,
    QLineEdit,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from desktop.i18n import tr
from desktop.viewmodels.model_settings import ModelSettingsViewModel
from desktop.views.dialogs import selectable
from desktop.views.settings_dialog import SettingRow
from desktop.views.theme import Theme
from desktop.views.widgets import Text, describe, push_button

_SIZE = (640, 680)


class ModelSettingsDialog(QDialog):
    """Bound to the settings of one model. `decided`: sentences about where it runs now."""

    def __init__(
        self, theme: Theme, parent: QWidget, settings: ModelSettingsViewModel, decided: tuple[str, ...]
    ) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        title = tr("Settings of {model}", model=settings.name)
        self.setWindowTitle(title)
        self.setAccessibleName(title)
        self._theme = theme
        self._settings = settings
        self.rows = {setting.key: SettingRow(theme, settings, setting) for setting in settings.declarations}
        self.presets = QComboBox()
        describe(self.presets, tr("Presets"), tr("Choose a preset to use or to remove."))
        self.use = push_button(tr("Use"), "plain", self._use, tr("Give this model the values of the preset"))
        self.remove = push_button(tr("Remove"), "plain", self._remove, tr("Remove the preset"))
        self.name = QLineEdit()
        self.name.setPlaceholderText(tr("Name of a new preset"))
        describe(self.name, tr("Name of a new preset"), tr("Keeps this model's own values under a name."))
        self.save = push_button(tr("Save"), "plain", self._save, tr("Save this model's values as a preset"))
        self.problem = Text(theme, "", "problem", wrap=True)
        self.problem.hide()
        self._lay_out(title, decided)
        settings.changed.connect(self._show)
        settings.presets_changed.connect(self._show_presets)
        self._show_presets()
        theme.dress(self)
        room = parent.screen().availableSize()
        self.resize(
            min(theme.scaled(_SIZE[0]), room.width() - 48), min(theme.scaled(_SIZE[1]), room.height() - 96)
        )

    def _lay_out(self, title: str, decided: tuple[str, ...]) -> None:
        page = QWidget()
        column = QVBoxLayout(page)
        column.setContentsMargins(24, 24, 24, 24)
        column.setSpacing(24)
        column.addWidget(Text(self._theme, title, "heading", wrap=True))
        now = "\n".join(decided) or tr(
            "This model is not in memory now. When it is, what was decided is said here."
        )
        column.addWidget(selectable(Text(self._theme, now, wrap=True)))
        for row in self.rows.values():
            column.addWidget(row)
        column.addStretch(1)
        area = QScrollArea()
        area.setWidgetResizable(True)
        area.setFrameShape(QFrame.Shape.NoFrame)
        area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        area.setWidget(page)
        below = QVBoxLayout()
        below.setContentsMargins(24, 8, 16, 16)
        below.setSpacing(8)
        used = QHBoxLayout()
        used.addWidget(self.presets, 1)
        used.addWidget(self.use)
        used.addWidget(self.remove)
        saved = QHBoxLayout()
        saved.addWidget(self.name, 1)
        saved.addWidget(self.save)
        below.addLayout(used)
        below.addLayout(saved)
        below.addWidget(self.problem)
        last = QHBoxLayout()
        words = tr("These values go before the settings for all models. The model is loaded anew with them.")
        last.addWidget(Text(self._theme, words, "soft", wrap=True), 1)
        last.addWidget(
            push_button(tr("Close"), "plain", self.close, tr("Close these settings. They are saved already."))
        )
        below.addLayout(last)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.setSpacing(0)
        whole.addWidget(area, 1)
        whole.addLayout(below)

    def _show(self, key: str) -> None:
        if key in self.rows:
            self.rows[key].show_value()

    def _show_presets(self) -> None:
        names = self._settings.presets
        self.presets.clear()
        self.presets.addItems(names or (tr("No presets yet"),))
        for control in (self.presets, self.use, self.remove):
            control.setEnabled(bool(names))

    def _use(self) -> None:
        self._settle()
        self._settings.apply_preset(self.presets.currentText())

    def _remove(self) -> None:
        self._settings.remove_preset(self.presets.currentText())

    def _save(self) -> None:
        self._settle()
        refused = self._settings.save_preset(self.name.text())
        self.problem.setText(refused)
        self.problem.setVisible(bool(refused))
        if not refused:
            self.presets.setCurrentText(" ".join(self.name.text().split()))
            self.name.clear()

    def done(self, result: int) -> None:
        self._settle()
        super().done(result)

    def closeEvent(self, event: QCloseEvent) -> None:
        self._settle()
        super().closeEvent(event)

    def _settle(self) -> None:
        for row in self.rows.values():
            row.editor.settle()
