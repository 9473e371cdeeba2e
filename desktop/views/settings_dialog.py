"""The settings, made from their declarations: a page for each section, words under each setting, in force at once."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QCloseEvent
from PySide6.QtWidgets import (
    QDialog,
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QListWidget,
    QScrollArea,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from desktop.i18n import tr
from desktop.settings import Kind, Setting
from desktop.viewmodels.settings import SettingsViewModel
from desktop.views.setting_editors import editor_for
from desktop.views.theme import Theme
from desktop.views.widgets import Text, describe, icon_button, push_button

_SIZE = (800, 640)


class SettingRow(QWidget):
    """One setting: name, editor, what it does, and the way back to the default."""

    def __init__(self, theme: Theme, settings: SettingsViewModel, setting: Setting) -> None:
        super().__init__()
        self._settings = settings
        self._key = setting.key
        name = Text(theme, tr(setting.label), "title", wrap=True)
        explanation = Text(theme, tr(setting.explanation), "soft", wrap=True)
        self.managed = Text(theme, tr("Managed by your organisation"), "soft")
        self.problem = Text(theme, "", "problem", wrap=True)
        self.editor = editor_for(setting, theme)
        self.reset = icon_button(
            theme,
            "rotate-ccw",
            f"{settings.back_words}: {tr(setting.label)}",
            settings.back_words,
            self._reset,
        )
        keep = self.reset.sizePolicy()
        keep.setRetainSizeWhenHidden(True)
        self.reset.setSizePolicy(keep)
        wide = setting.kind in (Kind.LONG_TEXT, Kind.OPTIONAL_INTEGER)
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(8)
        grid.setVerticalSpacing(4)
        grid.setColumnStretch(0, 1)
        grid.addWidget(name, 0, 0)
        grid.addWidget(self.editor, 2 if wide else 0, 0 if wide else 1, 1, 2 if wide else 1)
        grid.addWidget(self.reset, 0, 2)
        for row, words in ((1, explanation), (3, self.managed), (4, self.problem)):
            grid.addWidget(words, row, 0, 1, 2)
        self.editor.edited.connect(self._set)
        self.show_value()

    def show_value(self) -> None:
        """Show what is in force."""
        managed = self._settings.managed(self._key)
        self.editor.show_value(self._settings.value(self._key))
        self.editor.setEnabled(not managed)
        self.managed.setVisible(managed)
        self.problem.hide()
        self.reset.setVisible(not managed and not self._settings.is_default(self._key))

    def _set(self, value: object) -> None:
        refused = self._settings.set(self._key, value)
        if refused:
            self.problem.setText(refused)
            self.problem.setVisible(True)

    def _reset(self) -> None:
        self._settings.reset(self._key)
        self.editor.setFocus()


class SettingsDialog(QDialog):
    """Bound to the settings; stays right when they change elsewhere."""

    keys_wanted = Signal()

    def __init__(self, theme: Theme, parent: QWidget, settings: SettingsViewModel) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(tr("Settings"))
        self.setAccessibleName(tr("Settings"))
        self._theme = theme
        self._settings = settings
        self.rows: dict[str, SettingRow] = {}
        self.sections = QListWidget()
        self.sections.setProperty("look", "sections")
        describe(self.sections, tr("Sections"), tr("The arrow keys change the page."))
        self.keys_button = push_button(
            tr("Access keys…"),
            "quiet",
            self._open_keys,
            tr("Keys for the model hub, in the system's keychain"),
        )
        self.pages = QStackedWidget()
        for section in dict.fromkeys(setting.section for setting in settings.declarations):
            self.sections.addItem(tr(section))
            self.pages.addWidget(self._page(section))
        self.sections.currentRowChanged.connect(self.pages.setCurrentIndex)
        self._lay_out()
        settings.changed.connect(self._show)
        theme.dress(self)
        self.sections.setCurrentRow(0)
        self.resize(
            min(theme.scaled(_SIZE[0]), parent.screen().availableSize().width() - 48),
            min(theme.scaled(_SIZE[1]), parent.screen().availableSize().height() - 96),
        )

    def _page(self, section: str) -> QScrollArea:
        page = QWidget()
        column = QVBoxLayout(page)
        column.setContentsMargins(24, 24, 24, 24)
        column.setSpacing(24)
        column.addWidget(Text(self._theme, tr(section), "heading"))
        for setting in self._settings.declarations:
            if setting.section == section:
                row = SettingRow(self._theme, self._settings, setting)
                self.rows[setting.key] = row
                column.addWidget(row)
        column.addStretch(1)
        area = QScrollArea()
        area.setWidgetResizable(True)
        area.setFrameShape(QFrame.Shape.NoFrame)
        area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        area.setWidget(page)
        return area

    def _lay_out(self) -> None:
        side = QWidget()
        side.setProperty("area", "sidebar")
        side.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        side.setFixedWidth(self._theme.scaled(184))
        left = QVBoxLayout(side)
        left.setContentsMargins(8, 16, 8, 8)
        left.addWidget(self.sections)
        left.addWidget(self.keys_button)
        close = push_button(
            tr("Close"), "plain", self.close, tr("Close the settings. They are saved already.")
        )
        bottom = QHBoxLayout()
        bottom.setContentsMargins(24, 8, 16, 16)
        bottom.setSpacing(16)
        bottom.addWidget(Text(self._theme, tr("Changes are in force at once."), "soft", wrap=True), 1)
        bottom.addWidget(close)
        right = QVBoxLayout()
        right.setSpacing(0)
        right.addWidget(self.pages, 1)
        right.addLayout(bottom)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(0)
        row.addWidget(side)
        row.addLayout(right, 1)

    def _open_keys(self) -> None:
        self.close()
        self.keys_wanted.emit()

    def _show(self, key: str) -> None:
        if key in self.rows:
            self.rows[key].show_value()

    def done(self, result: int) -> None:
        self._settle()
        super().done(result)

    def closeEvent(self, event: QCloseEvent) -> None:
        self._settle()
        super().closeEvent(event)

    def _settle(self) -> None:
        for row in self.rows.values():
            row.editor.settle()
