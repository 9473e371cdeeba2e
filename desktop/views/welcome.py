"""The page of an empty conversation: four things to try; at the first start also what Alcove is, in three sentences."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QPainter, QPaintEvent, QPen, QResizeEvent
from PySide6.QtWidgets import (
    QAbstractButton,
    QFrame,
    QGridLayout,
    QScrollArea,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from desktop.i18n import tr
from desktop.views.theme import Theme
from desktop.views.widgets import Text, centred_margin, describe, leading, prepare

_CARD_PX = 84
_PADDING = 16


def _things_to_try() -> tuple[tuple[str, str, str], ...]:
    """Icon, title, and what is sent."""
    return (
        (
            "pen-line",
            tr("Write a friendly reminder"),
            tr("Write a short, friendly e-mail that reminds a colleague of our meeting tomorrow at ten."),
        ),
        ("lightbulb", tr("Explain something"), tr("Explain in a few simple sentences why the sky is blue.")),
        (
            "code",
            tr("Write a small program"),
            tr("Write a short Python function that counts the words in a text, with an example."),
        ),
    )


class Welcome(QScrollArea):
    """`prompt_chosen` with the text to send; `computer_asked` for the facts about this machine."""

    prompt_chosen = Signal(str)
    computer_asked = Signal()

    def __init__(self, theme: Theme, data_folder: str | None) -> None:
        """`data_folder` is given at the first start only."""
        super().__init__()
        self._theme = theme
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._page = QWidget()
        self._column = QVBoxLayout(self._page)
        self._column.setSpacing(8)
        self._column.addStretch(2)
        if data_folder is None:
            self._column.addWidget(
                Text(self._theme, tr("What would you like to think about?"), "heading", wrap=True)
            )
        else:
            self._introduce(data_folder)
        self._column.addSpacing(16)
        self._cards: list[Card] = []
        self._grid = QGridLayout()
        self._grid.setSpacing(8)
        self._column.addLayout(self._grid)
        self._column.addStretch(3)
        self._fill()
        self.setWidget(self._page)

    def _introduce(self, data_folder: str) -> None:
        self._column.addWidget(Text(self._theme, tr("Welcome to Alcove"), "heading", wrap=True))
        self._column.addSpacing(8)
        for sentence in (
            tr("Alcove answers your questions with a language model that runs on this computer, without an account."),
            tr("What you write stays here: conversations are kept in {folder}. Nothing is sent anywhere unless you "
               "choose a model that runs elsewhere, and then you see first what would be sent.", folder=data_folder),
            tr("The model it starts with is small, for trying things out: it is quick, and often wrong. "
               "“All models” has larger ones: those on this computer, and those to find."),
        ):  # fmt: skip
            said = Text(self._theme, sentence, wrap=True)
            said.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
            self._column.addWidget(said)

    def _fill(self) -> None:
        for icon, title, prompt in _things_to_try():
            card = Card(self._theme, icon, title, prompt)
            card.clicked.connect(lambda _=False, text=prompt: self.prompt_chosen.emit(text))
            self._cards.append(card)
        about = Card(
            self._theme,
            "laptop",
            tr("What can this computer run?"),
            tr("Its memory and processor, and which model files fit."),
        )
        about.clicked.connect(self.computer_asked)
        self._cards.append(about)
        self._place_cards(2)

    def _place_cards(self, columns: int) -> None:
        for place, card in enumerate(self._cards):
            self._grid.addWidget(card, place // columns, place % columns)

    def resizeEvent(self, event: QResizeEvent) -> None:
        width = event.size().width()
        margin = centred_margin(self._theme, width)
        self._column.setContentsMargins(margin, 24, margin, 24)
        self._place_cards(2 if width >= self._theme.scaled(520) else 1)
        super().resizeEvent(event)


class Card(QAbstractButton):
    """A large button: an icon, a title, and a soft line or two below."""

    def __init__(self, theme: Theme, icon: str, title: str, text: str) -> None:
        super().__init__()
        self._theme = theme
        self._icon = icon
        self._text = text
        self.setText(title)
        describe(self, title, text)
        self.setAttribute(Qt.WidgetAttribute.WA_Hover)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        theme.changed.connect(self.updateGeometry)

    def sizeHint(self) -> QSize:
        return QSize(240, self._theme.scaled(_CARD_PX))

    def paintEvent(self, event: QPaintEvent) -> None:
        theme = self._theme
        painter = QPainter(self)
        prepare(painter)
        focused = self.hasFocus()
        width = 2.0 if focused else 1.0
        painter.setPen(QPen(theme.color("accent" if focused else "line"), width))
        painter.setBrush(
            theme.color("selected" if self.isDown() else "hover" if self.underMouse() else "page")
        )
        half = width / 2
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(half, half, -half, -half), 12, 12)
        self._paint_texts(painter)

    def _paint_texts(self, painter: QPainter) -> None:
        theme = self._theme
        ltr = self.layoutDirection() == Qt.LayoutDirection.LeftToRight
        side = theme.scaled(18)
        inner = self.rect().adjusted(_PADDING, 12, -_PADDING, -10)
        icon_left = inner.left() if ltr else inner.right() - side + 1
        painter.drawPixmap(icon_left, inner.top() + 1, theme.icon(self._icon, "accent").pixmap(side, side))
        inner.adjust(side + 12 if ltr else 0, 0, 0 if ltr else -side - 12, 0)
        font = self.font()
        font.setPixelSize(theme.body_px)
        font.setWeight(font.Weight.DemiBold)
        painter.setFont(font)
        painter.setPen(theme.color("text"))
        title = painter.fontMetrics().elidedText(self.text(), Qt.TextElideMode.ElideRight, inner.width())
        painter.drawText(inner, top_leading(self), title)
        inner.setTop(inner.top() + painter.fontMetrics().height() + 2)
        font.setPixelSize(theme.small_px)
        font.setWeight(font.Weight.Normal)
        painter.setFont(font)
        painter.setPen(theme.color("text_soft"))
        painter.drawText(inner, top_leading(self) | int(Qt.TextFlag.TextWordWrap), self._text)


def top_leading(widget: QWidget) -> int:
    return leading(widget) & ~int(Qt.AlignmentFlag.AlignVCenter) | int(Qt.AlignmentFlag.AlignTop)
