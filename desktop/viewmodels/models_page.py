"""What the models page binds to, put together."""

from __future__ import annotations

from dataclasses import dataclass

from desktop.viewmodels.library import LibraryViewModel


@dataclass(frozen=True, slots=True)
class ModelsPageViewModel:
    """One view-model for each part of the page."""

    library: LibraryViewModel
