"""Turns the palette's tokens into Qt's palette, fonts, icons and style sheet, and keeps them in step while it runs."""

from __future__ import annotations

import re
from dataclasses import asdict, replace
from functools import cache
from pathlib import Path
from weakref import WeakSet

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtGui import QColor, QGuiApplication, QIcon, QPalette
from PySide6.QtWidgets import QApplication, QToolTip, QWidget
from shiboken6 import isValid

import resources
from desktop.views import icons
from desktop.views.palette import DARK, LIGHT, Palette

_STYLES = Path(resources.__file__).parent / "styles"
BODY_PX = 15
SMALL_PX = 13
HEADING_PX = 22
MONO_PX = 14
SYSTEM, DARK_CHOICE = "system", "dark"


class Theme(QObject):
    """One for the application. `changed` follows every change of colours or text size.

    Qt's own `setColorScheme` does nothing on some platforms, so the style is always Fusion with our palette;
    the system only says whether it is light or dark, and whether more contrast is wanted.
    """

    changed = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._choice = SYSTEM
        self._percent = 100
        self._areas: WeakSet[QWidget] = WeakSet()
        self._sheet = ""
        self.palette: Palette = LIGHT
        hints = QGuiApplication.styleHints()
        hints.colorSchemeChanged.connect(self._system_changed)
        hints.accessibility().contrastPreferenceChanged.connect(self._system_changed)

    # ---- what others ask for

    @property
    def body_px(self) -> int:
        return self.scaled(BODY_PX)

    @property
    def small_px(self) -> int:
        return self.scaled(SMALL_PX)

    def scaled(self, pixels: int) -> int:
        """A length given for text at 100 %, at the text size in force."""
        return round(pixels * self._percent / 100)

    def color(self, token: str) -> QColor:
        return QColor(getattr(self.palette, token))

    def icon(self, name: str, token: str = "text_soft", size: int = 18) -> QIcon:
        return icons.icon(name, getattr(self.palette, token), self.scaled(size))

    def dress(self, area: QWidget) -> None:
        """Give an area of the window, or a dialog, the style sheet, now and after each change."""
        self._areas.add(area)
        area.setStyleSheet(self._sheet)

    # ---- changing it

    def settle_style(self) -> None:
        """Make the style Fusion if it is another.

        Asking costs 30 ms (PySide makes all its style classes), so it is done once the window is up: Fusion is
        Qt's default on Linux, and the program starts with it everywhere.
        """
        app = QApplication.instance()
        assert isinstance(app, QApplication)
        if app.style().name() != "fusion":
            app.setStyle("Fusion")

    def use(self, choice: str, percent: int) -> None:
        """`choice`: system, light or dark. `percent` of the normal text size, 80 to 200."""
        self._choice, self._percent = choice, percent
        self._apply()

    def _system_changed(self) -> None:
        self._apply()

    def _apply(self) -> None:
        self.palette = _tokens(self._choice)
        app = QApplication.instance()
        assert isinstance(app, QApplication)
        font = app.font()
        font.setPixelSize(self.body_px)
        if app.font() != font:
            app.setFont(font)
        palette = _qt_palette(self.palette)
        if app.palette() != palette:
            app.setPalette(palette)
        QToolTip.setPalette(palette)
        font.setPixelSize(self.small_px)
        QToolTip.setFont(font)
        self._sheet = self._filled_sheet()
        for area in list(self._areas):
            if isValid(area):  # Qt may have ended it before Python did
                area.setStyleSheet(self._sheet)
        self.changed.emit()

    def _filled_sheet(self) -> str:
        words = {
            **asdict(self.palette),
            "body": self.body_px,
            "small": self.small_px,
            "heading": self.scaled(HEADING_PX),
            "styles": _STYLES.as_posix(),
        }
        return re.sub(r"\$\{?(\w+)\}?", lambda match: str(words[match[1]]), _sheet_source())


@cache
def _sheet_source() -> str:
    return (_STYLES / "window.qss").read_text(encoding="utf-8")


def _tokens(choice: str) -> Palette:
    hints = QGuiApplication.styleHints()
    dark = choice == DARK_CHOICE or (choice == SYSTEM and hints.colorScheme() == Qt.ColorScheme.Dark)
    palette = DARK if dark else LIGHT
    if hints.accessibility().contrastPreference() == Qt.ContrastPreference.HighContrast:
        return high_contrast(palette)
    return palette


def high_contrast(palette: Palette) -> Palette:
    """The same colours with everything that is faint made strong, on pure black or white."""
    ground = "#000000" if palette.dark else "#ffffff"
    ink = "#ffffff" if palette.dark else "#000000"
    return replace(
        palette,
        page=ground,
        sidebar=ground,
        surface=ground,
        bubble=ground,
        line=ink,
        outline=ink,
        text=ink,
        text_soft=ink,
    )


def _qt_palette(tokens: Palette) -> QPalette:
    role = QPalette.ColorRole
    colors = {
        role.Window: tokens.page,
        role.WindowText: tokens.text,
        role.Base: tokens.page,
        role.AlternateBase: tokens.surface,
        role.Text: tokens.text,
        role.PlaceholderText: tokens.text_soft,
        role.Button: tokens.surface,
        role.ButtonText: tokens.text,
        role.BrightText: tokens.danger,
        role.Highlight: tokens.accent,
        role.HighlightedText: tokens.on_accent,
        role.Accent: tokens.accent,
        role.Link: tokens.link,
        role.LinkVisited: tokens.link,
        role.ToolTipBase: tokens.surface,
        role.ToolTipText: tokens.text,
        role.Light: tokens.surface,
        role.Midlight: tokens.hover,
        role.Mid: tokens.line,
        role.Dark: tokens.outline,
        role.Shadow: tokens.outline,
    }
    palette = QPalette()
    for which, color in colors.items():
        palette.setColor(which, QColor(color))
    for which in (role.WindowText, role.Text, role.ButtonText):
        palette.setColor(QPalette.ColorGroup.Disabled, which, QColor(tokens.text_soft))
    return palette
