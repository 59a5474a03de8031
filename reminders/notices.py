"""The words of notices: mails that say what the clinic changed, and are no step of a pathway."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date

from django.utils.html import format_html
from django.utils.translation import gettext as _

from portal.day_words import date_format
from procedures.wording import Wording
from reminders.models import Reminder


def words(row: Reminder, values: Mapping[str, str]) -> Wording:
    """A notice in the language in force. Raises KeyError for a notice whose context lacks a date."""
    return _WORDS[row.kind](row, values)


def _surgery_moved(row: Reminder, values: Mapping[str, str]) -> Wording:
    new = _day(row.context["new"])
    old = _day(row.context["old"])
    body = _(
        "The date was %(old)s. All your other dates have moved with it. "
        "You can see the new ones when you sign in. You need not do anything else."
    ) % {"old": old}
    if new == old:
        body = _(
            "We told you that this day was off. It is not: please come as first planned. "
            "All your other dates count from it again. You can see them when you sign in."
        )
    return Wording(
        language=row.recipient.language,
        subject=_("Your date has changed"),
        title=_("Your new date is %(new)s") % {"new": new},
        todo=_("Please write down the new date: %(new)s.") % {"new": new},
        body_html=format_html("<p>{}</p>", body),
        body_text=body,
    )


def _surgery_postponed(row: Reminder, values: Mapping[str, str]) -> Wording:
    body = _(
        "There is no new date yet. We will write to you as soon as there is one. "
        "Until then you get no steps that count from the day of the operation."
    )
    return Wording(
        language=row.recipient.language,
        subject=_("Your date has been put off"),
        title=_("Your operation will not be on %(old)s") % {"old": _day(row.context["old"])},
        todo=_("Wait for the new date. Call us on %(phone)s if you have any question.")
        % {"phone": values["clinic_phone"]},
        body_html=format_html("<p>{}</p>", body),
        body_text=body,
    )


def _surgery_cancelled(row: Reminder, values: Mapping[str, str]) -> Wording:
    body = _(
        "We will not send you any more steps for it. If you did not expect this, please call us."
    )
    return Wording(
        language=row.recipient.language,
        subject=_("Your date has been cancelled"),
        title=_("Your operation on %(old)s will not take place")
        % {"old": _day(row.context["old"])},
        todo=_("Call us on %(phone)s if you have any question.")
        % {"phone": values["clinic_phone"]},
        body_html=format_html("<p>{}</p>", body),
        body_text=body,
    )


def _visit_answered(row: Reminder, values: Mapping[str, str]) -> Wording:
    """That there is an answer, and not which: it may hold words that are for the record alone."""
    body = _("You asked for another time for a visit. Sign in to read what the clinic says.")
    return Wording(
        language=row.recipient.language,
        subject=_("The clinic has answered you"),
        title=_("The clinic has answered about your visit"),
        todo=_("Sign in and open your visits."),
        body_html=format_html("<p>{}</p>", body),
        body_text=body,
    )


def _visit_cancelled(row: Reminder, values: Mapping[str, str]) -> Wording:
    body = _(
        "If you need another visit, we will write to you with a new time. "
        "Open the file in this mail to take the visit out of your calendar."
    )
    when = {"day": values["appointment_date"], "time": values["appointment_time"]}
    return Wording(
        language=row.recipient.language,
        subject=_("Your visit has been cancelled"),
        title=_("Your visit on %(day)s at %(time)s will not take place") % when,
        todo=_("You need not come. Call us on %(phone)s if you have any question.")
        % {"phone": values["clinic_phone"]},
        body_html=format_html("<p>{}</p>", body),
        body_text=body,
    )


def _question_answered(row: Reminder, values: Mapping[str, str]) -> Wording:
    body = _("You asked us about one of your steps. Our answer waits for you in your web login.")
    return Wording(
        language=row.recipient.language,
        subject=_("Your question has an answer"),
        title=_("We have answered your question"),
        todo=_("Sign in to read the answer."),
        body_html=format_html("<p>{}</p>", body),
        body_text=body,
    )


def _day(value: str) -> str:
    return date_format(date.fromisoformat(value), "l j F Y")


_WORDS: dict[str, Callable[[Reminder, Mapping[str, str]], Wording]] = {
    Reminder.Kind.SURGERY_MOVED: _surgery_moved,
    Reminder.Kind.SURGERY_POSTPONED: _surgery_postponed,
    Reminder.Kind.SURGERY_CANCELLED: _surgery_cancelled,
    Reminder.Kind.VISIT_CANCELLED: _visit_cancelled,
    Reminder.Kind.VISIT_ANSWERED: _visit_answered,
    Reminder.Kind.QUESTION_ANSWERED: _question_answered,
}
