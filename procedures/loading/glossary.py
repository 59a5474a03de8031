"""British words made American ones, by the catalogue's own list. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable

from procedures.loading.catalogue import Row


class Glossary:
    """Replaces whole words; the case of the first letter is kept."""

    def __init__(self, rows: Iterable[Row]) -> None:
        self.words = {row.data["en-gb"].lower(): row.data["en-us"] for row in rows}
        longest_first = sorted(map(re.escape, self.words), key=len, reverse=True)
        pattern = r"\b(" + "|".join(longest_first) + r")\b" if self.words else r"(?!)"
        self.british = re.compile(pattern, re.IGNORECASE)

    def american(self, text: str) -> str:
        """The text as an American reader knows the words."""
        return self.british.sub(self._one, text)

    def _one(self, match: re.Match[str]) -> str:
        word = self.words[match[0].lower()]
        return word[0].upper() + word[1:] if match[0][0].isupper() else word
