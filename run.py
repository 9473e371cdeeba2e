#!/usr/bin/env python3
"""Alcove's one command: sets up what is missing, then opens the window. `python3 run.py --help` lists the rest.

Any Python 3 can read this file, so that an old one can say what is needed; the work is in packaging/launcher.
"""

import os
import shutil
import sys

ROOT = os.path.dirname(os.path.realpath(__file__))
OLDEST = (3, 11)
NEWER = ("python3.14", "python3.13", "python3.12", "python3.11")


def too_old() -> str:
    """What to do about this Python, as text; empty if it is new enough."""
    if sys.version_info >= OLDEST:
        return ""
    text = "Alcove needs Python 3.11 or newer; this is Python %d.%d.%d." % sys.version_info[:3]  # noqa: UP031
    newer = [name for name in NEWER if shutil.which(name)]
    if newer:
        return text + "\nA newer one is here. Run:\n\n    " + newer[0] + " run.py"
    return (
        text
        + "\nInstall a newer one (your system's packages, or https://www.python.org), then run this with it."
    )


def main() -> int:
    """Exit status: 0 done, 1 failed, 2 wrong usage."""
    complaint = too_old()
    if complaint:
        sys.stderr.write(complaint + "\n")
        return 1
    sys.path.insert(0, os.path.join(ROOT, "packaging"))
    from pathlib import Path

    from launcher import commands

    return commands.main(Path(ROOT), sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
