"""An object that is made when it is first used, so that the window does not wait for what only an action needs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

T = TypeVar("T")


class _Later:
    def __init__(self, make: Callable[[], object]) -> None:
        self._make = make
        self._made: object | None = None

    def __getattr__(self, name: str) -> Any:
        if self._made is None:
            self._made = self._make()
        return getattr(self._made, name)


def later(make: Callable[[], T]) -> T:
    """Stands for what `make` returns; `make` is called when the first attribute is asked for. One thread only."""
    return cast(T, _Later(make))
