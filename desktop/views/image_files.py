"""The dialog for choosing image files."""

from __future__ import annotations

import sys
from pathlib import Path

from PySide6.QtWidgets import QFileDialog, QWidget

from desktop.i18n import tr
from desktop.views.message_edit import IMAGE_SUFFIXES


def ask_for_images(parent: QWidget) -> list[str]:
    """The paths of the image files that the person picked; none when they did not."""
    options = QFileDialog.Option.ReadOnly
    if sys.platform.startswith("linux"):
        # As for model files: the desktops' own dialogs look around on the network, and show previews that they decode.
        options |= QFileDialog.Option.DontUseNativeDialog
    shown = " ".join(f"*{suffix}" for suffix in IMAGE_SUFFIXES)
    paths, _ = QFileDialog.getOpenFileNames(
        parent, tr("Add images"), str(Path.home()), tr("Images") + f" ({shown})", options=options
    )
    return paths
