"""`tr()`: the one door through which text reaches a person, in the window and in the terminal.

Standard gettext, no Qt, so that the command line speaks the same words. A catalogue is looked for under
resources/translations; without one the English text in the code is what is shown.
"""

from __future__ import annotations

import gettext
from pathlib import Path

import resources

_CATALOGUES = Path(resources.__file__).parent / "translations"
_translation = gettext.translation("alcove", _CATALOGUES, fallback=True)


def tr(text: str, **values: object) -> str:
    """The text in the person's language, with `{name}` filled from `values`."""
    translated = _translation.gettext(text)
    return translated.format(**values) if values else translated
