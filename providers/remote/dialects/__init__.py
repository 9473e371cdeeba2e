"""One file for each way of speaking to a service. A file named here is a dialect that the catalogue may name."""

from __future__ import annotations

import re
from functools import cache
from importlib import import_module
from importlib.util import find_spec

from providers.remote.dialect import Dialect


def is_dialect(name: str) -> bool:
    """Whether there is a dialect of this name."""
    return (
        re.fullmatch(r"[a-z][a-z_]{0,30}", name) is not None and find_spec(f"{__name__}.{name}") is not None
    )


@cache
def dialect(name: str) -> Dialect:
    """The dialect of this name. Raises LookupError."""
    if not is_dialect(name):
        raise LookupError(f"no dialect {name!r:.40}")
    made: Dialect = import_module(f"{__name__}.{name}").DIALECT
    return made
