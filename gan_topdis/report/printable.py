"""Names from outside (files, networks) on one line, without characters that act on a terminal."""

from __future__ import annotations

import unicodedata

_DRAWABLE = frozenset("±·…")
"""Signs beyond ASCII that Pillow's built-in font has."""


def printable(text: str, limit: int = 200) -> str:
    """The text with control characters spelled out and its end cut off beyond `limit` characters."""
    clean = "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text)
    return clean if len(clean) <= limit else clean[: limit - 1] + "…"


def drawable(text: str, limit: int = 200) -> str:
    """`printable`, in letters that Pillow's built-in font has: without accents, `?` for the rest."""
    letters = []
    for letter in printable(text, limit):
        if letter.isascii() or letter in _DRAWABLE:
            letters.append(letter)
        else:
            plain = unicodedata.normalize("NFKD", letter).encode("ascii", "ignore").decode()
            letters.append(plain or "?")
    return "".join(letters)
