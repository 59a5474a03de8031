"""Everything the clinic keeps about a patient, for who may read all of it: gathered once, shown in several forms.

Row by row from the models themselves, so that a new field is in the next download. Left out are keys and
secrets, other parents' names and addresses, a result that is not released, and what the machine keeps for itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any

from django.db import models
from django.utils import timezone
from django.utils.formats import date_format, time_format
from django.utils.translation import gettext as _

from patients.care import Care
from patients.models import (
    Alert,
    AnchorDate,
    Appointment,
    CheckIn,
    ConsentDecision,
    Episode,
    ExerciseLog,
    ImagingRequest,
    MoveRequest,
    Patient,
    Prescription,
    RelatedPerson,
    Slip,
    SmokeFreePlan,
    StepResponse,
)
from portal.models import User
from reminders.models import Message, Preference, Reminder

# Keys, secrets, and what only the machine reads.
HIDDEN = frozenset(
    {
        "id", "created_at", "ticket", "password", "is_superuser", "is_staff", "is_active", "groups",
        "user_permissions", "lease_until", "claimed_by", "attempts", "headers", "html", "calendar", "digest",
        "message_id", "last_response", "sequence", "changed_at", "patient", "clinic", "flags", "context",
        "counted_from", "questionnaire_version", "rule_key", "sign", "step_key", "occurrence", "correction",
        "valid_until", "settled_at", "message", "is_essential", "merged_into", "episode",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Part:
    """One kind of thing: its name, and each row as pairs of a label and a value in words."""

    key: str
    title: str
    rows: list[list[tuple[str, str]]]


def gather(care: Care) -> list[Part]:
    """Every part, in the order of reading. A constant number of queries. `care` must have the full view."""
    return [
        Part(key, title, [_row(care, one) for one in rows]) for key, title, rows in _sources(care)
    ]


def _sources(care: Care) -> Iterator[tuple[str, str, Iterable[models.Model]]]:
    patient = care.patient
    own = {"episode__patient": patient}
    links = RelatedPerson.objects.own(care.reader).filter(patient=patient).select_related("user")
    if patient is None:
        return
    yield "patient", _("The patient"), Patient.objects.own(care.reader).filter(pk=patient.pk)
    yield "login", _("Your login"), [care.reader]
    yield (
        "carers",
        _("Parents and carers"),
        links if care.is_own else links.filter(user=care.reader),
    )
    yield (
        "episodes",
        _("Operations"),
        _of(Episode, care, {"patient": patient}, "procedure", "surgeon"),
    )
    yield (
        "dates",
        _("Dates"),
        AnchorDate.objects.filter(episode__in=_episodes(care)).select_related("confirmed_by"),
    )
    yield "appointments", _("Visits"), _of(Appointment, care, own, "location", "confirmed_by")
    wishes = {"appointment__episode__patient": patient}
    yield (
        "move_requests",
        _("Wishes for another time"),
        _of(MoveRequest, care, wishes, "appointment", "by", "answered_by"),
    )
    yield "xrays", _("X-rays"), _of(ImagingRequest, care, own, "step", "appointment", "released_by")
    yield from _told(care, own)
    yield from _sent(care)


def _told(care: Care, own: dict[str, Any]) -> Iterator[tuple[str, str, Iterable[models.Model]]]:
    answers = StepResponse.objects.filter(episode__in=_episodes(care))
    plans = SmokeFreePlan.objects.filter(episode__in=_episodes(care))
    logs = {"prescription__episode__patient": care.patient}
    yield "answers", _("Answers to steps"), answers.select_related("step", "by", "replied_by")
    yield "check_ins", _("Check-ins"), _of(CheckIn, care, own, "questionnaire", "by")
    yield (
        "alerts",
        _("Warning signs"),
        _of(Alert, care, {"patient": care.patient}, "acknowledged_by", "resolved_by"),
    )
    yield "prescriptions", _("Exercises"), _of(Prescription, care, own, "exercise", "prescribed_by")
    yield (
        "exercise_logs",
        _("Exercises done"),
        _of(ExerciseLog, care, logs, "prescription__exercise", "by"),
    )
    yield "smoke_free", _("Smoke-free plan"), plans
    yield "slips", _("Slips"), _of(Slip, care, own, "by")
    yield "consents", _("Consents"), _of(ConsentDecision, care, own, "form__clinic", "by")


def _sent(care: Care) -> Iterator[tuple[str, str, Iterable[models.Model]]]:
    reminders = Reminder.objects.own(care.reader).filter(episode__patient=care.patient)
    sent = Message.objects.own(care.reader).filter(
        id__in=reminders.filter(message__isnull=False).values("message_id")
    )
    yield "messages", _("Mails to you"), sent.select_related("recipient").order_by("sent_at", "id")
    yield (
        "reminders",
        _("Your reminders"),
        reminders.select_related("step", "recipient").order_by("due_at", "id"),
    )
    yield (
        "preferences",
        _("Your choices of mail"),
        Preference.objects.filter(user=care.reader).select_related("user"),
    )


def _episodes(care: Care) -> Any:
    return Episode.objects.own(care.reader).filter(patient=care.patient).values("id")


def _of(model: Any, care: Care, which: dict[str, Any], *related: str) -> Any:
    return model.objects.own(care.reader).filter(**which).select_related(*related)


def _row(care: Care, row: models.Model) -> list[tuple[str, str]]:
    found = []
    for field in row._meta.concrete_fields:
        if field.name in HIDDEN or _is_held_back(row, field.name):
            continue
        value = _in_words(care, row, field)
        if value:
            label = str(field.verbose_name)
            found.append((label[:1].upper() + label[1:], value))
    return found


def _is_held_back(row: models.Model, name: str) -> bool:
    """Whether the clinic has not released it yet."""
    is_result = name in {"result_note", "resulted_at", "resulted_by"}
    return isinstance(row, ImagingRequest) and is_result and row.released_at is None


def _in_words(care: Care, row: models.Model, field: Any) -> str:
    if field.choices:
        return str(getattr(row, f"get_{field.name}_display")())
    value = getattr(row, field.name)
    if isinstance(value, User):
        return _person(care, value)
    if field.name == "answers":
        return "\n".join(f"{one['label']}: {one['shown']}" for one in value)
    return _plain(value)


def _person(care: Care, user: User) -> str:
    """A person's name; another parent's stays hidden from a parent."""
    is_patient = care.patient is not None and user.pk == care.patient.user_id
    if care.is_own or user.is_staff or is_patient or user.pk == care.reader.pk:
        return str(user)
    return _("Another parent or carer")


def _plain(value: object) -> str:
    match value:
        case None | "":
            return ""
        case bool():
            return _("yes") if value else _("no")
        case datetime():
            return date_format(timezone.localtime(value), "j F Y, H:i")
        case date():
            return date_format(value, "j F Y")
        case time():
            return time_format(value, "H:i")
        case _:
            return str(value)
