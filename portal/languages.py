"""Which language a reader gets, whether a text is in it, and how a text's own language is marked."""

from __future__ import annotations

from functools import lru_cache

from django.conf import settings
from django.http import HttpRequest
from django.utils import translation
from django.utils.html import conditional_escape, format_html
from django.utils.safestring import SafeString

# Each language by its own name: who cannot read a page still finds theirs.
OWN_NAMES = {
    "en-gb": "English (UK)",
    "en-us": "English (US)",
    "es": "Español",
    "ar": "العربية",
}


def chosen(request: HttpRequest) -> str:
    """The language that somebody chose in this browser before signing in; empty where nobody did."""
    language = request.COOKIES.get(settings.LANGUAGE_COOKIE_NAME, "")
    return language if language in OWN_NAMES else ""


def speak(request: HttpRequest, language: str) -> None:
    """Show this page in the language of the account that it is about.

    What was chosen in this browser goes before it, and so does the account of whoever is signed in.
    """
    if not chosen(request) and not request.user.is_authenticated:
        translation.activate(language)
        request.LANGUAGE_CODE = language


def is_foreign(language: str) -> bool:
    """Whether a text in `language` is not in the one in force. British and American are one language here."""
    return _differs(language, translation.get_language() or "")


def _differs(language: str, page: str) -> bool:
    return bool(language) and _base(language) != _base(page)


def direction(language: str) -> str:
    """`rtl` for languages written from the right, such as Arabic, `ltr` for all others."""
    return "rtl" if _base(language) in settings.LANGUAGES_BIDI else "ltr"


def attributes(language: str) -> SafeString:
    """`lang` and `dir` for the element that holds a text; nothing where the page says the same already.

    Without them a screen reader speaks English with an Arabic voice, and its full stops stand at the
    wrong end (WCAG 2.2, 3.1.2).
    """
    return _attributes(language, translation.get_language() or "")


@lru_cache(maxsize=64)
def _attributes(language: str, page: str) -> SafeString:
    if not _differs(language, page):
        return SafeString("")
    return format_html(' lang="{}" dir="{}"', language, direction(language))


def in_own_language(text: str, language: str) -> SafeString:
    """A text within a page, marked where its language is another than the page's."""
    marks = attributes(language)
    return format_html("<bdi{}>{}</bdi>", marks, text) if marks else conditional_escape(text)


def _base(language: str) -> str:
    return language.partition("-")[0].lower()
