"""How Alcove talks with a model: its chat template as plain text, what is known of it, and another one instead."""

from __future__ import annotations

import sys
from pathlib import Path

from PySide6.QtGui import QFontDatabase, QTextOption
from PySide6.QtWidgets import QDialog, QFileDialog, QHBoxLayout, QPlainTextEdit, QWidget

from desktop.i18n import tr
from desktop.viewmodels.models import ModelsViewModel
from desktop.viewmodels.template import TemplateViewModel
from desktop.views.dialogs import ExplainingDialog, selectable
from desktop.views.theme import SMALL_PX, Theme
from desktop.views.widgets import Text, announce, describe, push_button


def template_dialog(theme: Theme, parent: QWidget, models: ModelsViewModel, path: str) -> QDialog:
    """The template of the model in this file."""
    dialog = TemplateDialog(theme, parent, models.template_of(path))
    dialog.template.read()
    return dialog


class TemplateDialog(ExplainingDialog):
    """The text can be selected and copied, never edited: a template is chosen as a whole, and tried out first."""

    def __init__(self, theme: Theme, parent: QWidget, template: TemplateViewModel) -> None:
        super().__init__(theme, parent, tr("Chat template"))
        self.template = template
        template.setParent(self)
        self.column.addWidget(Text(theme, template.name, "title", wrap=True))
        self.say(
            tr(
                "A model reads a conversation as one text. Its chat template is the small program that writes it, and "
                "runs in a process that can reach nothing."
            )
        )
        self.words = selectable(Text(theme, wrap=True))
        self.problem = Text(theme, "", "problem", wrap=True)
        self.source = self._source()
        for widget in (self.words, self.problem):
            self.column.addWidget(widget)
        self.column.addWidget(self.source, 1)
        self._add_buttons()
        self.finish()
        self.resize(min(theme.scaled(760), parent.width() - 32), min(theme.scaled(640), parent.height() - 32))
        template.changed.connect(self._show)
        self.finished.connect(template.close)
        self._show()

    def _source(self) -> QPlainTextEdit:
        shown = QPlainTextEdit()
        shown.setReadOnly(True)
        shown.setProperty("look", "field")
        font = QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont)
        font.setPixelSize(self._theme.scaled(SMALL_PX))
        shown.setFont(font)
        shown.setWordWrapMode(QTextOption.WrapMode.WrapAtWordBoundaryOrAnywhere)
        shown.setTabChangesFocus(True)
        shown.setMinimumHeight(self._theme.scaled(160))
        place = shown.sizePolicy()
        place.setRetainSizeWhenHidden(True)  # else the words above would spread over its room
        shown.setSizePolicy(place)
        describe(shown, tr("The text of the template"), tr("It can be copied, not changed here."))
        return shown

    def _add_buttons(self) -> None:
        row = QHBoxLayout()
        row.setSpacing(8)
        self.form_button = push_button(
            "", "primary", self.template.use_form, tr("Use the form that models of this family mostly speak")
        )
        self.replace_button = push_button(
            tr("Replace from file…"),
            "plain",
            self._replace,
            tr("Use the template in a text file instead; it is tried out first"),
        )
        self.reset_button = push_button(
            tr("Reset"), "plain", self.template.reset, tr("Use the file's own template again")
        )
        for button in (self.form_button, self.replace_button, self.reset_button):
            row.addWidget(button)
        row.addStretch(1)
        self.column.addLayout(row)

    def _replace(self) -> None:
        file = ask_for_template_file(self)
        if file:
            self.template.use_file(file)

    def _show(self) -> None:
        template = self.template
        if self.source.toPlainText() != template.text:
            self.source.setPlainText(template.text)
        self.source.setVisible(bool(template.text))
        self.words.setText(template.words)
        self.words.setVisible(bool(template.words))
        if template.problem and template.problem != self.problem.text():
            announce(self.problem, template.problem)
        self.problem.setText(template.problem)
        self.problem.setVisible(bool(template.problem))
        self.form_button.setText(tr("Use {form}", form=template.form))
        self.form_button.setVisible(bool(template.form))
        self.replace_button.setEnabled(not template.busy)
        self.reset_button.setEnabled(template.can_reset)


def ask_for_template_file(parent: QWidget) -> str:
    """The path of a text file that the person picked; empty when they did not."""
    options = QFileDialog.Option.ReadOnly
    if sys.platform.startswith("linux"):
        options |= QFileDialog.Option.DontUseNativeDialog  # as for model files: `model_picker`
    path, _ = QFileDialog.getOpenFileName(
        parent,
        tr("Choose a chat template"),
        str(Path.home()),
        tr("Chat templates") + " (*.jinja *.jinja2 *.j2 *.txt);;" + tr("All files") + " (*)",
        options=options,
    )
    return path
