"""Mails put into words: each reminder an item, the items of one slot one message.

Subjects name no procedure and no diagnosis. HTML and plain text are both complete.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import date
from functools import lru_cache
from typing import Any, NamedTuple
from uuid import UUID

from django.conf import settings
from django.utils import translation
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from patients.calendars import calendar_file
from patients.models import Appointment, ImagingRequest
from portal import languages
from portal.day_words import date_format, time_format
from portal.mail import Mail
from portal.models import Clinic
from procedures.models import Category, Step, StepText
from procedures.wording import (
    WINDOW_PLACEHOLDERS,
    NoWords,
    UnfilledPlaceholder,
    Wording,
    clinic_values,
    fill,
    words_of,
)
from reminders import addresses, compiled, notices, unsubscribe
from reminders.models import Message, Reminder

LONGEST_SUBJECT = 200


class Unwritable(Exception):
    """A reminder that cannot be put into words: a text or a value is missing. It must not be sent."""


class Item(NamedTuple):
    """One reminder in words; `language` is theirs, which is the reader's or one that stands in for it."""

    category: str
    category_label: str
    patient_name: str
    subject: str
    title: str
    todo: str
    body_html: SafeString
    body_text: str
    why_url: str
    correction: bool
    language: str = ""


class Draft(NamedTuple):
    """One reminder on its way into words: `source` is what they are made from, or the words themselves."""

    category: str
    category_label: str
    patient_name: str
    why_url: str
    correction: bool
    source: compiled.Source | Wording

    def filled(self) -> Item:
        """The reminder in words."""
        words = self.source if isinstance(self.source, Wording) else self.source.words()
        return Item(
            self.category, self.category_label, self.patient_name, words.subject, words.title, words.todo,
            words.body_html, words.body_text, self.why_url, self.correction, words.language,
        )  # fmt: skip


class Writer:
    """Writes the items of one batch. What a clinic fills in, and what a step says, is looked up once."""

    def __init__(self) -> None:
        self._clinic_values: dict[UUID, dict[str, str]] = {}
        self._texts: dict[tuple[UUID, str], StepText] = {}
        self._scripts: dict[tuple[UUID, UUID], compiled.Script] = {}
        self.sheets = compiled.Sheets()

    def item(self, row: Reminder) -> Item:
        """Put one reminder into words. Raises Unwritable."""
        return self.draft(row).filled()

    def draft(self, row: Reminder) -> Draft:
        """The same, with what may be filled in later. Raises Unwritable."""
        language = row.recipient.language
        with in_language(language):
            try:
                source = self._source(row)
            except (NoWords, UnfilledPlaceholder) as error:
                raise Unwritable(str(error)) from error
            return Draft(
                category=row.category,
                category_label=_category_label(row.category, language),
                patient_name=row.episode.patient.name,
                why_url=addresses.why(row.id),
                correction=row.correction > 0,
                source=source,
            )

    def title(self, row: Reminder) -> str:
        """The title alone, for lists. Raises Unwritable."""
        if row.step is None:
            return self.item(row).title
        with in_language(row.recipient.language):
            try:
                text = self._text(row.step, row.recipient.language)
                if "{" not in text.title:
                    # Few titles name a value, and looking for what a clinic filled in costs two queries.
                    return text.title
                with _spoken(text):
                    return fill(text.title, self._values(row))
            except (NoWords, UnfilledPlaceholder) as error:
                raise Unwritable(str(error)) from error

    def language(self, row: Reminder) -> str:
        """The language that the words of this reminder are in."""
        if row.step is None:
            return row.recipient.language
        try:
            return self._text(row.step, row.recipient.language).language
        except NoWords:
            return row.recipient.language

    def _source(self, row: Reminder) -> compiled.Source | Wording:
        if row.step is None:
            return notices.words(row, self._values(row))
        text = self._text(row.step, row.recipient.language)
        with nullcontext() if text.language == row.recipient.language else _spoken(text):
            return self._step_words(row, text)

    def _step_words(self, row: Reminder, text: StepText) -> compiled.Source | Wording:
        script = self._script(text, row.episode.patient.clinic)
        own = {name: OWN[name](row) for name in script.own}
        return script.source(own) or script.words(own)

    def _script(self, text: StepText, clinic: Clinic) -> compiled.Script:
        key = (text.id, clinic.id)
        if key not in self._scripts:
            self._scripts[key] = compiled.Script(text, self._values_of(clinic))
        return self._scripts[key]

    def _text(self, step: Step, language: str) -> StepText:
        key = (step.id, language)
        if key not in self._texts:
            self._texts[key] = words_of(step, language)
        return self._texts[key]

    def _values(self, row: Reminder) -> dict[str, str]:
        """Whatever a text may name, as far as there is something to fill in."""
        # When an X-ray is due is said by few texts, and looking for it costs.
        names = (
            OWN.keys() if row.step and names_window(row.step) else OWN.keys() - WINDOW_PLACEHOLDERS
        )
        own = {name: OWN[name](row) for name in names}
        known = {name: value for name, value in own.items() if value}
        return self._values_of(row.episode.patient.clinic) | known

    def _values_of(self, clinic: Clinic) -> dict[str, str]:
        if clinic.id not in self._clinic_values:
            self._clinic_values[clinic.id] = clinic_values(clinic)
        return self._clinic_values[clinic.id]


def names_window(step: Step) -> bool:
    """Whether a text of the step speaks of the time in which its X-ray is due."""
    return any(
        "{window_" in part
        for text in step.texts.all()
        for part in (text.subject, text.title, text.todo, text.body)
    )


def _spoken(text: StepText) -> AbstractContextManager[Any]:
    """Put the language of a text in force for what is filled into it: an English sentence has an English date.

    A British text has an American reader's dates.
    """
    return in_language(text.language) if languages.is_foreign(text.language) else nullcontext()


def in_words(day: date) -> str:
    """A day as people say it, in the language in force: Monday 4 May 2026."""
    return _day_in_words(day, translation.get_language())


@lru_cache(maxsize=4096)
def _day_in_words(day: date, _language: str | None) -> str:
    """Kept by language: many mails of one run name the same days, and each name of a day is a look-up."""
    return date_format(day, "l j F Y")


def label_of(category: str) -> str:
    """The name of a category, in the language in force."""
    return _category_label(category, translation.get_language())


@lru_cache(maxsize=256)
def _category_label(category: str, _language: str | None) -> str:
    return str(Category(category).label)


def in_language(language: str) -> AbstractContextManager[Any]:
    """Put this language in force, unless it is already."""
    return (
        nullcontext() if translation.get_language() == language else translation.override(language)
    )


def _surgery_date(row: Reminder) -> str:
    on = row.episode.surgery_on
    return in_words(on) if on else ""


def _appointment_date(row: Reminder) -> str:
    return in_words(row.appointment.local_date) if row.appointment else ""


def _appointment_time(row: Reminder) -> str:
    return time_format(row.appointment.local_time, "H:i") if row.appointment else ""


def _appointment_place(row: Reminder) -> str:
    location = row.appointment.location if row.appointment else None
    return f"{location.name}, {location.address}" if location else ""


def _window(row: Reminder) -> ImagingRequest | None:
    requests = row.episode.imaging_requests.all()
    return next((each for each in requests if each.step.key == row.step_key), None)


def _window_from(row: Reminder) -> str:
    request = _window(row)
    return in_words(request.window_from) if request else ""


def _window_until(row: Reminder) -> str:
    request = _window(row)
    return in_words(request.window_until) if request else ""


# What differs from reader to reader: each value in the language in force, empty where there is none.
OWN: Mapping[str, Callable[[Reminder], str]] = {
    "patient_name": lambda row: row.episode.patient.given_name,
    "reader_name": lambda row: row.recipient.get_short_name(),
    "surgery_date": _surgery_date,
    "appointment_date": _appointment_date,
    "appointment_time": _appointment_time,
    "appointment_place": _appointment_place,
    "window_from": _window_from,
    "window_until": _window_until,
}


def compose(
    reminders: Sequence[Reminder], drafts: Sequence[Draft], *, sheets: compiled.Sheets | None = None
) -> dict[str, Any]:
    """The fields of the one message that carries these reminders, all for one person of one clinic.

    And `printed`, its two parts. `sheets` are those of the batch.
    """
    first = reminders[0]
    clinic = first.episode.patient.clinic
    with in_language(first.recipient.language):
        holes = _holes(reminders)
        return {
            "clinic_id": clinic.id,
            "recipient_id": first.recipient_id,
            "category": _leading_category(reminders),
            "to_address": first.recipient.email,
            "subject": _subject(drafts, clinic),
            "headers": _headers(holes["unsubscribe_url"]),
            "calendar": _calendar(reminders),
            "printed": _printed(reminders, drafts, holes, sheets),
        }


def _printed(
    reminders: Sequence[Reminder],
    drafts: Sequence[Draft],
    holes: Mapping[str, str],
    sheets: compiled.Sheets | None,
) -> compiled.Printed:
    first, draft = reminders[0], drafts[0]
    if sheets is None or len(drafts) > 1 or isinstance(draft.source, Wording):
        return compiled.Printed(*compiled.render_mail(_context(reminders, drafts, holes)))
    key = (
        first.recipient.language, first.episode.patient.clinic_id, first.is_essential, _names_patients(reminders),
    )  # fmt: skip
    return sheets.printed(draft, key, holes, lambda: _context(reminders, drafts, holes))


def _calendar(reminders: Iterable[Reminder]) -> str:
    """The visits of a mail as a calendar file; where some were called off, those alone: a file has one method."""
    visits = {}
    for row in reminders:
        if row.appointment is not None:
            # The episode is at hand; asking the appointment for it would be a query.
            row.appointment.episode = row.episode
            visits[row.appointment.id] = row.appointment
    off = [visit for visit in visits.values() if visit.status == Appointment.Status.CANCELLED]
    return calendar_file(*(off or visits.values())) if visits else ""


def _leading_category(reminders: Sequence[Reminder]) -> str:
    """The category that the mail's stop link is about: the first that may be stopped, if there is one."""
    return next((row.category for row in reminders if not row.is_essential), reminders[0].category)


def _subject(drafts: Sequence[Draft], clinic: Clinic) -> str:
    """The subject, on one line and no longer than a message can keep."""
    subject = drafts[0].source.subject
    if len(drafts) > 1:
        subject = _("Your next steps from %(clinic)s") % {"clinic": clinic.name}
    elif drafts[0].correction:
        subject = _("New date: %(subject)s") % {"subject": subject}
    return " ".join(subject.split())[:LONGEST_SUBJECT]


def _holes(reminders: Sequence[Reminder]) -> dict[str, str]:
    """What of the frame differs from mail to mail."""
    first = reminders[0]
    is_essential = all(row.is_essential for row in reminders)
    return {
        "reader_name": first.recipient.get_short_name(),
        "unsubscribe_url": ""
        if is_essential
        else unsubscribe.link(first.recipient_id, _leading_category(reminders)),
        "time_zone_note": _time_zone_note(reminders),
    }


def _context(
    reminders: Sequence[Reminder], drafts: Sequence[Draft], holes: Mapping[str, str]
) -> dict[str, Any]:
    first = reminders[0]
    language = first.recipient.language
    is_essential = all(row.is_essential for row in reminders)
    return {
        **holes,
        "clinic": first.episode.patient.clinic,
        "items": [draft.filled() for draft in drafts],
        "names_patients": _names_patients(reminders),
        "portal_url": settings.BASE_URL + "/",
        "is_essential": is_essential,
        "essential_reason": _("This mail cannot be stopped: your safety depends on it.")
        if is_essential
        else "",
        "language": language,
        "direction": _direction(language),
    }


@lru_cache(maxsize=16)
def _direction(language: str) -> str:
    return "rtl" if translation.get_language_info(language.partition("-")[0])["bidi"] else "ltr"


def _names_patients(reminders: Iterable[Reminder]) -> bool:
    """Whether each item has to say whom it is about: to anyone but the patient it does."""
    return any(row.recipient_id != row.episode.patient.user_id for row in reminders)


def _time_zone_note(reminders: Sequence[Reminder]) -> str:
    first = reminders[0]
    clinic = first.episode.patient.clinic
    has_times = any(row.appointment for row in reminders)
    if not has_times or first.recipient.time_zone in {"", clinic.time_zone}:
        return ""
    return _("Times of appointments are the clinic's local time (%(zone)s).") % {
        "zone": clinic.time_zone
    }


def _headers(unsubscribe_url: str) -> dict[str, str]:
    if not unsubscribe_url:
        return {}
    return {
        "List-Unsubscribe": f"<{unsubscribe_url}>",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
    }


def outgoing(message: Message, printed: compiled.Printed | None = None) -> Mail:
    """A stored message as a mail ready to go, the same on every try; `printed` are its parts, if they are at hand."""
    parts = printed or compiled.Printed(message.text, message.html)
    return Mail(
        to=message.to_address,
        subject=message.subject,
        text=parts.text,
        html=parts.html,
        message_id=message.message_id,
        headers=dict(message.headers),
        calendar=message.calendar,
        wire=parts.wire,
    )
