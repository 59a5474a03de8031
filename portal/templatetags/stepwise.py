"""Tags and filters of our own look: icons and telephone links. No queries and no request are needed here."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Any, NamedTuple

from django import template
from django.templatetags.static import static
from django.utils.html import conditional_escape, format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from portal import kept as pieces
from portal import languages

register = template.Library()


class Contact(NamedTuple):
    """How to reach a clinic, and the language that its own words are in."""

    name: str
    phone_in_hours: str
    opening_hours: str
    phone_out_of_hours: str
    emergency_wording: str
    emergency_phone: str
    language: str


@register.filter
def contact(clinic: object) -> Contact | None:
    """How to reach a clinic, as `kept` takes it; None without a clinic."""
    return (
        Contact(*(str(getattr(clinic, name, "")) for name in Contact._fields)) if clinic else None
    )


@register.filter
def emergency_words(clinic: Any) -> str:
    """What to do in an emergency: the clinic's own sentence; in another language ours, with its number."""
    if _is_said_by_us(clinic):
        return _("In an emergency call %(number)s.") % {"number": clinic.emergency_phone}
    return str(getattr(clinic, "emergency_wording", ""))


@register.filter
def emergency_language(clinic: Any) -> str:
    """The language of `emergency_words` where it may not be the page's; empty where it is."""
    return "" if _is_said_by_us(clinic) else str(getattr(clinic, "language", ""))


def _is_said_by_us(clinic: Any) -> bool:
    has_number = bool(getattr(clinic, "emergency_phone", ""))
    return has_number and languages.is_foreign(clinic.language)


@register.simple_tag
def kept(name: str, **values: Any) -> SafeString:
    """A piece of the folder `templates/kept`, which sees these values and nothing else (portal.kept)."""
    return pieces.kept(name, **values)


@register.simple_tag
def said_in(language: str) -> SafeString:
    """` lang="…" dir="…"` for an element whose words may not be in the page's language; else nothing."""
    return languages.attributes(str(language or ""))


@register.simple_tag
def own_names() -> dict[str, str]:
    """Every language by its own name."""
    return languages.OWN_NAMES


@register.filter
def is_foreign(text: object) -> bool:
    """Whether something with a `language` has another than the page's. What has none has not."""
    return languages.is_foreign(str(getattr(text, "language", "")))


@register.filter
def any_foreign(texts: Iterable[object] | None) -> bool:
    """Whether one of several things with a `language` has another than the page's."""
    return any(is_foreign(text) for text in texts or ())


@register.simple_tag
def icon(name: str, label: str = "", css: str = "") -> SafeString:
    """Draw one symbol of the sprite `portal/icons.svg`.

    Without a label it is decoration and hidden from screen readers; with one it is an image of that name.
    """
    return _drawn(name, conditional_escape(label), css)


@lru_cache(maxsize=256)
def _drawn(name: str, label: SafeString, css: str) -> SafeString:
    """A page has some eighty symbols, of a few kinds."""
    role = (
        format_html('role="img" aria-label="{}"', label)
        if label
        else SafeString('aria-hidden="true"')
    )
    return format_html(
        '<svg class="{}" {}><use href="{}"></use></svg>',
        f"sw-icon {css}".strip(),
        role,
        f"{static('portal/icons.svg')}#{name}",
    )


@register.filter
def as_lead_in(label: object) -> str:
    """A label before what is said about it: with a colon, unless it ends with a mark of its own."""
    text = str(label or "")
    return text if text.endswith(("?", "؟", "!", ":", ".")) else f"{text}:"


@register.filter
def tel(number: object) -> str:
    """The number as a `tel:` address takes it: digits, with a leading plus sign where there is one (RFC 3966)."""
    text = str(number or "").strip()
    # A trunk zero in brackets is not dialled from abroad: +44 (0)20 is +4420.
    if text.startswith("+"):
        text = text.replace("(0)", "")
    digits = re.sub(r"\D", "", text)
    return f"+{digits}" if text.startswith("+") else digits


# Mail programs know no custom properties, so the light palette of tokens.css stands here once more;
# a test holds the two together. Dark text colour of a category, and its pale ground.
CATEGORY_COLOURS = {
    "smoking_cessation": ("#0d5668", "#dcf0f4"),
    "physiotherapy": ("#2a6033", "#e2f1e0"),
    "xray": ("#3c409c", "#e7e8fb"),
    "preparation": ("#754800", "#fcecd0"),
    "appointment": ("#7a2c6e", "#f7e4f3"),
    "recovery": ("#94381c", "#fce7de"),
    "check_in": ("#195390", "#e1edfa"),
}
PLAIN_COLOURS = ("#541f4d", "#f4e7f1")


@register.filter
def breakable(address: object) -> SafeString:
    """An email address that goes on below at its @, where it is too long for a line, and not within a word."""
    name, at, host = str(address).partition("@")
    return format_html("{}<wbr>{}{}", name, at, host)


@register.filter
def category_ink(category: str) -> str:
    """The dark colour of a category, as mails need it: #rrggbb."""
    return CATEGORY_COLOURS.get(category, PLAIN_COLOURS)[0]


@register.filter
def category_soft(category: str) -> str:
    """The pale ground of a category, as mails need it: #rrggbb."""
    return CATEGORY_COLOURS.get(category, PLAIN_COLOURS)[1]
