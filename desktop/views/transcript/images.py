"""The images of a message: thumbnails above its words, in rows that begin where the message's text ends or starts."""

from __future__ import annotations

from PySide6.QtGui import QColor
from PySide6.QtWidgets import QWidget

from desktop.i18n import tr
from desktop.viewmodels.images import ImagesViewModel
from desktop.views.image_view import Thumbnail
from desktop.views.transcript.appearance import Appearance

SIDE = 120  # pixels, for text of 15 px
_BETWEEN = 8


def images_height(count: int, column: int, look: Appearance) -> int:
    """What the images of a message take, with the distance to what follows; 0 without any."""
    if not count:
        return 0
    rows = -(-count // _in_a_row(column, look))
    return rows * (look.px(SIDE) + _BETWEEN)


def _in_a_row(column: int, look: Appearance) -> int:
    return max(1, (column + _BETWEEN) // (look.px(SIDE) + _BETWEEN))


class MessageImages:
    """The thumbnails of one message: children of its widget, placed by it."""

    def __init__(self, look: Appearance, images: ImagesViewModel, parent: QWidget) -> None:
        self._look = look
        self._images = images
        self._parent = parent
        self.thumbnails: list[Thumbnail] = []

    def show_images(self, ids: tuple[int, ...]) -> None:
        if ids == tuple(thumbnail.attachment_id for thumbnail in self.thumbnails):
            return
        for thumbnail in self.thumbnails:
            thumbnail.hide()
            thumbnail.deleteLater()
        self.thumbnails = []
        for number, attachment_id in enumerate(ids, start=1):
            name = tr("Image {number} of {count}", number=number, count=len(ids))
            thumbnail = Thumbnail(self._images, attachment_id, name, *self._colours())
            thumbnail.setParent(self._parent)
            thumbnail.show()
            self.thumbnails.append(thumbnail)

    def set_look(self, look: Appearance) -> None:
        self._look = look
        for thumbnail in self.thumbnails:
            thumbnail.set_colours(*self._colours())

    def lay_out(self, left: int, top: int, column: int, from_right: bool) -> int:
        """Place them in the column; the height they take."""
        side = self._look.px(SIDE)
        in_a_row = _in_a_row(column, self._look)
        for place, thumbnail in enumerate(self.thumbnails):
            row, number = divmod(place, in_a_row)
            along = min(in_a_row, len(self.thumbnails) - row * in_a_row)
            start = left + column - along * (side + _BETWEEN) + _BETWEEN if from_right else left
            thumbnail.setGeometry(
                start + number * (side + _BETWEEN), top + row * (side + _BETWEEN), side, side
            )
        return images_height(len(self.thumbnails), column, self._look)

    def _colours(self) -> tuple[QColor, QColor, QColor]:
        color = self._look.color
        return color("outline"), color("bubble"), color("accent")
