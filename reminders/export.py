"""Everything the clinic keeps about a patient, for who may read all of it: gathered once, shown in several forms.

Row by row from the models themselves, so that a new field is in the next download. Left out are keys and
secrets, other parents' names, addresses and words about themselves, a result that is not released, what staff write
for each other, and what the machine keeps for itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Any, NamedTuple

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext as _

from patients.care import Care, phone_for
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
from portal.day_words import date_format, time_format
from portal.models import User
from procedures.models import Step
from procedures.timing import anchor_name
from reminders.export_labels import label_of
from reminders.models import Message, Preference, Reminder
from reminders.reasons import reason as in_words
from reminders.staff_plan import title_of

# Keys, secrets, and what only the machine reads.
HIDDEN = frozenset(
    {
        "id", "created_at", "ticket", "password", "is_superuser", "is_staff", "is_active", "groups",
        "user_permissions", "lease_until", "claimed_by", "attempts", "headers", "sheet", "own", "whole_html",
        "calendar", "digest", "message_id", "last_response", "sequence", "changed_at", "patient", "clinic", "flags",
        "context", "counted_from", "questionnaire_version", "rule_key", "sign", "step_key", "occurrence",
        "correction", "valid_until", "settled_at", "message", "is_essential", "merged_into", "episode", "session_round",
        "is_pinned", "due_at", "check_in", "slip",
    }
)  # fmt: skip
# What one parent wrote may say how to reach them, or who they are: the other one does not read it.
OTHERS_OWN: Mapping[type[models.Model], frozenset[str]] = {
    MoveRequest: frozenset({"reason", "wishes"}),
    ConsentDecision: frozenset({"signed_name", "relationship", "note"}),
    StepResponse: frozenset({"note"}),
}


class Entry(NamedTuple):
    """One value: the field's name and plain value for programs, its label and words for people."""

    name: str
    value: Any
    label: str
    words: str


# Of a mail there may be stored only what is its own: it is shown whole.
SHOWN_AS = {"whole_text": "text"}


@dataclass(frozen=True, slots=True)
class Part:
    """One kind of thing: its name, and each row with what is known of it."""

    key: str
    title: str
    rows: list[list[Entry]]


def gather(care: Care) -> list[Part]:
    """Every part, in the order of reading. A constant number of queries. `care` must have the full view."""
    return [
        Part(key, title, [_row(care, one) for one in rows]) for key, title, rows in sources(care)
    ]


def sources(care: Care) -> Iterator[tuple[str, str, Iterable[models.Model]]]:
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
    xrays = _of(ImagingRequest, care, own, "step", "appointment", "released_by", "resulted_by")
    yield "xrays", _("X-rays"), xrays.prefetch_related("step__texts")
    yield from _told(care, own)
    yield from _sent(care)


def _told(care: Care, own: dict[str, Any]) -> Iterator[tuple[str, str, Iterable[models.Model]]]:
    answers = StepResponse.objects.filter(episode__in=_episodes(care))
    plans = SmokeFreePlan.objects.filter(episode__in=_episodes(care))
    logs = {"prescription__episode__patient": care.patient}
    yield "answers", _("Answers to steps"), _with_titles(answers, "by", "replied_by")
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
    sent = sent.select_related("recipient").prefetch_related("sheet").order_by("sent_at", "id")
    yield "messages", _("Mails to you"), sent
    yield (
        "reminders",
        _("Your reminders"),
        _with_titles(reminders, "recipient", "appointment").order_by("due_at", "id"),
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


def _with_titles(rows: Any, *related: str) -> Any:
    return rows.select_related("step", *related).prefetch_related("step__texts")


def _row(care: Care, row: models.Model) -> list[Entry]:
    found = []
    for field in row._meta.concrete_fields:
        if field.name in HIDDEN or _is_held_back(care, row, field.name):
            continue
        if words := _in_words(care, row, field):
            name = SHOWN_AS.get(field.name, field.name)
            found.append(Entry(name, _for_programs(care, row, field), label_of(field), words))
    return found


def _value(row: models.Model, field: Any) -> Any:
    return getattr(row, SHOWN_AS.get(field.name, field.name))


def _is_held_back(care: Care, row: models.Model, name: str) -> bool:
    """What the clinic has not released yet, what staff wrote for each other, and what is another parent's own."""
    match row:
        case ImagingRequest():
            is_result = name in {"result_note", "resulted_at", "resulted_by"}
            return is_result and row.released_at is None
        case Alert():
            return name == "note"
        case Patient():
            return name == "phone" and not phone_for(care)
        case MoveRequest() | ConsentDecision() | StepResponse():
            return name in OTHERS_OWN[type(row)] and not care.knows(row.by_id)
    return False


def _in_words(care: Care, row: models.Model, field: Any) -> str:
    if field.choices:
        return str(getattr(row, f"get_{field.name}_display")())
    value = _value(row, field)
    match field.name:
        case "answers":
            return "\n".join(f"{one['label']}: {one['shown']}" for one in value)
        case "anchor":
            return anchor_name(value)
        case "reason" if isinstance(row, Reminder):
            return in_words(value) if value else ""
        case "step" if value is not None:
            return title_of(value, care.reader.language)
    return care.name_of(value) if isinstance(value, User) else _plain(value)


def _for_programs(care: Care, row: models.Model, field: Any) -> Any:
    """The value itself: dates and moments as ISO 8601, codes as they are kept, what it points to by its name."""
    value = _value(row, field)
    if isinstance(value, User):
        return care.name_of(value)
    if field.name == "answers":
        return value
    if isinstance(value, Step):
        return value.key
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, date | time):
        return value.isoformat()
    return value if isinstance(value, bool | int) else str(value)


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
