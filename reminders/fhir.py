"""A patient's record as a FHIR R4 Bundle of type “collection”, for programs. Codes are FHIR's own where it has them.

What has no resource in FHIR (choices of mail, the smoke-free log) is in the plain JSON of `export`.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from patients.care import Care
from patients.models import (
    Appointment,
    CheckIn,
    ConsentDecision,
    Episode,
    ImagingRequest,
    Patient,
    Prescription,
    RelatedPerson,
)
from reminders.models import Message, Reminder

Resource = dict[str, Any]

_EPISODE = {
    "planned": "planned",
    "active": "active",
    "finished": "finished",
    "cancelled": "cancelled",
}
_CONSENT = {"given": "active", "withdrawn": "inactive", "not_yet": "proposed", "question": "draft"}


def bundle(care: Care) -> Resource:
    """Everything of the chosen patient that has a FHIR resource. `care` must have the full view."""
    resources = [_without_empty(one) for one in _resources(care)]
    return {
        "resourceType": "Bundle",
        "type": "collection",
        "timestamp": care.now.isoformat(),
        "entry": [{"fullUrl": f"urn:uuid:{one['id']}", "resource": one} for one in resources],
    }


def _without_empty(resource: Resource) -> Resource:
    """FHIR has no empty values: what is not known is left out."""
    return {key: value for key, value in resource.items() if value not in (None, "", [], {})}


def _resources(care: Care) -> Iterator[Resource]:
    patient = care.patient
    if patient is None:
        return
    own = {"episode__patient": patient}
    yield _patient(patient)
    links = RelatedPerson.objects.own(care.reader).filter(patient=patient).select_related("user")
    yield from (_related(row) for row in (links if care.is_own else links.filter(user=care.reader)))
    episodes = Episode.objects.own(care.reader).filter(patient=patient)
    yield from (_episode(row) for row in episodes.select_related("procedure"))
    visits = Appointment.objects.own(care.reader).filter(**own).select_related("location")
    yield from (_appointment(row, patient) for row in visits)
    xrays = ImagingRequest.objects.own(care.reader).filter(**own)
    yield from (_xray(row, patient) for row in xrays.select_related("step"))
    exercises = Prescription.objects.own(care.reader).filter(**own).select_related("exercise")
    yield from (_exercise(row, patient) for row in exercises)
    answered = CheckIn.objects.own(care.reader).filter(**own).select_related("questionnaire")
    yield from (_response(row, patient) for row in answered)
    consents = ConsentDecision.objects.own(care.reader).filter(**own).select_related("form")
    yield from (_consent(row, patient) for row in consents)
    carried = Reminder.objects.own(care.reader).filter(
        episode__patient=patient, message__isnull=False
    )
    mails = Message.objects.own(care.reader).filter(id__in=carried.values("message_id"))
    yield from (_communication(row, patient) for row in mails)


def _subject(patient: Patient) -> Resource:
    return {"reference": f"urn:uuid:{patient.pk}"}


def _moment(value: datetime | None) -> str | None:
    return value.isoformat() if value else None


def _patient(row: Patient) -> Resource:
    return {
        "resourceType": "Patient",
        "id": str(row.pk),
        "identifier": [{"value": row.record_number}],
        "name": [{"family": row.family_name, "given": [row.given_name]}],
        "telecom": _telecom(row.phone, row.user.email if row.user else ""),
        "birthDate": row.birth_date.isoformat(),
        "deceasedDateTime": row.deceased_on.isoformat() if row.deceased_on else None,
    }


def _telecom(phone: str, email: str) -> list[Resource]:
    pairs = (("phone", phone), ("email", email))
    return [{"system": system, "value": value} for system, value in pairs if value]


def _related(row: RelatedPerson) -> Resource:
    return {
        "resourceType": "RelatedPerson",
        "id": str(row.pk),
        "active": row.ended_at is None,
        "patient": {"reference": f"urn:uuid:{row.patient_id}"},
        "relationship": [{"text": row.relationship}],
        "name": [{"text": row.user.name}],
        "period": {"start": row.starts_on.isoformat()}
        | ({"end": row.ends_on.isoformat()} if row.ends_on else {}),
    }


def _episode(row: Episode) -> Resource:
    return {
        "resourceType": "EpisodeOfCare",
        "id": str(row.pk),
        "status": _EPISODE[row.status],
        "type": [{"text": f"{row.procedure.name}, {row.get_side_display()}"}],
        "patient": {"reference": f"urn:uuid:{row.patient_id}"},
    }


def _appointment(row: Appointment, patient: Patient) -> Resource:
    person = {
        "actor": _subject(patient),
        "status": "accepted" if row.confirmed_at else "needs-action",
    }
    return {
        "resourceType": "Appointment",
        "id": str(row.pk),
        "status": row.status,
        "serviceType": [{"text": str(row.get_kind_display())}],
        "start": row.starts_at.isoformat(),
        "minutesDuration": row.minutes,
        "patientInstruction": row.note,
        "description": f"{row.location.name}, {row.location.address}" if row.location else "",
        "participant": [person],
    }


def _xray(row: ImagingRequest, patient: Patient) -> Resource:
    period = {"start": row.window_from.isoformat(), "end": row.window_until.isoformat()}
    note = [{"text": row.result_note}] if row.released_at else []
    return {
        "resourceType": "ServiceRequest",
        "id": str(row.pk),
        "status": row.status,
        "intent": "order",
        "category": [{"text": "Imaging"}],
        "code": {"text": row.step.key},
        "subject": _subject(patient),
        "occurrencePeriod": period,
        "note": note,
    }


def _exercise(row: Prescription, patient: Patient) -> Resource:
    dose = f"{row.sets} x {row.repetitions}, {row.times_a_day} times a day"
    return {
        "resourceType": "ServiceRequest",
        "id": str(row.pk),
        "status": "completed" if row.ended_at else "active",
        "intent": "order",
        "category": [{"text": "Exercise"}],
        "code": {"text": row.exercise.key},
        "subject": _subject(patient),
        "patientInstruction": f"{dose}. {row.note}".strip(),
    }


def _response(row: CheckIn, patient: Patient) -> Resource:
    items = [
        {"linkId": one["key"], "text": one["label"], "answer": [{"valueString": str(one["shown"])}]}
        for one in row.answers
    ]
    return {
        "resourceType": "QuestionnaireResponse",
        "id": str(row.pk),
        "status": "completed",
        "subject": _subject(patient),
        "authored": _moment(row.sent_at),
        "item": items,
    }


def _consent(row: ConsentDecision, patient: Patient) -> Resource:
    return {
        "resourceType": "Consent",
        "id": str(row.pk),
        "status": _CONSENT[row.decision],
        "scope": {"text": row.form.key},
        "category": [{"text": row.title}],
        "patient": _subject(patient),
        "dateTime": _moment(row.decided_at),
        "performer": [{"display": row.signed_name}] if row.signed_name else [],
        "sourceAttachment": {
            "contentType": "text/markdown",
            "language": row.language,
            "title": row.body,
        },
    }


def _communication(row: Message, patient: Patient) -> Resource:
    return {
        "resourceType": "Communication",
        "id": str(row.pk),
        "status": "completed" if row.state == Message.State.SENT else "not-done",
        "subject": _subject(patient),
        "sent": _moment(row.sent_at),
        "payload": [{"contentString": f"{row.subject}\n\n{row.text}"}],
    }
