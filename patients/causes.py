"""What in the records wants a person: alerts, X-rays, missed visits, smokers, questions, pathways. Reads only.

Each function yields the causes of one kind in one query, however many patients there are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta

from django.db.models import Exists, OuterRef, QuerySet
from django.urls import reverse
from django.utils.timesince import timesince
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from patients.consents import open_questions
from patients.models import (
    ADULT_AT,
    Alert,
    AnchorDate,
    Appointment,
    AppointmentKind,
    ConsentDecision,
    EmergencyAccess,
    Episode,
    ImagingRequest,
    MoveRequest,
    StepResponse,
    Task,
)
from patients.worklist import Cause, Kind, Scope, register
from portal import clock
from portal.day_words import date_format
from procedures.models import PathwayVersion

BOOK_AHEAD = timedelta(weeks=2)
RESULT_WITHIN = timedelta(days=7)
MISSED_LATELY = timedelta(days=60)
STOP_SMOKING_BEFORE = timedelta(weeks=6)
SMOKERS_ARE_CALLED = timedelta(weeks=4)
SMOKING_PRESSES = timedelta(weeks=2)
REPLY_WITHIN = timedelta(days=2)
WISH_PRESSES = timedelta(days=3)
REVIEW_AHEAD = timedelta(days=30)
LOOK_AT_EMERGENCIES_WITHIN = timedelta(days=3)


def alerts(scope: Scope) -> Iterator[Cause]:
    """Warning signs that nobody has acknowledged; the same sign told again counts anew."""
    rows = scope.of(Alert.objects.new()).select_related("patient")
    for row in rows.order_by("pk"):
        facts = {"sign": row.summary, "raised_at": row.raised_at.isoformat()}
        yield Cause(
            row.pk, row.patient.clinic_id, row.patient_id, row.raised_at.date(), facts,
            row.severity != "call", str(row.times),
        )  # fmt: skip


def xrays_to_book(scope: Scope) -> Iterator[Cause]:
    """X-rays whose window opens within two weeks, is open, or is over, and that nobody has booked."""
    rows = _of_open_episodes(scope, ImagingRequest.objects.to_book())
    for row in rows.filter(window_from__lte=scope.today + BOOK_AHEAD):
        is_over = row.window_until < scope.today
        facts = {"until": str(row.window_until), "is_over": is_over}
        patient = row.episode.patient
        yield Cause(row.pk, patient.clinic_id, patient.pk, row.window_until, facts, is_over)


def xrays_without_result(scope: Scope) -> Iterator[Cause]:
    """X-rays that were taken, and of which nobody has written what they show."""
    rows = scope.of(ImagingRequest.objects.without_result(), "episode__patient")
    rows = rows.select_related("episode__patient", "appointment")
    for row in rows.filter(episode__patient__deceased_on=None):
        taken = row.appointment.local_date if row.appointment else row.window_until
        due_on = taken + RESULT_WITHIN
        patient = row.episode.patient
        facts = {"taken": str(taken)}
        yield Cause(row.pk, patient.clinic_id, patient.pk, due_on, facts, due_on < scope.today)


def xrays_missed(scope: Scope) -> Iterator[Cause]:
    """X-rays to which an adult did not come, until another is booked."""
    return _missed(scope, of_children=False, of_xrays=True)


def visits_missed(scope: Scope) -> Iterator[Cause]:
    """Other visits to which an adult did not come, until another is booked."""
    return _missed(scope, of_children=False, of_xrays=False)


def not_brought(scope: Scope) -> Iterator[Cause]:
    """Visits and X-rays to which a child was not brought, until another is booked."""
    return _missed(scope, of_children=True, of_xrays=None)


def _missed(scope: Scope, *, of_children: bool, of_xrays: bool | None) -> Iterator[Cause]:
    rows = _of_open_episodes(scope, Appointment.objects.filter(status="noshow"))
    later = Appointment.objects.filter(
        episode=OuterRef("episode"), kind=OuterRef("kind"), starts_at__gt=OuterRef("starts_at"),
        status__in=("booked", "fulfilled"),
    )  # fmt: skip
    rows = rows.filter(~Exists(later), local_date__gte=scope.today - MISSED_LATELY)
    if of_xrays is not None:
        is_xray = {"kind": AppointmentKind.XRAY}
        rows = rows.filter(**is_xray) if of_xrays else rows.exclude(**is_xray)
    for row in rows.filter(**_age(scope.today, of_children=of_children)):
        facts = {"kind": row.kind, "on": str(row.local_date)}
        patient = row.episode.patient
        yield Cause(row.pk, patient.clinic_id, patient.pk, row.local_date, facts, of_children)


def _age(today: date, *, of_children: bool) -> dict[str, date]:
    # 1 March stands in for a 29 February that the earlier year has not.
    is_leap_day = (today.month, today.day) == (2, 29)
    born = date(today.year - ADULT_AT, *((3, 1) if is_leap_day else (today.month, today.day)))
    return {f"episode__patient__birth_date__{'gt' if of_children else 'lte'}": born}


def smokers(scope: Scope) -> Iterator[Cause]:
    """People who smoke, with surgery within six weeks and no day on which they stopped."""
    stopped = AnchorDate.objects.filter(episode=OuterRef("episode"), anchor="quit")
    rows = AnchorDate.objects.filter(
        ~Exists(stopped), anchor="surgery", episode__patient__uses_nicotine=True,
        on__range=(scope.today, scope.today + STOP_SMOKING_BEFORE),
    )  # fmt: skip
    for row in _of_open_episodes(scope, rows):
        patient, due_on = row.episode.patient, row.on - SMOKERS_ARE_CALLED
        is_near = row.on - scope.today <= SMOKING_PRESSES
        facts = {"on": str(row.on)}
        yield Cause(row.episode_id, patient.clinic_id, patient.pk, due_on, facts, is_near)


def questions(scope: Scope) -> Iterator[Cause]:
    """Questions about a step that nobody has answered."""
    rows = StepResponse.objects.filter(
        answer=StepResponse.Answer.QUESTION, replied_at=None, episode__patient__deceased_on=None
    )
    rows = scope.of(rows, "episode__patient").select_related("episode__patient", "step")
    for row in rows:
        asked, patient = row.answered_at.date(), row.episode.patient
        facts = {"asked": str(asked), "note": row.note}
        due_on = asked + REPLY_WITHIN
        yield Cause(row.pk, patient.clinic_id, patient.pk, due_on, facts, due_on < scope.today)


def consent_questions(scope: Scope) -> Iterator[Cause]:
    """Questions about a consent after which nothing was decided."""
    rows = scope.of(open_questions(ConsentDecision.objects.all()), "episode__patient")
    for row in rows.filter(episode__patient__deceased_on=None).select_related("episode__patient"):
        asked, patient = row.decided_at.date(), row.episode.patient
        facts = {"title": row.title, "note": row.note}
        yield Cause(row.pk, patient.clinic_id, patient.pk, asked + REPLY_WITHIN, facts)


def wishes(scope: Scope) -> Iterator[Cause]:
    """Visits for which somebody asks for another time, and that nobody has answered."""
    rows = scope.of(MoveRequest.objects.open(), "appointment__episode__patient")
    for row in rows.select_related("appointment__episode__patient"):
        visit, asked = row.appointment, row.asked_at.date()
        is_near = visit.local_date - scope.today <= WISH_PRESSES
        patient, facts = (
            visit.episode.patient,
            {"visit": visit.kind, "on": str(visit.local_date), "why": row.reason},
        )
        yield Cause(row.pk, patient.clinic_id, patient.pk, asked + REPLY_WITHIN, facts, is_near)


def emergencies(scope: Scope) -> Iterator[Cause]:
    """Records that staff of another clinic opened in an emergency, and that no manager has looked at."""
    rows = scope.of(EmergencyAccess.objects.unseen()).select_related("user", "from_clinic")
    for row in rows.order_by("pk"):
        opened = row.created_at.date()
        facts = {
            "who": str(row.user), "from": str(row.from_clinic), "on": str(opened), "reason": row.reason
        }  # fmt: skip
        due_on = opened + LOOK_AT_EMERGENCIES_WITHIN
        yield Cause(row.pk, row.clinic_id, row.patient_id, due_on, facts, due_on < scope.today)


def reviews(scope: Scope) -> Iterator[Cause]:
    """Approved pathway versions whose day of review is past or near."""
    rows = PathwayVersion.objects.approved().filter(review_on__lte=scope.today + REVIEW_AHEAD)
    for row in rows.select_related("pathway", "clinic"):
        day = row.review_on or scope.today
        facts = {"name": str(row), "by": str(day)}
        yield Cause(row.pk, row.clinic_id, None, day, facts, day < scope.today, str(day))


def drafts(scope: Scope) -> Iterator[Cause]:
    """Pathway versions that nobody has approved."""
    for row in PathwayVersion.objects.drafts().select_related("pathway"):
        facts = {"name": row.pathway.name, "number": row.number}
        yield Cause(row.pk, row.clinic_id, None, row.created_at.date(), facts)


def _of_open_episodes(scope: Scope, rows: QuerySet) -> QuerySet:
    """Rows of episodes under way of patients who live."""
    is_open = {"episode__in": Episode.objects.open(), "episode__patient__deceased_on": None}
    found: QuerySet = scope.of(rows.filter(**is_open), "episode__patient")
    return found.select_related("episode__patient")


def day(task: Task, name: str, form: str = "j M Y") -> str:
    """A day of the task's facts in words."""
    return date_format(date.fromisoformat(task.facts[name]), form)


def patient_page(part: str = "") -> Callable[[Task], str]:
    """A function that leads to the task's patient, or to a part of that page."""

    def url(task: Task) -> str:
        page = reverse("admin:patient_page", args=[task.patient_id])
        return page + (f"#{part}" if part else "")

    return url


def _row_page(name: str) -> Callable[[Task], str]:
    def url(task: Task) -> str:
        return reverse(f"admin:{name}", args=[task.subject])

    return url


def _alert_words(task: Task) -> str:
    raised_at = datetime.fromisoformat(task.facts["raised_at"])
    ago = timesince(raised_at, clock.now())
    return _("%(sign)s, %(time)s ago") % {"sign": task.facts["sign"], "time": ago}


def _xray_words(task: Task) -> str:
    words = _("overdue since %(day)s") if task.facts["is_over"] else _("due by %(day)s")
    return words % {"day": day(task, "until")}


def _visit_words(task: Task) -> str:
    kind = AppointmentKind(task.facts["kind"]).label
    return _("%(visit)s on %(day)s") % {"visit": kind, "day": day(task, "on")}


def _wish_words(task: Task) -> str:
    values = {
        "visit": AppointmentKind(task.facts["visit"]).label,
        "day": day(task, "on"),
        "why": task.facts["why"],
    }
    return _("%(visit)s on %(day)s: %(why)s") % values


def _emergency_words(task: Task) -> str:
    values = {**task.facts, "day": day(task, "on")}
    return _("%(who)s of %(from)s opened the record on %(day)s: %(reason)s") % values


def _review_words(task: Task) -> str:
    words = _("overdue since %(day)s") if task.is_pressing else _("due by %(day)s")
    return f"{task.facts['name']}: {words % {'day': day(task, 'by')}}"


def _draft_words(task: Task) -> str:
    return _("%(name)s, version %(number)d") % task.facts


KINDS = (
    Kind(
        "alert", gettext_lazy("Alerts to acknowledge"), gettext_lazy("No alert waits for anybody."),
        "alert.view", alerts, _alert_words, _row_page("alert_page"),
        closes_elsewhere=True,
    ),
    Kind(
        "question", gettext_lazy("Questions from patients"), gettext_lazy("No question waits for an answer."),
        "stepresponse.reply", questions, lambda task: _("asked on %(day)s") % {"day": day(task, "asked")},
        _row_page("question_answer"), closes_elsewhere=True,
    ),
    Kind(
        "consent_question", gettext_lazy("Questions about a consent"),
        gettext_lazy("Nobody has a question about a consent."), "consentdecision.view", consent_questions,
        lambda task: f"{task.facts['title']}: {task.facts['note']}", patient_page("consents"),
    ),
    Kind(
        "wish", gettext_lazy("Visits to move"), gettext_lazy("Nobody asks for another time."),
        "moverequest.answer", wishes, _wish_words, _row_page("wish_answer"), closes_elsewhere=True,
    ),
    Kind(
        "not_brought", gettext_lazy("Children who were not brought"), gettext_lazy("Every child was brought."),
        "appointment.view", not_brought, _visit_words, patient_page("visits"),
    ),
    Kind(
        "xray_to_book", gettext_lazy("X-rays to book"), gettext_lazy("No X-ray waits for a booking."),
        "imagingrequest.view", xrays_to_book, _xray_words, patient_page("xrays"),
    ),
    Kind(
        "xray_missed", gettext_lazy("Missed X-rays"), gettext_lazy("No X-ray was missed."),
        "imagingrequest.view", xrays_missed, _visit_words, patient_page("xrays"),
    ),
    Kind(
        "xray_result", gettext_lazy("X-rays without a result"), gettext_lazy("Every X-ray has its result."),
        "imagingrequest.view", xrays_without_result,
        lambda task: _("taken on %(day)s") % {"day": day(task, "taken")}, _row_page("xray_result"),
    ),
    Kind(
        "visit_missed", gettext_lazy("Missed visits"), gettext_lazy("No visit was missed."),
        "appointment.view", visits_missed, _visit_words, patient_page("visits"),
    ),
    Kind(
        "smoker", gettext_lazy("Smokers inside six weeks of surgery"),
        gettext_lazy("Nobody smokes who has surgery within six weeks."),
        "stepresponse.view", smokers, lambda task: _("surgery on %(day)s") % {"day": day(task, "on")},
        patient_page(),
    ),
    Kind(
        "emergency", gettext_lazy("Records opened in an emergency"),
        gettext_lazy("Every emergency was looked at."),
        "emergencyaccess.review", emergencies, _emergency_words, _row_page("emergency_review"),
        closes_elsewhere=True,
    ),
    Kind(
        "draft", gettext_lazy("Drafts to approve"), gettext_lazy("No draft waits for approval."),
        "pathwayversion.approve", drafts, _draft_words,
        _row_page("procedures_pathwayversion_change"), is_about_patients=False,
    ),
    Kind(
        "review", gettext_lazy("Pathways to read again"), gettext_lazy("No pathway is due for review."),
        "pathwayversion.approve", reviews, _review_words,
        _row_page("procedures_pathwayversion_change"), is_about_patients=False,
    ),
)  # fmt: skip

register(KINDS)
