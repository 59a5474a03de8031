"""What changes about a carer's access after it was given: renewing it, asking to end it, telling both ahead.

Access to a child's record is looked at again when the child turns 13 and ends at 16 unless staff renew it.
`now` is UTC.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction
from django.template.loader import render_to_string
from django.utils import translation
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from patients.actions.notes import Action, record, request_plan, today_at
from patients.models import AccessNotice, Patient, RelatedPerson
from portal import mail
from portal.models import User

REVIEW_AT, END_AT, ADULT_AT = 13, 16, 18
Kind = AccessNotice.Kind
# Days before the day that a notice speaks of, the earliest first.
AHEAD: dict[str, tuple[int, ...]] = {Kind.REVIEW: (30,), Kind.END: (30, 7)}


def last_day_for(patient: Patient, today: date) -> date | None:
    """When a carer's new access ends by itself: on a child's 16th birthday; never for whoever is older."""
    turns = patient.birthday(END_AT)
    return turns if today < turns else None


@transaction.atomic
def renew_access(
    *, link: RelatedPerson, ends_on: date, by: User, now: datetime, reason: str
) -> None:
    """Let a carer's access go on; into a child's record at most until the 18th birthday. Raises ValidationError."""
    patient, today = link.patient, today_at(link.patient.clinic, now)
    if link.ended_at is not None:
        raise ValidationError(_("This access has ended. Add the carer again."))
    if ends_on <= today:
        raise ValidationError({"ends_on": _("The last day must lie ahead.")})
    if patient.is_child_on(today) and ends_on > patient.birthday(ADULT_AT):
        raise ValidationError({"ends_on": _("At most until the 18th birthday.")})
    before, link.ends_on, link.end_asked_at, link.end_asked_by = link.ends_on, ends_on, None, None
    link.save(update_fields=["ends_on", "end_asked_at", "end_asked_by"])
    record(
        Action.UPDATE, "carer.renew", by=by, obj=link, patient=patient, reason=reason,
        before={"ends_on": str(before or "")}, after={"ends_on": str(ends_on)},
    )  # fmt: skip
    request_plan(*patient.episodes.open(), reason="carer.renew", now=now)


@transaction.atomic
def ask_to_end(*, link: RelatedPerson, by: User, now: datetime) -> bool:
    """Ask the clinic to end a carer's access. Asking twice is asking once; False where it was asked or ended before."""
    waiting = RelatedPerson.objects.filter(
        pk=link.pk, ended_at__isnull=True, end_asked_at__isnull=True
    )
    if not waiting.update(end_asked_at=now, end_asked_by=by):
        return False
    record(Action.UPDATE, "carer.ask_to_end", by=by, obj=link, patient=link.patient)
    return True


@transaction.atomic
def withdraw_asking(*, link: RelatedPerson, by: User) -> bool:
    """Take the wish back, while the access has not ended. False where there was none."""
    waiting = RelatedPerson.objects.filter(
        pk=link.pk, ended_at__isnull=True, end_asked_at__isnull=False
    )
    if not waiting.update(end_asked_at=None, end_asked_by=None):
        return False
    record(Action.UPDATE, "carer.withdraw_asking", by=by, obj=link, patient=link.patient)
    return True


def plan_access_notices(*, now: datetime) -> int:
    """Plan what has to be told within the next days. Returns how many notices are new. Safe to repeat."""
    today = now.date()
    longest = max(days for leads in AHEAD.values() for days in leads)
    links = RelatedPerson.objects.live(today).select_related("patient", "user")
    planned = [
        notice
        for link in links.filter(patient__in=Patient.objects.contactable())
        for notice in _notices(link, today, timedelta(days=longest))
    ]
    before = AccessNotice.objects.count()
    AccessNotice.objects.bulk_create(planned, ignore_conflicts=True)
    return AccessNotice.objects.count() - before


def _notices(link: RelatedPerson, today: date, horizon: timedelta) -> Iterator[AccessNotice]:
    review_on = link.patient.birthday(REVIEW_AT)
    people = {person for person in (link.user_id, link.patient.user_id) if person}
    for kind, day in ((Kind.REVIEW, review_on), (Kind.END, link.ends_on)):
        if day is None or not today < day <= today + horizon:
            continue
        for tell_on in _days_to_tell(kind, day, today):
            for person in people:
                yield AccessNotice(
                    link=link, recipient_id=person, kind=kind, about_on=day, tell_on=tell_on
                )


def _days_to_tell(kind: str, day: date, today: date) -> list[date]:
    """The days on which it is told. Of those that are past already, the last alone: nobody is told twice at once."""
    days = [day - timedelta(days=lead) for lead in AHEAD[kind]]
    past = [on for on in days if on <= today]
    return past[-1:] + [on for on in days if on > today]


def send_access_notices(*, now: datetime) -> int:
    """Send the notices whose day has come and that are still true. Returns how many went. Safe to repeat.

    A notice is marked once the server has taken it: after a crash in between it goes again, under the same
    Message-ID. What the server refuses for now is tried again with the next tick, until its day is over.
    """
    today = now.date()
    due = AccessNotice.objects.filter(
        sent_at=None, tell_on__lte=today, about_on__gt=today, link__ended_at=None, recipient__is_active=True,
        link__patient__in=Patient.objects.contactable(),
    )  # fmt: skip
    rows = due.select_related("link__patient__clinic", "link__user", "recipient")
    return sum(_send(row, now) for row in rows if _is_true(row))


def _is_true(row: AccessNotice) -> bool:
    return row.kind == Kind.REVIEW or row.about_on == row.link.ends_on


def _send(row: AccessNotice, now: datetime) -> bool:
    answer = mail.send(_mail(row))
    if answer.outcome is not mail.Outcome.SENT:
        return False
    with transaction.atomic():
        AccessNotice.objects.filter(pk=row.pk).update(sent_at=now)
        record(Action.EXECUTE, f"carer.tell_{row.kind}", by=None, obj=row.link, patient=row.link.patient)  # fmt: skip
    return True


def _mail(row: AccessNotice) -> mail.Mail:
    """A mail that says whose access it is about, and nothing of a diagnosis; its subject names nobody."""
    patient, reader = row.link.patient, row.recipient
    with translation.override(reader.language):
        context = {
            "clinic": patient.clinic,
            "reader_name": reader.get_short_name(),
            "language": reader.language,
            "portal_url": settings.BASE_URL,
            "text": _words(row),
        }
        return mail.Mail(
            to=reader.email,
            subject=_("Who may see a record"),
            text=render_to_string("patients/email/access_notice.txt", context),
            html=render_to_string("patients/email/access_notice.html", context),
            message_id=f"<access-{row.pk}@{mail.message_id_domain()}>",
        )


def _words(row: AccessNotice) -> str:
    is_carer = row.recipient_id == row.link.user_id
    told = {
        "patient": row.link.patient.given_name,
        "carer": row.link.user.name,
        "day": date_format(row.about_on, "DATE_FORMAT"),
    }
    if row.kind == Kind.END:
        return _for_end(is_carer) % told
    return _for_review(is_carer) % told


def _for_end(is_carer: bool) -> str:
    if is_carer:
        return _(
            "You can see the record of %(patient)s and get mails about it until %(day)s. From that day on you see "
            "nothing of it any more, unless the clinic renews it."
        )
    return _(
        "%(carer)s can see your record until %(day)s. From that day on it is yours alone, unless the clinic renews it."
    )


def _for_review(is_carer: bool) -> str:
    if is_carer:
        return _(
            "%(patient)s turns 13 on %(day)s. The clinic then talks with both of you about what you may see. Nothing "
            "changes by itself."
        )
    return _(
        "You turn 13 on %(day)s. The clinic then talks with you about what %(carer)s may see of your record. You may "
        "also have a login of your own."
    )
