"""How set-up ends early."""

from __future__ import annotations


class Stop(Exception):
    """Set-up can't go on. The text is for the person: what happened and what to do next."""
