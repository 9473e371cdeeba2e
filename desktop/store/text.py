"""Text as the database can hold it."""

from __future__ import annotations


def storable(text: str) -> str:
    """The text as UTF-8 can hold it. Half of a surrogate pair, which Python allows, becomes U+FFFD."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text
