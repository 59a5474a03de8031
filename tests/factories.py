"""Makes single rows for tests: plain functions, small defaults, no plan and no mail.

Who those rows are, and how they hang together, is in tests/people.py.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from itertools import count
from typing import Any

from patients.actions.finding import keep_findable
from patients.models import AnchorDate, Appointment, Episode, Patient, RelatedPerson
from portal.models import Clinic, Location, PractitionerRole, User
from procedures.models import Pathway, PathwayVersion, Procedure, Step, StepText
from reminders.models import Message, Reminder

# A Monday, 10 o'clock in London; the clocks go forward there four weeks later.
NOW = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)
PASSWORD = "violet staircase 1931"

_numbers = count(1)


def make_clinic(name: str = "Harbour Hip Clinic", **fields: Any) -> Clinic:
    """A clinic in London that sends from 8 to 20, and at most four mails a day."""
    number = next(_numbers)
    defaults: dict[str, Any] = {
        "slug": f"clinic-{number}",
        "time_zone": "Europe/London",
        "phone_in_hours": "020 7946 0001",
        "opening_hours": "Monday to Friday, 8 am to 6 pm",
        "phone_out_of_hours": "020 7946 0002",
        "emergency_wording": "In an emergency call 999.",
    }
    return Clinic.objects.create(name=name, **(defaults | fields))


def make_location(clinic: Clinic, **fields: Any) -> Location:
    """A place of the clinic."""
    defaults = {"name": "X-ray department", "address": "1 Quay Street, London"}
    return Location.objects.create(clinic=clinic, **(defaults | fields))


def make_user(email: str = "", *, name: str = "Sam Reader", **fields: Any) -> User:
    """An account with the password PASSWORD."""
    email = email or f"user-{next(_numbers)}@example.com"
    return User.objects.create_user(email, PASSWORD, name=name, **fields)


def make_staff(clinic: Clinic, role: str, **fields: Any) -> User:
    """A member of the clinic's staff in one role."""
    fields = {
        "name": f"{role.title()} of {clinic.name}",
        "email": f"{role}@{clinic.slug}.example",
    } | fields
    user = make_user(is_staff=True, **fields)
    PractitionerRole.objects.create(user=user, clinic=clinic, role=role)
    return user


def make_patient(clinic: Clinic, *, email: str | None = "", **fields: Any) -> Patient:
    """An adult with an own login; with `email=None`, one without."""
    number = next(_numbers)
    defaults: dict[str, Any] = {
        "record_number": f"R{number:05}",
        "given_name": "Alex",
        "family_name": f"Patient{number}",
        "birth_date": date(1990, 5, 17),
    }
    patient = Patient(clinic=clinic, **(defaults | fields))
    if email is not None:
        patient.user = make_user(email, name=patient.name)
    patient.save()
    keep_findable(patient)
    return patient


def make_carer(patient: Patient, user: User | None = None, **fields: Any) -> RelatedPerson:
    """Access of a parent or carer to one patient, from long ago and without an end."""
    defaults = {"relationship": "parent", "starts_on": date(2020, 1, 1)}
    link = RelatedPerson.objects.create(
        patient=patient, user=user or make_user(), **(defaults | fields)
    )
    keep_findable(patient)
    return link


def make_procedure(name: str = "Periacetabular osteotomy", **fields: Any) -> Procedure:
    """An operation that can be booked."""
    defaults = {
        "key": f"procedure-{next(_numbers)}",
        "audience": "any",
        "what_is_done": "The hip is turned.",
    }
    return Procedure.objects.create(name=name, **(defaults | fields))


def make_version(
    clinic: Clinic,
    steps: Mapping[str, Mapping[str, Any]] | None = None,
    *,
    pathway: Pathway | None = None,
    audience: str = "adult",
    number: int = 1,
    is_approved: bool = True,
) -> PathwayVersion:
    """A version of a pathway with these steps; approved, so that it can be booked, unless said otherwise."""
    if pathway is None:
        pathway = Pathway.objects.create(
            key=f"pathway-{next(_numbers)}",
            procedure=make_procedure(),
            name="Hip pathway",
            audience=audience,
        )
    version = PathwayVersion.objects.create(
        pathway=pathway, clinic=clinic, number=number, digest="0" * 64
    )
    made = [
        _step(version, key, position=position, **fields)
        for position, (key, fields) in enumerate((steps or {}).items(), start=1)
    ]
    # All at once, past the questions that a single row asks: many tests stand on these.
    Step.objects.bulk_create(step for step, _ in made)
    StepText.objects.bulk_create(text for _, texts in made for text in texts)
    return approve(version) if is_approved else version


def approve(version: PathwayVersion) -> PathwayVersion:
    """Approve a draft without asking what it lacks; its predecessor is retired."""
    for old in PathwayVersion.objects.filter(
        pathway=version.pathway, clinic=version.clinic
    ).approved():
        old.status = PathwayVersion.Status.RETIRED
        old.save()
    version.status = PathwayVersion.Status.ACTIVE
    version.approved_at = NOW
    version.save()
    return version


def make_step(version: PathwayVersion, key: str, **fields: Any) -> Step:
    """A step, by default at 9 on the day of surgery; `texts` maps languages to their words."""
    step, texts = _step(version, key, **fields)
    step.save()
    for text in texts:
        text.save()
    return step


def _step(
    version: PathwayVersion,
    key: str,
    *,
    texts: Mapping[str, Mapping[str, str]] | None = None,
    **fields: Any,
) -> tuple[Step, list[StepText]]:
    defaults: dict[str, Any] = {
        "position": 1,
        "category": "preparation",
        "anchor": "surgery",
        "offset_value": 0,
        "offset_unit": "days",
        "at": time(9),
    }
    step = Step(version=version, key=key, **(defaults | fields))
    title = key.replace("-", " ").capitalize()
    words = {
        "subject": f"Your next step: {title}",
        "title": title,
        "todo": f"{title}.",
        "body": f"About: {title}.",
    }
    languages = (texts or {"en-gb": {}}).items()
    return step, [
        StepText(step=step, language=language, **(words | dict(own))) for language, own in languages
    ]


def make_episode(
    patient: Patient,
    version: PathwayVersion,
    *,
    surgery_on: date | None = date(2026, 4, 27),
    **anchors: date,
) -> Episode:
    """An episode with these dates and no plan. Name a milestone as `milestone__full_weight`."""
    episode = Episode.objects.create(
        patient=patient, procedure=version.pathway.procedure, version=version, side="left"
    )
    dates = {"surgery": surgery_on, **anchors}
    AnchorDate.objects.bulk_create(
        AnchorDate(episode=episode, anchor=anchor.replace("__", ":"), on=on)
        for anchor, on in dates.items()
        if on is not None
    )
    return episode


def make_appointment(
    episode: Episode, *, on: date = date(2026, 6, 10), at: time = time(14, 30), **fields: Any
) -> Appointment:
    """A booked X-ray visit at the clinic's local time."""
    zone = episode.patient.clinic.time_zone
    defaults: dict[str, Any] = {"kind": "xray", "time_zone": zone}
    appointment = Appointment(episode=episode, local_date=on, local_time=at, **(defaults | fields))
    appointment.starts_at = appointment.derive_starts_at()
    appointment.save()
    return appointment


def make_reminder(episode: Episode, step: Step | None = None, **fields: Any) -> Reminder:
    """A planned row that is due now, for the patient's own login unless said otherwise."""
    step = step or episode.version.steps.first() or make_step(episode.version, "step")
    defaults: dict[str, Any] = {
        "step": step,
        "step_key": step.key,
        "occurrence": next(_numbers) % 32_000,
        "recipient": fields.pop("recipient", episode.patient.user),
        "category": step.category,
        "is_essential": step.is_essential,
        "local_date": NOW.date(),
        "local_time": time(10),
        "time_zone": "Europe/London",
        "due_at": NOW,
        "valid_until": NOW + timedelta(days=2),
    }
    return Reminder.objects.create(episode=episode, **(defaults | fields))


def make_message(
    recipient: User, clinic: Clinic, reminders: Iterable[Reminder] = (), **fields: Any
) -> Message:
    """A mail as it was sent, with the reminders it carried."""
    defaults: dict[str, Any] = {
        "category": "preparation",
        "message_id": f"<{next(_numbers)}@test>",
        "to_address": recipient.email,
        "subject": "Your next step",
        "text": "Do this.",
        "html": "<p>Do this.</p>",
        "state": Message.State.SENT,
        "sent_at": NOW,
    }
    message = Message.objects.create(clinic=clinic, recipient=recipient, **(defaults | fields))
    ids = [row.id for row in reminders]
    Reminder.objects.filter(id__in=ids).update(state="sent", message=message, settled_at=NOW)
    return message
