"""The words of notices: mails that say what the clinic changed, and are no step of a pathway."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

from django.utils.html import format_html
from django.utils.translation import gettext as _

from portal.day_words import date_format
from procedures.wording import Wording
from reminders.models import Reminder


def words(row: Reminder, values: Mapping[str, str]) -> Wording:
    """A notice in the language in force. Raises KeyError for a notice whose context lacks a date."""
    if row.kind == Reminder.Kind.SURGERY_CANCELLED:
        return _surgery_cancelled(row, values)
    if row.kind == Reminder.Kind.VISIT_ANSWERED:
        return _visit_answered(row, values)
    return _surgery_moved(row, values)


def _surgery_moved(row: Reminder, values: Mapping[str, str]) -> Wording:
    new = _day(row.context["new"])
    old = _day(row.context["old"])
    body = _(
        "The date was %(old)s. All your other dates have moved with it. "
        "You can see the new ones when you sign in. You need not do anything else."
    ) % {"old": old}
    return Wording(
        language=row.recipient.language,
        subject=_("Your date has changed"),
        title=_("Your new date is %(new)s") % {"new": new},
        todo=_("Please write down the new date: %(new)s.") % {"new": new},
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


def _day(value: str) -> str:
    return date_format(date.fromisoformat(value), "l j F Y")
