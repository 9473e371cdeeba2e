"""Above the field for writing: the images that go with the message, and whether the model can see them."""

from __future__ import annotations

from functools import partial

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QColor, QResizeEvent
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QLayout, QSizePolicy, QVBoxLayout, QWidget

from desktop.i18n import tr
from desktop.viewmodels.chat import ChatViewModel
from desktop.viewmodels.images import DraftImage
from desktop.views.image_view import Thumbnail
from desktop.views.theme import Theme
from desktop.views.widgets import Text, announce, icon_button, push_button

_SIDE = 56


class ImageStrip(QWidget):
    """Bound to one `ChatViewModel`. `model_wanted`: the person asks for the list of models."""

    model_wanted = Signal()

    def __init__(self, theme: Theme, chat: ChatViewModel) -> None:
        super().__init__()
        self._theme = theme
        self._chat = chat
        self._shown: tuple[DraftImage, ...] = ()
        self._hinted: object = None
        self.hint = Text(theme, "", "soft", wrap=True)
        self.choices = QHBoxLayout()
        self.choices.setSpacing(8)
        said = QHBoxLayout()
        said.setSpacing(8)
        said.addWidget(self.hint, 1)
        said.addLayout(self.choices)
        self.thumbnails: list[Thumbnail] = []
        self._chips: list[QWidget] = []
        self._across = 0  # chips in a row
        self._grid = QGridLayout()
        self._grid.setSpacing(4)
        self._grid.setAlignment(Qt.AlignmentFlag.AlignLeading)
        # As wide as there is room, never wider: eight images must not push the window apart.
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        column = QVBoxLayout(self)
        column.setContentsMargins(4, 4, 0, 4)
        column.setSpacing(8)
        column.addLayout(said)
        column.addLayout(self._grid)
        self.setAccessibleName(tr("Images of this message"))
        theme.changed.connect(self._restyle)

    def refresh(self) -> None:
        """Show what is in the draft, and what the model can do with it."""
        draft = self._chat.images.draft
        if draft != self._shown:
            more = len(draft) > len(self._shown)
            self._shown = draft
            self._show_images()
            announce(self, tr("Image added.") if more else tr("Image removed."))
        self._show_hint()

    def _show_images(self) -> None:
        _empty(self._grid)
        self.thumbnails, self._chips = [], []
        for number, image in enumerate(self._shown, start=1):
            name = image.name or tr("Image {number}", number=number)
            thumbnail = Thumbnail(self._chat.images, image.id, name, *self._colours())
            thumbnail.setFixedSize(_SIDE, _SIDE)
            remove = icon_button(
                self._theme,
                "x",
                tr("Remove {name}", name=name),
                tr("Send the message without this image"),
                partial(self._chat.images.remove, image.id),
            )
            self.thumbnails.append(thumbnail)
            chip = QWidget()
            place = QHBoxLayout(chip)
            place.setContentsMargins(0, 0, 0, 0)
            place.setSpacing(0)
            place.addWidget(thumbnail)
            place.addWidget(remove, 0, Qt.AlignmentFlag.AlignTop)
            self._chips.append(chip)
        self._across = 0
        self._arrange()
        self._theme.dress(self)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._arrange()

    def _arrange(self) -> None:
        if not self._chips:
            return
        wide = self._chips[0].sizeHint().width() + self._grid.spacing()
        across = max(1, (self.width() - 8) // wide)
        if across != self._across:
            self._across = across
            for number, chip in enumerate(self._chips):
                self._grid.addWidget(chip, number // across, number % across)

    def _show_hint(self) -> None:
        hint, models = self._chat.image_hint if self._shown else ("", ())
        if (hint, models) == self._hinted:
            return
        self._hinted = (hint, models)
        self.hint.setText(hint)
        self.hint.setVisible(bool(hint))
        _empty(self.choices)
        if not hint:
            return
        for name, path in models:
            text = tr("Use {model}", model=name)
            use = push_button(text, "quiet", partial(self._chat.use_model, path), hint)
            self.choices.addWidget(use)
        if not models:
            self.choices.addWidget(
                push_button(
                    tr("Choose a model"), "quiet", self.model_wanted.emit, tr("Open the list of models")
                )
            )
        self._theme.dress(self)
        announce(self, hint)

    def _colours(self) -> tuple[QColor, QColor, QColor]:
        color = self._theme.color
        return color("outline"), color("hover"), color("accent")

    def _restyle(self) -> None:
        for thumbnail in self.thumbnails:
            thumbnail.set_colours(*self._colours())


def _empty(layout: QLayout) -> None:
    while (item := layout.takeAt(0)) is not None:
        widget = item.widget()
        if widget is not None:
            widget.hide()
            widget.deleteLater()
