"""What in carers' access wants a person: somebody asked to end it, a child turns 13, it is about to end. Reads only."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta

from django.db.models import Q
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from patients.actions.access import REVIEW_AT
from patients.causes import day, patient_page
from patients.models import RelatedPerson, Task
from patients.worklist import Cause, Kind, Scope, register

# The people at home are told so long ahead, and the clinic has it before it as long.
AHEAD = timedelta(days=30)
# How long after a 13th birthday it may still be seen to.
STILL = timedelta(days=180)
END_WITHIN = timedelta(days=1)


def asked_to_end(scope: Scope) -> Iterator[Cause]:
    """Access that the patient, or the carer, asked the clinic to end. They were told that somebody calls."""
    rows = RelatedPerson.objects.live(scope.today).filter(end_asked_at__isnull=False)
    for row in scope.of(rows).select_related("patient", "user").order_by("pk"):
        asked_on = row.end_asked_at.date()
        facts = {"who": str(row.user), "asked": str(asked_on)}
        due_on = asked_on + END_WITHIN
        yield Cause(
            row.pk, row.patient.clinic_id, row.patient_id, due_on, facts, True, row.end_asked_at.isoformat(),
        )  # fmt: skip


def to_review(scope: Scope) -> Iterator[Cause]:
    """Access into the record of a child who turns 13, and access that ends by itself within 30 days."""
    today = scope.today
    born = (_years_before(today - STILL), _years_before(today + AHEAD) + timedelta(days=1))
    is_near = Q(patient__birth_date__range=born) | Q(ends_on__lte=today + AHEAD)
    rows = RelatedPerson.objects.live(today).filter(is_near, patient__deceased_on=None)
    for row in scope.of(rows).select_related("patient", "user").order_by("pk"):
        ends_soon = row.ends_on is not None and row.ends_on <= today + AHEAD
        on = row.ends_on if ends_soon else row.patient.birthday(REVIEW_AT)
        if on is None or not (ends_soon or today - STILL <= on <= today + AHEAD):
            continue
        facts = {"who": str(row.user), "on": str(on), "ends": ends_soon}
        yield Cause(row.pk, row.patient.clinic_id, row.patient_id, on, facts, on <= today, str(on))


def _years_before(today: date) -> date:
    year = today.year - REVIEW_AT
    try:
        return today.replace(year=year)
    except ValueError:
        return date(year, 3, 1)


def _review_words(task: Task) -> str:
    values = {"who": task.facts["who"], "day": day(task, "on")}
    if task.facts["ends"]:
        return _("The access of %(who)s ends on %(day)s unless it is renewed") % values
    return _("Turns 13 on %(day)s: talk about what %(who)s may see") % values


def _asked_words(task: Task) -> str:
    values = {"who": task.facts["who"], "day": day(task, "asked")}
    return _("Asked on %(day)s to end the access of %(who)s") % values


KINDS = (
    Kind(
        "access_end", gettext_lazy("Access to end"), gettext_lazy("Nobody asks to end somebody's access."),
        "relatedperson.end", asked_to_end, _asked_words, patient_page("people"), closes_elsewhere=True,
    ),
    Kind(
        "access_review", gettext_lazy("Parents' and carers' access to look at again"),
        gettext_lazy("No access has to be looked at again."), "relatedperson.end", to_review, _review_words,
        patient_page("people"),
    ),
)  # fmt: skip

register(KINDS)
