"""The words of a step in a reader's language: placeholders filled, Markdown made safe HTML and plain text.

Texts hold no facts of a patient: those come in as `values` from whoever makes the mail or the page.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from django.db.models import QuerySet, UUIDField
from django.utils.safestring import SafeString, mark_safe

from portal.models import Clinic, Language
from portal.prepared import Blank, prepared
from procedures.markdown import to_html, to_text
from procedures.models import Resolution, SlotValue, Step, StepText

# Every placeholder a text may use, and what stands in its place.
PLACEHOLDERS: Mapping[str, str] = {
    "patient_name": "the patient's name",
    "reader_name": "the name of the person the mail goes to",
    "clinic_name": "the clinic's name",
    "clinic_phone": "the clinic's phone number in opening hours",
    "opening_hours": "the clinic's opening hours",
    "phone_out_of_hours": "the phone number out of hours",
    "emergency_wording": "the clinic's sentence for an emergency",
    "surgery_date": "the day of surgery, in words",
    "appointment_date": "the day of the appointment, in words",
    "appointment_time": "the local time of the appointment",
    "appointment_place": "where the appointment is",
    "window_from": "the first day of the window, in words",
    "window_until": "the last day of the window, in words",
}
APPOINTMENT_PLACEHOLDERS = frozenset({"appointment_date", "appointment_time", "appointment_place"})
WINDOW_PLACEHOLDERS = frozenset({"window_from", "window_until"})

_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
_MARKDOWN_SIGNS = re.compile(r"([!-/:-@\[-`{-~])")
_SLOT = re.compile(r"slot:[a-z][a-z0-9_]*")
_SETTLED = re.compile(r"settled:D[0-9]+")

CLINIC = Blank("clinic", UUIDField())

# Where a step has no words in the reader's language, these are tried in turn.
FALLBACK: Mapping[str, tuple[str, ...]] = {
    Language.AMERICAN_ENGLISH: (Language.BRITISH_ENGLISH,),
    Language.SPANISH: (Language.BRITISH_ENGLISH,),
    Language.ARABIC: (Language.BRITISH_ENGLISH,),
}


class UnfilledPlaceholder(LookupError):
    """A text needs values that are missing or empty. `names` says which; such a text must not be sent."""

    def __init__(self, names: Iterable[str]) -> None:
        self.names = tuple(sorted(set(names)))
        super().__init__("No value for " + ", ".join(f"{{{name}}}" for name in self.names))


class NoWords(LookupError):
    """A step has no text in the language asked for, nor in one that can stand in for it."""


class Wording(NamedTuple):
    """A step's words as one reader gets them. `body_text` is for plain-text mail and is not HTML-escaped."""

    language: str
    subject: str
    title: str
    todo: str
    body_html: SafeString
    body_text: str


def placeholders_in(*texts: str) -> set[str]:
    """The names of the placeholders that stand in the texts, known or not."""
    return {name for text in texts for name in _PLACEHOLDER.findall(text)}


def is_known_placeholder(name: str) -> bool:
    """Whether a text may use `{name}`: one of PLACEHOLDERS, `slot:KEY` or `settled:D3`."""
    return bool(name in PLACEHOLDERS or _SLOT.fullmatch(name) or _SETTLED.fullmatch(name))


def words_of(step: Step, language: str) -> StepText:
    """The step's text in `language`, or in the next language that stands in for it.

    Reads the step's prefetched texts where there are any. Raises NoWords.
    """
    by_language = {text.language: text for text in step.texts.all()}
    for wanted in (language, *FALLBACK.get(language, (Language.BRITISH_ENGLISH,))):
        if wanted in by_language:
            return by_language[wanted]
    raise NoWords(f"Step “{step.key}” has no words in {language}.")


def fill(text: str, values: Mapping[str, str]) -> str:
    """Put the values into a plain text. Raises UnfilledPlaceholder, naming all that are missing or empty."""
    _require(placeholders_in(text), values)
    return _PLACEHOLDER.sub(lambda match: str(values[match[1]]).strip(), text)


def render(text: StepText, values: Mapping[str, str]) -> Wording:
    """The words of a step with `values` filled in.

    A value is text and nothing else: what looks like Markdown or HTML in it comes out as it was
    written. Raises UnfilledPlaceholder, naming all that are missing or empty in any part.
    """
    _require(placeholders_in(text.subject, text.title, text.todo, text.body), values)
    body = fill(text.body, {name: as_markdown(str(value)) for name, value in values.items()})
    return Wording(
        language=text.language,
        subject=" ".join(fill(text.subject, values).split()),
        title=fill(text.title, values),
        todo=fill(text.todo, values),
        body_html=mark_safe(to_html(body)),  # noqa: S308 - HTML is switched off in the renderer
        body_text=to_text(body),
    )


def clinic_values(clinic: Clinic) -> dict[str, str]:
    """What the clinic itself fills in: its name and phone numbers, its slots and what it has settled.

    Two queries. Merge it with the values of the patient and the appointment for `render`.
    """
    return {
        "clinic_name": clinic.name,
        "clinic_phone": clinic.phone_in_hours,
        "opening_hours": clinic.opening_hours,
        "phone_out_of_hours": clinic.phone_out_of_hours,
        "emergency_wording": clinic.emergency_wording,
        **_slot_values(clinic),
        **_settled_values(clinic),
    }


def _slot_values(clinic: Clinic) -> dict[str, str]:
    return {f"slot:{key}": value for key, value in _slots(clinic=clinic.pk)}


@prepared
def _slots() -> QuerySet[Any, tuple[str, str]]:
    return SlotValue.objects.filter(clinic=CLINIC).values_list("slot__key", "value")


def _settled_values(clinic: Clinic) -> dict[str, str]:
    return {f"settled:{row.disagreement.key}": str(row) for row in _resolutions(clinic=clinic.pk)}


@prepared
def _resolutions() -> QuerySet[Any, Resolution]:
    return Resolution.objects.filter(clinic=CLINIC).select_related("value", "disagreement")


def _require(names: set[str], values: Mapping[str, str]) -> None:
    missing = [name for name in names if not str(values.get(name) or "").strip()]
    if missing:
        raise UnfilledPlaceholder(missing)


def as_markdown(value: str) -> str:
    """`value` written so that Markdown shows it unchanged, on one line."""
    return _MARKDOWN_SIGNS.sub(r"\\\1", " ".join(value.split()))
