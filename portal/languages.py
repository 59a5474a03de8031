"""Whether a text is in its reader's language, and how its own language and direction are marked."""

from __future__ import annotations

from django.conf import settings
from django.utils import translation
from django.utils.html import format_html
from django.utils.safestring import SafeString


def is_foreign(language: str) -> bool:
    """Whether a text in `language` is not in the one in force. British and American are one language here."""
    return bool(language) and _base(language) != _base(translation.get_language() or "")


def direction(language: str) -> str:
    """`rtl` for languages written from the right, such as Arabic, `ltr` for all others."""
    return "rtl" if _base(language) in settings.LANGUAGES_BIDI else "ltr"


def attributes(language: str) -> SafeString:
    """`lang` and `dir` for the element that holds a text; nothing where the page says the same already.

    Without them a screen reader speaks English with an Arabic voice, and its full stops stand at the
    wrong end (WCAG 2.2, 3.1.2).
    """
    if not is_foreign(language):
        return SafeString("")
    return format_html(' lang="{}" dir="{}"', language, direction(language))


def _base(language: str) -> str:
    return language.partition("-")[0].lower()
