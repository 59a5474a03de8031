"""A patient's record as a FHIR R4 Bundle of type “collection”, for programs. Codes are FHIR's own where it has them.

What has no resource in FHIR (choices of mail, the smoke-free log) is in the plain JSON of `export`.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Any

from patients.care import Care, phone_for
from patients.models import (
    Alert,
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
from reminders.staff_plan import title_of

Resource = dict[str, Any]

_EPISODE = {
    "planned": "planned",
    "active": "active",
    "finished": "finished",
    "cancelled": "cancelled",
}
_CONSENT = {"given": "active", "withdrawn": "inactive", "not_yet": "proposed", "question": "draft"}
_SCOPES = "http://terminology.hl7.org/CodeSystem/consentscope"
EMPTY: tuple[Any, ...] = (None, "", [], {})


def bundle(care: Care) -> Resource:
    """Everything of the chosen patient that has a FHIR resource. `care` must have the full view."""
    resources = [_without_empty(one) for one in _resources(care)]
    return {
        "resourceType": "Bundle",
        "type": "collection",
        "timestamp": care.now.isoformat(),
        "entry": [{"fullUrl": f"urn:uuid:{one['id']}", "resource": one} for one in resources],
    }


def _without_empty(value: Any) -> Any:
    """FHIR has no empty values (ele-1): what is not known is left out, at every depth."""
    if isinstance(value, dict):
        kept = {key: _without_empty(one) for key, one in value.items()}
        return {key: one for key, one in kept.items() if one not in EMPTY}
    if isinstance(value, list):
        return [one for one in map(_without_empty, value) if one not in EMPTY]
    return value.strip() if isinstance(value, str) else value


def _resources(care: Care) -> Iterator[Resource]:
    patient = care.patient
    if patient is None:
        return
    own = {"episode__patient": patient}
    yield _patient(patient, phone_for(care))
    links = RelatedPerson.objects.own(care.reader).filter(patient=patient).select_related("user")
    yield from (_related(row) for row in (links if care.is_own else links.filter(user=care.reader)))
    episodes = Episode.objects.own(care.reader).filter(patient=patient)
    yield from (_episode(row) for row in episodes.select_related("procedure"))
    visits = Appointment.objects.own(care.reader).filter(**own).select_related("location")
    yield from (_appointment(row, patient) for row in visits)
    xrays = ImagingRequest.objects.own(care.reader).filter(**own)
    titled = xrays.select_related("step").prefetch_related("step__texts")
    yield from (_xray(row, patient, care.reader.language) for row in titled)
    exercises = Prescription.objects.own(care.reader).filter(**own).select_related("exercise")
    yield from (_exercise(row, patient) for row in exercises)
    answered = CheckIn.objects.own(care.reader).filter(**own).select_related("questionnaire")
    yield from (_response(row, patient) for row in answered)
    consents = ConsentDecision.objects.own(care.reader).filter(**own).select_related("form")
    yield from _consents(care, patient, consents)
    signs = Alert.objects.own(care.reader).filter(patient=patient)
    yield from (_sign(row, patient) for row in signs)
    yield from _mails(care, patient)


def _mails(care: Care, patient: Patient) -> Iterator[Resource]:
    carried = Reminder.objects.own(care.reader).filter(
        episode__patient=patient, message__isnull=False
    )
    mails = Message.objects.own(care.reader).filter(id__in=carried.values("message_id"))
    yield from (_communication(row, patient) for row in mails.prefetch_related("sheet"))
    coming = Reminder.objects.own(care.reader).filter(episode__patient=patient).open()
    titled = coming.select_related("step").prefetch_related("step__texts").order_by("due_at", "id")
    yield from (_coming(row, patient, care.reader.language) for row in titled)


def _subject(patient: Patient) -> Resource:
    return {"reference": f"urn:uuid:{patient.pk}"}


def _moment(value: datetime | None) -> str | None:
    return value.isoformat() if value else None


def _patient(row: Patient, phone: str) -> Resource:
    return {
        "resourceType": "Patient",
        "id": str(row.pk),
        "identifier": [{"value": row.record_number}],
        "name": [{"family": row.family_name, "given": [row.given_name]}],
        "telecom": _telecom(phone, row.user.email if row.user else ""),
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
        "end": (row.starts_at + timedelta(minutes=row.minutes)).isoformat(),
        "minutesDuration": row.minutes,
        "patientInstruction": row.note,
        "description": f"{row.location.name}, {row.location.address}" if row.location else "",
        "participant": [person],
    }


def _xray(row: ImagingRequest, patient: Patient, language: str) -> Resource:
    period = {"start": row.window_from.isoformat(), "end": row.window_until.isoformat()}
    note = [{"text": row.result_note}] if row.released_at else []
    return {
        "resourceType": "ServiceRequest",
        "id": str(row.pk),
        "status": row.status,
        "intent": "order",
        "category": [{"text": "Imaging"}],
        "code": {"text": title_of(row.step, language)},
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


def _consents(care: Care, patient: Patient, rows: Iterable[ConsentDecision]) -> Iterator[Resource]:
    """Each decision, the latest first. Of one consent only the latest decision is in force."""
    decided: set[tuple[object, str]] = set()
    for row in rows:
        key = (row.episode_id, row.form.key)
        yield _consent(care, row, patient, is_over=key in decided)
        if row.decision != ConsentDecision.Decision.QUESTION:
            decided.add(key)


def _consent(care: Care, row: ConsentDecision, patient: Patient, *, is_over: bool) -> Resource:
    is_surgery = row.form.key == "surgery"
    scope = "treatment" if is_surgery else "patient-privacy"
    is_known = care.knows(row.by_id)
    return {
        "resourceType": "Consent",
        "id": str(row.pk),
        "status": "inactive" if is_over else _CONSENT[row.decision],
        "scope": {"coding": [{"system": _SCOPES, "code": scope}], "text": row.form.key},
        "category": [{"text": row.title}],
        "patient": _subject(patient),
        "dateTime": _moment(row.decided_at),
        "performer": [{"display": row.signed_name if is_known else care.name_of(row.by)}],
        "sourceAttachment": {
            "contentType": "text/markdown",
            "language": row.language,
            "title": row.title,
            "data": base64.b64encode(row.body.encode()).decode(),
        },
        # R4 wants to know by which policy (ppc-1): it is the clinic's own text that is attached.
        "policyRule": {"text": f"{row.title}, {row.form.number}"},
    }


def _sign(row: Alert, patient: Patient) -> Resource:
    return {
        "resourceType": "Flag",
        "id": str(row.pk),
        "status": "inactive" if row.resolved_at else "active",
        "code": {"text": row.summary},
        "subject": _subject(patient),
        "period": {"start": _moment(row.raised_at), "end": _moment(row.resolved_at)},
    }


def _coming(row: Reminder, patient: Patient, language: str) -> Resource:
    title = title_of(row.step, language) if row.step else ""
    return {
        "resourceType": "CommunicationRequest",
        "id": str(row.pk),
        "status": "active",
        "subject": _subject(patient),
        "occurrenceDateTime": _moment(row.due_at),
        "payload": [{"contentString": title or str(row.get_category_display())}],
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
