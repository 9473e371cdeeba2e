"""What narrows a search on the hub: task, licence, access, publisher, order."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QComboBox, QGridLayout, QLineEdit, QWidget

from desktop.i18n import tr
from desktop.views.widgets import describe
from models.hub_values import Query, Sort

_ANY, _OPEN, _GATED = "any", "open", "gated"


class Filters(QWidget):
    """`changed` when a person chose something else."""

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.task = _choice(
            tr("What for"),
            tr("Show only models made for this"),
            (
                (tr("For anything"), ""),
                (tr("For conversations"), "text-generation"),
                (tr("Conversations about images"), "image-text-to-text"),
                (tr("Finding similar texts (embeddings)"), "feature-extraction"),
                (tr("Translation"), "translation"),
            ),
        )
        self.licence = _choice(
            tr("Licence"),
            tr("Show only models under this licence"),
            (
                (tr("Any licence"), ""),
                ("Apache 2.0", "apache-2.0"),
                ("MIT", "mit"),
                ("Llama 3.1", "llama3.1"),
                ("Llama 3.2", "llama3.2"),
                ("Llama 3.3", "llama3.3"),
                ("Gemma", "gemma"),
                ("CC BY-NC 4.0", "cc-by-nc-4.0"),
            ),
        )
        self.access = _choice(
            tr("Access"),
            tr("Whether conditions have to be accepted first"),
            ((tr("Any access"), _ANY), (tr("Open to everybody"), _OPEN), (tr("With conditions"), _GATED)),
        )
        self.sort = _choice(
            tr("Order"),
            tr("What comes first"),
            (
                (tr("Most downloaded first"), Sort.DOWNLOADS.value),
                (tr("Most liked first"), Sort.LIKES.value),
                (tr("Newest first"), Sort.UPDATED.value),
            ),
        )
        self.publisher = QLineEdit()
        self.publisher.setPlaceholderText(tr("Publisher, for example ggml-org"))
        describe(self.publisher, tr("Publisher"))
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setSpacing(8)
        for place, box in enumerate((self.task, self.licence, self.access, self.sort)):
            grid.addWidget(box, place // 2, place % 2)
            box.activated.connect(lambda _: self.changed.emit())
        grid.addWidget(self.publisher, 2, 0, 1, 2)
        self.publisher.returnPressed.connect(self.changed)

    def query(self, text: str) -> Query:
        """What is asked for now."""
        gated = {_OPEN: False, _GATED: True}.get(str(self.access.currentData()))
        return Query(
            text,
            str(self.task.currentData()),
            str(self.licence.currentData()),
            self.publisher.text(),
            gated=gated,
            sort=Sort(str(self.sort.currentData())),
        )


def _choice(name: str, description: str, choices: Sequence[tuple[str, str]]) -> QComboBox:
    box = QComboBox()
    describe(box, name, description)
    for text, value in choices:
        box.addItem(text, value)
    box.setMinimumContentsLength(8)
    box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    return box
