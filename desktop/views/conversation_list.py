"""The list in the sidebar: opens, renames and deletes conversations, by mouse and by key; quick with thousands."""

from __future__ import annotations

from PySide6.QtCore import (
    QEvent,
    QModelIndex,
    QPersistentModelIndex,
    QPoint,
    QRect,
    QRectF,
    QSize,
    Qt,
    Signal,
)
from PySide6.QtGui import QContextMenuEvent, QFont, QKeyEvent, QMouseEvent, QPainter, QPen
from PySide6.QtWidgets import (
    QAbstractItemView,
    QLineEdit,
    QListView,
    QMenu,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QWidget,
)

from desktop.i18n import tr
from desktop.viewmodels.conversations import ConversationItem
from desktop.views.commands import IS_ENTER, readable
from desktop.views.conversation_rows import ID, IS_OPEN, STAYS, ConversationRows
from desktop.views.theme import Theme
from desktop.views.widgets import describe, leading, prepare

Index = QModelIndex | QPersistentModelIndex
_LONGEST_TITLE = 200


class ConversationList(QListView):
    """Signals carry a conversation's id."""

    opened = Signal(int)
    renamed = Signal(int, str)
    deleted = Signal(int)

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self.rows = ConversationRows(self)
        self.setModel(self.rows)
        self.setItemDelegate(_RowPainter(theme, self))
        # All rows have one height, headings too: five thousand are laid out without asking for each.
        self.setUniformItemSizes(True)
        self.setMouseTracking(True)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        describe(
            self,
            tr("Conversations"),
            tr(
                "Enter opens, {rename} renames, {delete} deletes.",
                rename=readable("F2"),
                delete=readable("Del"),
            ),
        )
        self.clicked.connect(self._open)
        self.rows.renamed.connect(self.renamed)
        theme.changed.connect(self.scheduleDelayedItemsLayout)

    def show_items(self, items: tuple[ConversationItem, ...], open_id: int | None) -> None:
        top, here = self.verticalScrollBar().value(), self._id(self.currentIndex())
        self.rows.show(items, open_id)
        place = self.rows.row_of(here if here is not None else open_id)
        if place is not None and not self.currentIndex().isValid():
            self.setCurrentIndex(self.rows.index(place))
            self.verticalScrollBar().setValue(top)

    def reveal(self, conversation_id: int | None) -> None:
        """Scroll to a conversation and make it the one the keys act on."""
        place = self.rows.row_of(conversation_id)
        if place is not None:
            self.setCurrentIndex(self.rows.index(place))
            self.scrollTo(self.rows.index(place))

    def rename(self, conversation_id: int) -> None:
        """Open the editor on its row."""
        self.reveal(conversation_id)
        self.edit(self.currentIndex())

    # ---- keys and mouse

    def keyPressEvent(self, event: QKeyEvent) -> None:
        here = self._id(self.currentIndex())
        editing = self.state() == QAbstractItemView.State.EditingState  # then the keys are the editor's
        if editing or here is None or event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier:
            super().keyPressEvent(event)
        elif event.key() in IS_ENTER:
            self.opened.emit(here)
        elif event.key() == Qt.Key.Key_F2:
            self.edit(self.currentIndex())
        elif event.key() == Qt.Key.Key_Delete:
            self.deleted.emit(here)
        else:
            super().keyPressEvent(event)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        index = self.indexAt(event.position().toPoint())
        if event.button() == Qt.MouseButton.LeftButton and self._on_menu_button(
            index, event.position().toPoint()
        ):
            self._show_menu(index, event.globalPosition().toPoint())
            return
        super().mousePressEvent(event)

    def _on_menu_button(self, index: QModelIndex, at: QPoint) -> bool:
        return self._id(index) is not None and menu_button(self.visualRect(index), self).contains(at)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        by_key = event.reason() == QContextMenuEvent.Reason.Keyboard
        index = self.currentIndex() if by_key else self.indexAt(event.pos())
        if self._id(index) is not None:
            at = self.viewport().mapToGlobal(self.visualRect(index).center()) if by_key else event.globalPos()
            self._show_menu(index, at)

    def _show_menu(self, index: QModelIndex, at: QPoint) -> None:
        conversation_id = self._id(index)
        assert conversation_id is not None
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.setAccessibleName(tr("What to do with this conversation"))
        menu.addAction(tr("Open"), lambda: self.opened.emit(conversation_id))
        menu.addAction(tr("Rename") + "\t" + readable("F2"), lambda: self.rename(conversation_id))
        menu.addAction(tr("Delete") + "\t" + readable("Del"), lambda: self.deleted.emit(conversation_id))
        menu.popup(at)

    def _open(self, index: QModelIndex) -> None:
        conversation_id = self._id(index)
        if conversation_id is not None:
            self.opened.emit(conversation_id)

    @staticmethod
    def _id(index: Index) -> int | None:
        found = index.data(ID) if index.isValid() else None
        return found if isinstance(found, int) else None


def menu_button(row: QRect, view: QWidget) -> QRect:
    """Where the button with the three dots is, at the end of a row."""
    side = row.height() - 4
    if view.layoutDirection() == Qt.LayoutDirection.LeftToRight:
        return QRect(row.right() - side - 1, row.top() + 2, side, side)
    return QRect(row.left() + 2, row.top() + 2, side, side)


class _RowPainter(QStyledItemDelegate):
    """Draws headings and rows from the palette; the row under the pointer shows its menu button."""

    def __init__(self, theme: Theme, view: ConversationList) -> None:
        super().__init__(view)
        self._theme = theme
        self._view = view

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        return QSize(100, self._theme.scaled(36))

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        painter.save()
        prepare(painter)
        if index.data(ID) is None:
            self._paint_heading(painter, option, index)
        else:
            self._paint_row(painter, option, index)
        painter.restore()

    def _paint_heading(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        font = QFont(self._view.font())
        font.setPixelSize(self._theme.small_px)
        font.setWeight(QFont.Weight.DemiBold)
        painter.setFont(font)
        painter.setPen(self._theme.color("text_soft"))
        side = leading(self._view) & ~int(Qt.AlignmentFlag.AlignVCenter)
        area = option.rect.adjusted(10, 0, -10, -6)
        painter.drawText(area, side | int(Qt.AlignmentFlag.AlignBottom), index.data())

    def _paint_row(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        hovered = bool(option.state & QStyle.StateFlag.State_MouseOver)
        area = QRectF(option.rect).adjusted(1, 1, -1, -1)
        if index.data(IS_OPEN) or hovered:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(self._theme.color("selected" if index.data(IS_OPEN) else "hover"))
            painter.drawRoundedRect(area, 8, 8)
        if option.state & QStyle.StateFlag.State_HasFocus:
            painter.setPen(QPen(self._theme.color("accent"), 2))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(area, 8, 8)
        font = QFont(self._view.font())
        font.setPixelSize(self._theme.body_px - 1)
        painter.setFont(font)
        painter.setPen(self._theme.color("text"))
        text = option.rect.adjusted(10, 0, -10, 0)
        if hovered:
            button = menu_button(option.rect, self._view)
            ltr = self._view.layoutDirection() == Qt.LayoutDirection.LeftToRight
            text.adjust(0 if ltr else button.width(), 0, -button.width() if ltr else 0, 0)
            self._theme.icon("ellipsis", "text_soft", 16).paint(painter, button)
        if index.data(STAYS) and not hovered:
            side = self._theme.scaled(16)
            ltr = self._view.layoutDirection() == Qt.LayoutDirection.LeftToRight
            left = text.right() - side + 1 if ltr else text.left()
            house = QRect(left, text.center().y() - side // 2, side, side)
            self._theme.icon("house", "text_soft", side).paint(painter, house)
            text.adjust(0 if ltr else side + 6, 0, -side - 6 if ltr else 0, 0)
        shown = painter.fontMetrics().elidedText(index.data(), Qt.TextElideMode.ElideRight, text.width())
        painter.drawText(text, leading(self._view), shown)

    def createEditor(self, parent: QWidget, option: QStyleOptionViewItem, index: Index) -> QWidget:
        editor = QLineEdit(parent)
        editor.setMaxLength(_LONGEST_TITLE)
        describe(editor, tr("New title"), tr("Enter takes the title, Esc leaves it as it was."))
        return editor

    def updateEditorGeometry(self, editor: QWidget, option: QStyleOptionViewItem, index: Index) -> None:
        editor.setGeometry(option.rect)

    def editorEvent(self, event: QEvent, model: object, option: QStyleOptionViewItem, index: Index) -> bool:
        return False
