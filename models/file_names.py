"""Names of repositories and of files in them, as strangers wrote them: which may become a path on this disk.

A name is taken or refused as it stands, never repaired: two names that a repair makes equal would overwrite
each other.
"""

from __future__ import annotations

import re
import unicodedata
from enum import StrEnum

_LONGEST_PART = 200  # bytes; 255 is what file systems take, and a suffix is added to a file set aside
_LONGEST_PATH = 600
_MOST_PARTS = 8
_WINDOWS_DEVICES = re.compile(
    r"(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9¹²³])\s*(\..*)?", re.IGNORECASE
)
_WINDOWS_LETTERS = frozenset('<>:"|?*\\')
_REPOSITORY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}/[A-Za-z0-9][A-Za-z0-9._-]{0,95}")


class NameProblem(StrEnum):
    """Why a name is not taken."""

    EMPTY = "empty"
    TOO_LONG = "too_long"
    ABSOLUTE = "absolute"
    TRAVERSAL = "traversal"
    CONTROL = "control"  # NUL, line breaks and other control characters
    INVISIBLE = "invisible"  # marks that reorder or hide text: what a person reads is not what is there
    RESERVED = "reserved"  # a device, a letter or an ending that Windows does not take in a file name
    NOT_TEXT = "not_text"  # not encodable as UTF-8


def file_problem(path: str) -> NameProblem | None:
    """What keeps a path within a repository ("Q4_K_M/model.gguf") from being used on disk; None when nothing."""
    if not path:
        return NameProblem.EMPTY
    try:
        size = len(path.encode("utf-8"))
    except UnicodeEncodeError:
        return NameProblem.NOT_TEXT
    if size > _LONGEST_PATH or path.count("/") >= _MOST_PARTS:
        return NameProblem.TOO_LONG
    if path.startswith(("/", "\\")) or re.match(r"[A-Za-z]:", path):
        return NameProblem.ABSOLUTE
    problems = (_part_problem(part) for part in path.split("/"))
    return next((problem for problem in problems if problem is not None), None)


def repository_problem(repo: str) -> NameProblem | None:
    """The same for "ORG/NAME". The hub allows letters, digits, ".", "_" and "-", and neither "--" nor ".."."""
    if not repo:
        return NameProblem.EMPTY
    problem = file_problem(repo)
    if problem is not None:
        return problem
    if not _REPOSITORY.fullmatch(repo) or "--" in repo or ".." in repo or repo.endswith(".git"):
        return NameProblem.RESERVED
    return None


def _part_problem(part: str) -> NameProblem | None:
    if not part:
        return NameProblem.EMPTY
    if part in (".", "..") or re.fullmatch(r"[. ]+", part) or re.search(r"(^|\\)\.\.(\\|$)", part):
        return NameProblem.TRAVERSAL
    if len(part.encode("utf-8")) > _LONGEST_PART:
        return NameProblem.TOO_LONG
    for letter in part:
        category = unicodedata.category(letter)
        if category == "Cc":
            return NameProblem.CONTROL
        if category in ("Cf", "Zl", "Zp", "Co", "Cn"):
            return NameProblem.INVISIBLE
        if letter in _WINDOWS_LETTERS:
            return NameProblem.RESERVED
    if part[-1] in ". " or part[0] == " " or _WINDOWS_DEVICES.fullmatch(part):
        return NameProblem.RESERVED
    return None
