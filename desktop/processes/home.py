"""Where Alcove's folder is, in words that can be asked before the lock: the standard library only."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping

NAME = "Alcove"


def home_folder(environ: Mapping[str, str]) -> str:
    """The absolute path of Alcove's folder: `ALCOVE_HOME`, or where this system keeps an account's data.

    The XDG Base Directory Specification (a relative value is ignored), Apple's File System Programming Guide,
    and Windows' local application data. Creates nothing.
    """
    chosen = environ.get("ALCOVE_HOME")
    if chosen:
        return os.path.abspath(os.path.expanduser(chosen))
    if sys.platform == "win32":
        data = environ.get("LOCALAPPDATA") or "~\\AppData\\Local"
    elif sys.platform == "darwin":
        data = "~/Library/Application Support"
    else:
        data = environ.get("XDG_DATA_HOME", "")
        data = data if data.startswith("/") else "~/.local/share"
    return os.path.join(os.path.expanduser(data), NAME)
